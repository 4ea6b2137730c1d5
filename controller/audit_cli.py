"""`bes audit verify`: check a journal without the controller, from its file alone."""

from pathlib import Path
from typing import Annotated

import typer
from nacl.signing import VerifyKey

from controller.journal.audit import Anchor, Report, verify
from controller.storage.sqlite.journal_log import SqliteLogFile
from shared.clock import utc
from shared.crypto.keys import parse_public
from shared.errors import BesError

UNREADABLE = 2
DAMAGED = 1
_ROOT_BYTES = 32

app = typer.Typer(help="Check what the controller wrote down.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Check what the controller wrote down."""


@app.command("verify")
def verify_file(
    path: Annotated[Path, typer.Argument(help="The journal's file, such as journal.db")],
    key: Annotated[str, typer.Option(help="Public key of the controller, 64 hex digits; pins who signed")] = "",
    anchor: Annotated[
        list[str] | None, typer.Option(help="A head kept elsewhere, as SIZE:ROOT in hex; may be repeated")
    ] = None,
) -> None:
    """Recompute every digest, the tree and the signed heads. Exits with 1 on damage, 2 where it cannot be read."""
    try:
        trusted = parse_public(key) if key else None
        anchors = [_parse_anchor(text) for text in anchor or ()]
        log = SqliteLogFile(path)
    except BesError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(UNREADABLE) from error
    try:
        report = verify(log, trusted=trusted, anchors=anchors)
    finally:
        log.close()
    _print(report, trusted)
    if report.damage is not None:
        raise typer.Exit(DAMAGED)


def _parse_anchor(text: str) -> Anchor:
    size, _, root = text.partition(":")
    try:
        anchor = Anchor(int(size), bytes.fromhex(root))
    except ValueError as error:
        raise typer.BadParameter(f"anchor {text!r} must be SIZE:ROOT, a number and 64 hex digits") from error
    if anchor.size < 1 or len(anchor.root) != _ROOT_BYTES:
        raise typer.BadParameter(f"anchor {text!r} must be SIZE:ROOT, a number from 1 and 64 hex digits")
    return anchor


def _print(report: Report, trusted: VerifyKey | None) -> None:
    typer.echo(f"log    {report.log_id.hex()}")
    for head in report.heads:
        typer.echo(f"head   {head.size}:{head.root.hex()}  {utc(head.at_ms):%Y-%m-%d %H:%M:%S} UTC  key {head.key_id}")
    typer.echo(f"events {report.size} verified, {report.unsigned} of them after the newest signed head")
    typer.echo(f"root   {report.size}:{report.root.hex()}")
    if trusted is None and report.heads:
        typer.echo("note   signatures were checked by the key in the file; give --key to pin the controller's")
    if report.damage is None:
        typer.echo("whole  every digest, the chain, the tree and the signed heads agree")
        return
    place = "the file" if report.damage.position is None else f"position {report.damage.position}"
    typer.echo(f"DAMAGE at {place}: {report.damage.problem}", err=True)
