"""`bes claim`: prove a bound of metered energy to somebody who learns nothing else, and check such a proof."""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from controller.contracts.proofs import made
from controller.storage.sqlite.journal_log import SqliteLogFile
from shared.crypto.keys import load_or_create
from shared.errors import BesError, SettingInvalid
from shared.proofs import verifier
from shared.proofs.claim import Kind, Statement

NOT_PROVEN = 1
UNREADABLE = 2

app = typer.Typer(help="Prove bounds of metered energy without showing any of it.", no_args_is_help=True)
OwnerKey = Annotated[Path, typer.Option(help="The owner's secret key, kept where no controller is")]


@app.command("owner-key")
def owner_key(path: Annotated[Path, typer.Argument(help="The file; made where it does not exist")]) -> None:
    """Make the owner's key and print its public half, which goes to the agents as [energy_claims] owner_key."""
    try:
        typer.echo(load_or_create(path).verify_key.encode().hex())
    except (BesError, OSError) as error:
        raise _failed(error) from error


@app.command()
def prove(
    journal: Annotated[Path, typer.Argument(help="The controller's journal.db, or a copy of it")],
    out: Annotated[Path, typer.Argument(help="The claim's file to write")],
    *,
    owner: OwnerKey,
    site: Annotated[str, typer.Option()],
    meter: Annotated[str, typer.Option()],
    start: Annotated[datetime, typer.Option("--from", help="UTC; the beginning of an interval")],
    end: Annotated[datetime, typer.Option("--to", help="UTC; the end of an interval")],
    kind: Annotated[Kind, typer.Option(help="What is claimed of the bound")],
    bound_wh: Annotated[int, typer.Option(min=0, help="Watt-hours over the whole time")],
    expires: Annotated[str, typer.Option(help="Until when the claim is meant to be used, such as 2027-01-31")],
    interval_s: Annotated[int, typer.Option(min=60, help="As the agent's settings say")] = 900,
    nonce: Annotated[str, typer.Option(help="What the asker gave you, so that no old claim answers")] = "",
) -> None:
    """Write a claim that `verifier.py` checks anywhere. Exits with 1 where it is not true, or not known."""
    try:
        statement = Statement(
            site=site,
            meter=meter,
            interval_s=interval_s,
            first_slot=_boundary(start, interval_s),
            last_slot=_boundary(end, interval_s) - 1,
            kind=kind,
            bound=bound_wh,
            nonce=nonce or secrets.token_hex(16),
            expires=expires,
        )
        if not owner.is_file():
            raise SettingInvalid(f"{owner}: no such file; 'bes claim owner-key' made it when the agents were set up")
        log = SqliteLogFile(journal)
        try:
            document = made(statement, log.events(), load_or_create(owner).to_curve25519_private_key())
        finally:
            log.close()
        verifier.check(document, bytes.fromhex(document["node_key"]))
        out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except (BesError, OSError) as error:
        raise _failed(error) from error
    typer.echo(f"claim  {out}: {len(document['slots'])} slots, signed by {document['node_key']}")
    typer.echo(f"check  python3 verifier.py {out} --key {document['node_key']}")


@app.command("verifier")
def write_verifier(out: Annotated[Path, typer.Argument(help="Where to write the script")]) -> None:
    """Write the script that checks claims and needs nothing but Python, for whoever asked."""
    try:
        out.write_bytes(Path(verifier.__file__).read_bytes())
    except OSError as error:
        raise _failed(error) from error


def _boundary(at: datetime, interval_s: int) -> int:
    seconds = at.replace(tzinfo=UTC).timestamp() if at.tzinfo is None else at.timestamp()
    number, rest = divmod(seconds, interval_s)
    if rest:
        raise SettingInvalid(f"{at:%Y-%m-%d %H:%M:%S} is not the edge of an interval of {interval_s} s")
    return int(number)


def _failed(error: BesError | OSError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(NOT_PROVEN if isinstance(error, BesError) and error.code.startswith("contract.") else UNREADABLE)
