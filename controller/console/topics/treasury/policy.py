"""What a policy would change: line by line, as it is and as it would be."""

from controller.console.feed import Content
from controller.console.format import btc, number, plural, sat
from controller.console.topics.treasury.words import blocks, grouped, tag
from controller.views.treasury import ContractView, PolicyView

_COOLING = "Cooling time"


def base_of(view: ContractView) -> PolicyView | None:
    """The policy that the next one follows: the newest that every box has."""
    return view.policy if view.coming is None else view.coming.policy


def difference(before: PolicyView, after: PolicyView) -> list[Content]:
    """Only what changes: destinations that come and go, then figures."""
    rows = _destinations(before, after)
    old, new = dict(_figures(before)), dict(_figures(after))
    rows += [
        {"id": label, "cells": [label, old[label], new[label], _direction(before, after, label)]}
        for label in old
        if old[label] != new[label]
    ]
    return rows


def effect(before: PolicyView, after: PolicyView, height: int | None) -> str:
    """When it would count, if the boxes took it now. What only takes away does not wait; the boxes decide it."""
    if _only_takes_away(difference(before, after)):
        return "It only takes away, so each box follows it as soon as it has it."
    if not before.cooling_blocks:
        return "It counts as soon as every box has taken it."
    wait = f"It counts {blocks(before.cooling_blocks)} after the last box took it"
    if height is None:
        return f"{wait}."
    return f"{wait}: not before block {number(height + before.cooling_blocks)}. Until then the present one holds."


def _only_takes_away(rows: list[Content]) -> bool:
    return bool(rows) and all(not row["cells"][3]["tone"] and row["id"] != _COOLING for row in rows)


def _destinations(before: PolicyView, after: PolicyView) -> list[Content]:
    old = {one.address: one for one in before.allow_list}
    new = {one.address: one for one in after.allow_list}
    rows: list[Content] = []
    for address in [*old, *(one for one in new if one not in old)]:
        was, is_ = old.get(address), new.get(address)
        if was == is_:
            continue
        said = "changed" if was and is_ else "may be paid" if is_ else "may not be paid any more"
        rows.append(
            {
                "id": address,
                "cells": [
                    "Destination",
                    "" if was is None else {"text": f"{was.name}: {grouped(address)}"},
                    "" if is_ is None else {"text": f"{is_.name}: {grouped(address)}"},
                    tag(said, 3 if is_ else 0),
                ],
            }
        )
    return rows


def _figures(policy: PolicyView) -> list[tuple[str, str]]:
    limits = policy.limits
    return [
        ("One payment", _amount(limits.per_tx_sat)),
        ("In one window", _amount(limits.window_sat)),
        ("Length of the window", plural(limits.window_blocks, "block")),
        ("In all", _amount(limits.lifetime_sat)),
        ("Fee", _amount(limits.fee_sat)),
        ("Fee rate", f"{number(limits.fee_rate_sat_vb)}\u00a0sat/vB"),
        ("Weight", f"{number(limits.weight_wu)}\u00a0wu"),
        (_COOLING, plural(policy.cooling_blocks, "block")),
        ("Approvals needed", number(policy.approvals_needed)),
    ]


def _amount(amount_sat: int) -> str:
    return f"{sat(amount_sat)} · {btc(amount_sat)}"


def _direction(before: PolicyView, after: PolicyView, label: str) -> Content:
    """Whether the line lets more happen than before."""
    pairs = {
        "Length of the window": (after.limits.window_blocks, before.limits.window_blocks),
        _COOLING: (after.cooling_blocks, before.cooling_blocks),
        "Approvals needed": (after.approvals_needed, before.approvals_needed),
        "One payment": (before.limits.per_tx_sat, after.limits.per_tx_sat),
        "In one window": (before.limits.window_sat, after.limits.window_sat),
        "In all": (before.limits.lifetime_sat, after.limits.lifetime_sat),
        "Fee": (before.limits.fee_sat, after.limits.fee_sat),
        "Fee rate": (before.limits.fee_rate_sat_vb, after.limits.fee_rate_sat_vb),
        "Weight": (before.limits.weight_wu, after.limits.weight_wu),
    }
    less, more = pairs[label]
    return tag("allows more", 3) if less < more else tag("allows less")
