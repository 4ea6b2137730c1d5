"""What stands in the ledger and what is asked of it."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from shared.errors import Malformed


class EntryKind(StrEnum):
    """What a row says. The words are hashed with the row: never renamed, never reused."""

    OPENED = "opened"  # the first row: whose ledger this is
    DEBIT = "debit"  # a transaction may be signed
    REFUSAL = "refusal"
    ANSWER = "answer"  # what a request was told
    CONTRACT = "contract"  # registered
    POLICY = "policy"  # a version of a contract's policy
    FORWARD = "forward"  # the deed of a hash-rate forward
    MESSAGE = "message"  # a BIP-322 message was signed
    WITNESSED = "witnessed"  # the head of another box's ledger


class Entry(msgspec.Struct, frozen=True):
    """One row; the columns are told in schemas/0001.sql."""

    seq: int
    kind: str
    subject: str | None
    request_id: str | None
    request_digest: bytes | None
    txid: str | None
    debit_sat: int
    spent_sat: int
    height: int
    mtp_s: int
    boot_id: str
    mono_ns: int
    policy_version: int | None
    body: bytes
    previous: bytes
    digest: bytes


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A row that moves no money."""

    kind: EntryKind
    body: bytes = b""
    subject: str | None = None
    request_id: str | None = None
    request_digest: bytes | None = None
    txid: str | None = None
    policy_version: int | None = None


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that policy allows and that is to be debited before it is signed.

    `external_sat` leaves the contract, the fee not included; `external_digest` covers the external outputs in order.
    `outpoints` are all inputs as `txid:vout`. `replaces` are the txids of earlier versions (BIP-125). Until
    `reserved_until_height` no transaction outside of the family may spend the same outpoints.
    """

    contract_id: str
    request_id: str
    request_digest: bytes
    txid: str
    external_sat: int
    external_digest: bytes
    fee_sat: int
    outpoints: tuple[str, ...]
    policy_version: int
    reserved_until_height: int
    replaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.external_sat < 0 or self.fee_sat < 0:
            raise Malformed(f"transaction {self.txid}: a debit of less than nothing")
        if not self.outpoints or len(set(self.outpoints)) != len(self.outpoints):
            raise Malformed(f"transaction {self.txid}: no inputs, or one of them twice")

    @property
    def total_sat(self) -> int:
        """What leaves the contract: the fee counts as spending."""
        return self.external_sat + self.fee_sat


class DebitBody(msgspec.Struct, frozen=True, array_like=True):
    """The body of a debit. `common` are the outpoints that every version of the family `family_txid` spends;
    `family_fee_sat` is the highest fee debited for any of them.
    """

    external_sat: int
    external_digest: bytes
    fee_sat: int
    outpoints: tuple[str, ...]
    family_txid: str
    family_fee_sat: int
    common: tuple[str, ...]
    reserved_until_height: int


class OpenedBody(msgspec.Struct, frozen=True, array_like=True):
    """The body of the first row; `ledger_id` is random, so that two ledgers of one box differ from the start."""

    box_id: str
    ledger_id: bytes


class Spent(NamedTuple):
    """What a contract has spent."""

    window_sat: int
    lifetime_sat: int


class Debit(NamedTuple):
    """`fresh` is False where the same transaction was debited before: it is signed again, not debited again."""

    entry: Entry
    fresh: bool


class Head(NamedTuple):
    """The newest row of a box's ledger."""

    box_id: str
    seq: int
    digest: bytes
