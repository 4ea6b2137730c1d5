"""`bes sign`: a person's yes, by his own key on his own machine, after reading what it is a yes to."""

import base64
import binascii
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from shared.crypto.keys import load_or_create
from shared.crypto.signing import seal
from shared.errors import BesError, SettingInvalid, WireError
from shared.wire.codec import decode
from shared.wire.contract import APPROVAL_DOMAIN, POLICY_DOMAIN, Approval, SpendingPolicy
from shared.wire.forward import DEED_DOMAIN, ForwardDeed
from shared.wire.restart import RESTART_DOMAIN, LedgerRestart

FAILED = 1

app = typer.Typer(help="Sign what a contract asks of you, with your own key.", no_args_is_help=True)
KeyFile = Annotated[Path, typer.Option("--key", help="Your secret key; nobody else reads this file")]


@app.command("key")
def make_key(path: Annotated[Path, typer.Argument(help="The file; made where it does not exist")]) -> None:
    """Make your key and print its public half, which goes into contracts and policies."""
    try:
        typer.echo(load_or_create(path).verify_key.encode().hex())
    except (BesError, OSError) as error:
        raise _failed(error) from error


@app.command("document")
def sign(
    to_sign: Annotated[str, typer.Argument(help="What the console shows under 'to sign' (base64)")],
    key: KeyFile,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts")] = False,
) -> None:
    """Show in words what it is, ask, and print the sealed answer (base64) for the console."""
    try:
        document = _read(to_sign)
        if not key.is_file():
            raise SettingInvalid(f"{key}: no such file; 'bes sign key' makes one")
        signer = load_or_create(key)
    except (BesError, OSError) as error:
        raise _failed(error) from error
    domain, lines = _told(document)
    for line in lines:
        typer.echo(line, err=True)
    if not yes:
        typer.confirm("Sign it?", abort=True, err=True)
    typer.echo(base64.b64encode(seal(domain, document, [signer])).decode())


Document = Approval | SpendingPolicy | ForwardDeed | LedgerRestart


def _told(document: Document) -> tuple[bytes, tuple[str, ...]]:
    """The domain under which it is signed, and what it says in words."""
    match document:
        case Approval():
            return APPROVAL_DOMAIN, _approval(document)
        case SpendingPolicy():
            return POLICY_DOMAIN, _policy(document)
        case ForwardDeed():
            return DEED_DOMAIN, _deed(document)
        case LedgerRestart():
            return RESTART_DOMAIN, _restart(document)


def _read(text: str) -> Document:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SettingInvalid("what is to be signed is no base64; copy it whole") from error
    with suppress(WireError):
        return decode(raw, Approval)
    with suppress(WireError):
        return decode(raw, ForwardDeed)
    with suppress(WireError):
        return decode(raw, LedgerRestart)
    return decode(raw, SpendingPolicy)


def _approval(document: Approval) -> tuple[str, ...]:
    asks = f"propose, as {document.initiator}; you then cannot approve it"
    if document.role != "proposer":
        asks = f"approve, as {document.role}; proposed by {document.initiator}"
    return (
        f"you       {asks}",
        f"payment   {document.external_sat:,} sat leave contract {document.contract_id[:16]}… on {document.network}",
        f"txid      {document.txid}",
        f"policy    {document.policy_version}; void from block {document.expiry_height:,} on",
    )


def _deed(document: ForwardDeed) -> tuple[str, ...]:
    terms, hedge = document.terms, document.terms.hedge
    own_sat = hedge.miner_collateral_sat if document.side == "miner" else hedge.buyer_collateral_sat
    return (
        f"forward   under contract {document.contract_id[:16]}… on {terms.network}; we are the {document.side}",
        f"at risk   our collateral of {own_sat:,} sat, and fees at {terms.fee_rate_sat_vb} sat/vB",
        f"hedge     {hedge.hashrate_ghs:,} GH/s for {hedge.duration_s:,} s at {hedge.price_sat:,} sat; a block pays"
        f" {hedge.reward_sat:,} sat; collateral {hedge.miner_collateral_sat:,} (miner) and"
        f" {hedge.buyer_collateral_sat:,} sat (buyer)",
        f"oracle    {terms.oracle_key.hex()}, event {terms.event_id}",
        f"dates     settled by block {terms.settle_height:,}; refund from block {terms.refund_height:,} on",
        f"pays      miner {terms.miner_address}, buyer {terms.buyer_address}",
        f"stakes    miner {document.miner_stake}, buyer {document.buyer_stake}",
    )


def _policy(document: SpendingPolicy) -> tuple[str, ...]:
    limits = document.limits
    listed = ", ".join(f"{one.name} {one.address}" for one in document.allow_list) or "nobody"
    people = ", ".join(f"{one.person} ({one.role})" for one in document.approvers)
    return (
        f"policy    {document.policy_version} of contract {document.contract_id}",
        f"approval  {document.approvals_needed} of {people}",
        f"pays      {listed}; a new one after {document.cooling_blocks} blocks",
        f"limits    {limits.per_tx_sat:,} sat a transaction, {limits.window_sat:,} in {limits.window_blocks} blocks,"
        f" {limits.lifetime_sat:,} in all; fee up to {limits.fee_sat:,} sat",
        f"owners    {document.owners_needed} of {len(document.owners)} keys sign the next policy",
    )


def _restart(document: LedgerRestart) -> tuple[str, ...]:
    return (
        f"box       {document.box_id}: its ledger counts from row {document.seq:,} on, whatever its witnesses remember",
        f"head      {document.head.hex()}",
        f"ceremony  {document.ceremony}; what was spent within the lost rows no limit remembers: lower them first",
    )


def _failed(error: BesError | OSError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(FAILED)
