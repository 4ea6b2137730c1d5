"""The command that makes a claim. The owner's key opens what nodes committed to, and this controller never sees it."""

import re
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

from nicegui import ui

from controller.console.pages.treasury.page import field
from controller.console.parts.copy_text import CopyText
from controller.console.topics.treasury.proofs import slot_time
from controller.views.treasury import MeterView
from shared.errors import Malformed

KINDS = {"at-most": "at most", "at-least": "at least", "exactly": "exactly (opens the sum)"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def claim_form(meters: Sequence[MeterView]) -> None:
    """Fields, and below them what to type where the owner's key is."""
    if not meters:
        ui.label("No meter was committed to yet, so nothing can be claimed.").classes("bes-text")
        return
    named = {at: f"{one.meter} at {one.site}" for at, one in enumerate(meters)}
    with ui.element("div").classes("bes-form-grid").style("margin-bottom: 12px"):
        meter = field(ui.select(named, value=0, label="Meter"))
        kind = field(ui.select(KINDS, value="at-most", label="Claim"))
        bound = field(ui.input("Bound in Wh")).props("inputmode=numeric data-testid=bound")
        start = field(ui.input("From, UTC", value=slot_time(meters[0], meters[0].first_slot)))
        end = field(ui.input("To, UTC", value=slot_time(meters[0], meters[0].last_slot + 1)))
        expires = field(ui.input("Good until", value=f"{datetime.now(UTC).year + 1}-01-31"))
        nonce = field(ui.input("Number of the asker")).props("data-testid=nonce")
    said = ui.label().classes("bes-refusal").props("role=status data-testid=claim-said")
    command = CopyText("", test="claim-command", empty="Mend what is named above; the command stands here then.")

    def show() -> None:
        try:
            text, wrong = (
                claim_command(
                    meters[meter.value],
                    kind.value,
                    bound.value or "",
                    (start.value, end.value),
                    expires.value,
                    nonce.value or "",
                ),
                "",
            )
        except Malformed as error:
            text, wrong = "", error.detail
        said.set_text(wrong)
        said.set_visibility(bool(wrong))
        command.show(text)

    for one in (meter, kind, bound, start, end, expires, nonce):
        one.on_value_change(show)
    show()
    ui.label(
        "Run it where the owner's key is, over a copy of the controller's journal; then keep the claim here. It is "
        "refused there where it is not true, or where a slot is missing."
    ).classes("bes-hint")


def claim_command(meter: MeterView, kind: str, bound: str, times: tuple[str, str], expires: str, nonce: str) -> str:
    """For a shell; Malformed with the field that says nothing."""
    start, end = (_edge(name, text, meter.interval_s) for name, text in zip(("from", "to"), times, strict=True))
    if not start < end:
        raise Malformed("to: the end has to lie after the beginning")
    plain = "".join(bound.split()).replace(",", "")
    if not (plain.isascii() and plain.isdecimal()) or int(plain) >= 2**52:
        raise Malformed("bound: write a whole number of watt-hours below 2^52")
    if not _DAY.fullmatch(expires.strip()):
        raise Malformed("good until: write a day as 2027-01-31")
    words = [
        "bes", "claim", "prove", "journal.db", "claim.json", "--owner", "owner.key",
        "--site", meter.site, "--meter", meter.meter, "--interval-s", str(meter.interval_s),
        "--from", f"{start:%Y-%m-%dT%H:%M:%S}", "--to", f"{end:%Y-%m-%dT%H:%M:%S}",
        "--kind", kind, "--bound-wh", plain, "--expires", expires.strip(),
    ]  # fmt: skip
    return shlex.join([*words, "--nonce", nonce] if nonce else words)


def _edge(name: str, text: str, interval_s: int) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)
    except ValueError as error:
        raise Malformed(f"{name}: write a time in UTC as 2026-11-01 00:00") from error
    if at.timestamp() % interval_s:
        raise Malformed(f"{name}: slots of this meter begin every {interval_s // 60} min; choose one of these times")
    return at
