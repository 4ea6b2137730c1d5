"""What a transaction costs the budget, where it may replace an earlier version of itself (BIP-125).

Only one version of a family can confirm if one outpoint is spent by every version. To share an outpoint with the
previous version alone is not enough: the first and the third could both confirm. So the outpoints common to all
versions are carried along, and a version that would leave none of them begins a family of its own at the full price.
"""

import sqlite3

from agent.signer.ledger import entry_table as table
from agent.signer.ledger.model import DebitBody, Spend
from shared.errors import Corrupt, WireError
from shared.wire.codec import decode


def price(connection: sqlite3.Connection, spend: Spend) -> tuple[int, DebitBody]:
    """The satoshi to debit, and the body of the debit."""
    for txid in reversed(spend.replaces):
        earlier = table.debit_of(connection, txid)
        if earlier is None or earlier.subject != spend.contract_id:
            continue
        version = newest_version(connection, body_of(earlier.body))
        common = tuple(outpoint for outpoint in version.common if outpoint in spend.outpoints)
        same_outputs = (version.external_sat, version.external_digest) == (spend.external_sat, spend.external_digest)
        if common and same_outputs:
            extra_sat = max(0, spend.fee_sat - version.family_fee_sat)
            fee_sat = max(spend.fee_sat, version.family_fee_sat)
            return extra_sat, _body(spend, version.family_txid, fee_sat, common)
    return spend.total_sat, _body(spend, spend.txid, spend.fee_sat, spend.outpoints)


def newest_version(connection: sqlite3.Connection, body: DebitBody) -> DebitBody:
    """The family as its newest version left it."""
    row = connection.execute(
        "SELECT entry.body FROM family JOIN entry ON entry.seq = family.seq WHERE family.txid = ?", (body.family_txid,)
    ).fetchone()
    if row is None:
        raise Corrupt(f"no family of transaction {body.family_txid}")
    return body_of(row[0])


def body_of(raw: bytes) -> DebitBody:
    try:
        return decode(raw, DebitBody)
    except WireError as error:
        raise Corrupt(f"the body of a debit cannot be read: {error.detail}") from error


def _body(spend: Spend, family_txid: str, family_fee_sat: int, common: tuple[str, ...]) -> DebitBody:
    return DebitBody(
        external_sat=spend.external_sat,
        external_digest=spend.external_digest,
        fee_sat=spend.fee_sat,
        outpoints=spend.outpoints,
        family_txid=family_txid,
        family_fee_sat=family_fee_sat,
        common=common,
        reserved_until_height=spend.reserved_until_height,
    )
