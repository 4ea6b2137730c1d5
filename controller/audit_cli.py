"""`bes audit`: check a journal without the controller, from its file alone, and keep its newest head elsewhere."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from nacl.signing import VerifyKey

from controller.journal.audit import Anchor, Expectation, Report, verify
from controller.journal.head import SignedHead, open_head
from controller.storage.sqlite.journal_log import SqliteLogFile
from shared.clock import utc
from shared.crypto.keys import parse_public
from shared.errors import BesError, NotFound, SettingInvalid

UNREADABLE = 2
DAMAGED = 1
_ROOT_BYTES = 32

app = typer.Typer(help="Check what the controller wrote down.", no_args_is_help=True)
Journal = Annotated[Path, typer.Argument(help="The journal's file, such as journal.db")]
Key = Annotated[str, typer.Option(help="Public key of the controller, 64 hex digits; pins who signed")]


@app.callback()
def audit() -> None:
    """Check what the controller wrote down."""


@app.command("verify")
def verify_file(
    path: Journal,
    key: Key = "",
    anchor: Annotated[
        list[str] | None, typer.Option(help="A head kept elsewhere, as SIZE:ROOT in hex; may be repeated")
    ] = None,
    head: Annotated[
        list[Path] | None, typer.Option(help="A head kept elsewhere, as a file of 'bes audit head'; may be repeated")
    ] = None,
    at_least: Annotated[
        int, typer.Option(min=0, help="So many events the log has had before; with --key, so many signed ones")
    ] = 0,
) -> None:
    """Recompute every digest, the tree and the signed heads. Exits with 1 on damage, 2 where it cannot be read."""
    try:
        trusted = parse_public(key) if key else None
        anchors = [*map(_parse_anchor, anchor or ()), *(_read_head(file, trusted) for file in head or ())]
        log = SqliteLogFile(path)
    except BesError as error:
        raise _unreadable(error) from error
    try:
        report = verify(log, Expectation(trusted, tuple(anchors), at_least))
    finally:
        log.close()
    _print(report, trusted)
    if report.damage is not None:
        raise typer.Exit(DAMAGED)


@app.command("head")
def export_head(path: Journal, out: Annotated[Path, typer.Argument(help="The file to write, kept elsewhere")]) -> None:
    """Copy the newest signed head into a file. A later 'bes audit verify --head FILE' shows that nothing before it was
    changed or left out since.
    """
    try:
        log = SqliteLogFile(path)
        try:
            newest = max(log.heads(), key=lambda head: head.size, default=None)
        finally:
            log.close()
        if newest is None:
            raise NotFound(f"{path}: no head was signed yet; a controller signs within a minute of its first event")
        head = open_head(newest)
        out.write_bytes(msgspec.json.encode(newest) + b"\n")
    except BesError as error:
        raise _unreadable(error) from error
    except OSError as error:
        raise _unreadable(SettingInvalid(f"{out}: {error.strerror or error}")) from error
    typer.echo(f"head   {head.size}:{head.root.hex()}")


def _unreadable(error: BesError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(UNREADABLE)


def _read_head(file: Path, trusted: VerifyKey | None) -> Anchor:
    """The head in a file, its signature checked by the key that is pinned or else by its own."""
    try:
        signed = msgspec.json.decode(file.read_bytes(), type=SignedHead)
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingInvalid(f"{file}: not a head of 'bes audit head': {error}") from error
    head = open_head(signed, trusted)
    return Anchor(head.size, head.root)


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
    if report.damage is not None:
        place = "the file" if report.damage.position is None else f"position {report.damage.position}"
        typer.echo(f"DAMAGE at {place}: {report.damage.problem}", err=True)
        return
    if trusted is None:
        typer.echo("note   no key was given: a file that somebody rewrote as a whole looks like this too; give --key")
    elif report.unsigned:
        typer.echo(f"note   the last {report.unsigned} events are not signed yet; the key does not speak for them")
    typer.echo("whole  every digest, the chain, the tree and the signed heads agree")
