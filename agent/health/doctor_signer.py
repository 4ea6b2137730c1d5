"""What only a signing box has: token, keys, PIN, ledger, header clock, witnesses. Read only; it may run beside the box.

The token is logged in to once, so a wrong PIN costs one try, as a start of the box would.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from agent.health.finding import Finding, Grade
from agent.settings import SignerSettings, SigningSettings
from agent.signer.clock.header import HEADER_BYTES, parse
from agent.signer.keystore import HsmKey, HsmKeys, Token, TokenAddress, WrapKey, harden, read_pin
from agent.signer.ledger import EntryKind
from agent.signer.ledger import entry_table as table
from agent.signer.ledger.audit import verify
from agent.signer.sessions.stored_contract import policy_of, stored_contract
from agent.spool.integrity import check_tail
from shared.crypto.keys import key_id, load_or_create
from shared.errors import Corrupt, Denied, SettingMissing
from shared.wire.contract import SpendingPolicy

_COMMIT_S = 0.2  # no commit takes that long to be written whole


def signing_checks(settings: SignerSettings) -> Iterator[tuple[str, Callable[[], Finding]]]:
    """By the name of what is looked at; a check that raises has found something bad."""
    signing = settings.signing
    if signing is None:
        yield "signing", _not_set_up
        return
    yield "memory", _memory
    yield "token pin", partial(_pin, signing)
    yield "token", partial(_token, signing)
    yield "ledger", partial(_ledger, settings, signing)
    yield "contracts", partial(_contracts, settings, signing)
    yield "witnesses", partial(_witnesses, settings)
    yield "headers", partial(_headers, settings.state_directory, signing)


def _not_set_up() -> Finding:
    return Finding("signing", Grade.WEAK, "every request is refused", "add section [signing]; docs/signing-box.md")


def _memory() -> Finding:
    """The doctor is about to hold the PIN, so it hardens itself, and tells how far that goes under these limits."""
    reached = harden()
    if not (reached.no_core and reached.not_dumpable):
        return Finding("memory", Grade.BAD, "core dumps are on", "LimitCORE=0 in the unit")
    if not reached.memory_locked:
        return Finding(
            "memory", Grade.WEAK, "no core dumps, but it may be swapped", "LimitMEMLOCK=infinity in the unit"
        )
    return Finding("memory", Grade.GOOD, "no core dumps, no swap")


def _pin(signing: SigningSettings) -> Finding:
    read_pin(signing.token.pin)
    return Finding("token pin", Grade.GOOD, "for the box only")


def _token(signing: SigningSettings) -> Finding:
    place = signing.token
    address = TokenAddress(place.module, place.label, place.serial)
    with Token(address, read_pin(place.pin)) as token:
        HsmKeys(token).open([HsmKey(key.id, bytes.fromhex(key.public_key)) for key in signing.keys])
        if signing.wrap_key:
            WrapKey(token, signing.wrap_key).open()
    found = f"{place.label} {place.serial} by {place.module.name}, {len(signing.keys)} pinned keys"
    if not signing.keys and not signing.wrap_key:
        return Finding("token", Grade.WEAK, found, "make keys with 'bes box new-keys' and put their lines in the file")
    return Finding("token", Grade.GOOD, found)


def _ledger(settings: SignerSettings, signing: SigningSettings) -> Finding:
    path = _ledger_path(settings)
    if not path.exists():
        return Finding(
            "ledger", Grade.WEAK, f"{path} is not there", "right before the first start; else it was removed"
        )
    key = settings.state_directory / "node.key"
    if not key.exists():
        raise SettingMissing(f"{key} is missing, and the ledger belongs to the box with that key; bring it back")
    box_id = key_id(load_or_create(key).verify_key)
    torn = _torn_end(path)
    if torn and not signing.accept_torn_end:
        mend = "keep a copy of the disk; docs/signing-box.md, When a power cut tore the ledger's end"
        return Finding("ledger", Grade.BAD, f"the box does not start: {torn}", mend)
    try:
        with closing(_read_only(path)) as connection:
            head = verify(connection, box_id)
    except sqlite3.Error as error:
        mend = "keep the disk as it is; docs/signing-box.md, When a box was rolled back"
        return Finding("ledger", Grade.BAD, f"{path}: {error}", mend)
    whole = f"{head.seq} rows, each as it was written; head {head.digest.hex()[:16]}"
    if signing.accept_torn_end:
        mend = "take accept_torn_end out of the file after the start that needed it"
        return Finding("ledger", Grade.WEAK, f"{whole}; a torn end would be accepted", mend)
    return Finding("ledger", Grade.GOOD, whole)


def _torn_end(path: Path) -> str:
    """Empty where every commit in the log is whole. A box that runs may be writing one: a second look decides."""
    torn = _tail_fault(path)
    if torn:
        time.sleep(_COMMIT_S)
        torn = _tail_fault(path)
    return torn


def _tail_fault(path: Path) -> str:
    try:
        check_tail(path)
    except Corrupt as error:
        return error.detail
    return ""


def _contracts(settings: SignerSettings, signing: SigningSettings) -> Finding:
    """Whether each registered contract passes the checks of this release, as the box asks at its start."""
    path = _ledger_path(settings)
    if not path.exists():
        return Finding("contracts", Grade.GOOD, "none yet")
    try:
        with closing(_read_only(path)) as connection:
            subjects = table.subjects(connection, EntryKind.POLICY)
            unfit = [why for subject in subjects if (why := _unfit(connection, subject, signing.network))]
    except sqlite3.Error as error:
        return Finding("contracts", Grade.BAD, f"{path}: {error}", "see what the doctor says of the ledger")
    if unfit:
        mend = "the box does not sign for them; docs/signing-box.md, contract.unfit"
        return Finding("contracts", Grade.BAD, "; ".join(unfit), mend)
    return Finding("contracts", Grade.GOOD, f"{len(subjects)} registered, each passes the checks of this release")


def _unfit(connection: sqlite3.Connection, subject: str, network: str) -> str:
    terms = table.latest(connection, EntryKind.CONTRACT, subject)
    if terms is None:
        return f"contract {subject[:12]} has no terms"
    try:
        stored_contract(terms, list(table.of_kind(connection, EntryKind.POLICY, subject)), network)
    except Denied as denied:
        return denied.detail
    return ""


def _witnesses(settings: SignerSettings) -> Finding:
    """Whether each contract's newest policy has its ledger countersigned."""
    path = _ledger_path(settings)
    if not path.exists():
        return Finding("witnesses", Grade.GOOD, "no contract yet")
    try:
        with closing(_read_only(path)) as connection:
            policies = list(_newest_policies(connection))
    except sqlite3.Error as error:
        return Finding("witnesses", Grade.BAD, f"{path}: {error}", "see what the doctor says of the ledger")
    bare = [policy.contract_id[:12] for policy in policies if policy.witnesses_needed == 0]
    if bare:
        mend = "name other boxes as witnesses in the next policy: nobody notices that this ledger lost its last rows"
        return Finding("witnesses", Grade.WEAK, f"none for contract {', '.join(bare)}", mend)
    return Finding("witnesses", Grade.GOOD, f"for each of {len(policies)} contracts")


def _headers(folder: Path, signing: SigningSettings) -> Finding:
    path, mend = folder / "headers" / "headers.dat", "let the controller send headers; look at its Bitcoin node"
    count = path.stat().st_size // HEADER_BYTES if path.exists() else 0
    if not count:
        return Finding("headers", Grade.WEAK, "none came yet; every request is refused as stale", mend)
    with path.open("rb") as file:
        file.seek((count - 1) * HEADER_BYTES)
        age_s = time.time() - parse(file.read(HEADER_BYTES)).time_s
    found = f"the newest is {age_s / 3600:.1f} hours old"
    if age_s > signing.headers_behind_s:
        return Finding("headers", Grade.WEAK, found, mend)
    return Finding("headers", Grade.GOOD, found)


def _newest_policies(connection: sqlite3.Connection) -> Iterator[SpendingPolicy]:
    for subject in table.subjects(connection, EntryKind.POLICY):
        row = table.latest(connection, EntryKind.POLICY, subject)
        if row is not None:
            yield policy_of(row)


def _ledger_path(settings: SignerSettings) -> Path:
    return settings.state_directory / "ledger.db"


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
