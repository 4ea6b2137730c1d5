"""The node's answers as they come: only the fields that we read. Money is decimal bitcoin, never a float."""

from decimal import Decimal

import msgspec

from shared.bitcoin.transaction import COIN_SAT
from shared.errors import GatewayUnavailable


class ChainInfo(msgspec.Struct, frozen=True):
    chain: str
    blocks: int
    bestblockhash: str
    mediantime: int
    initialblockdownload: bool


class NetworkInfo(msgspec.Struct, frozen=True):
    version: int


class TxIndex(msgspec.Struct, frozen=True):
    synced: bool


class IndexInfo(msgspec.Struct, frozen=True):
    txindex: TxIndex | None = None


class HeaderInfo(msgspec.Struct, frozen=True):
    hash: str
    height: int
    confirmations: int
    mediantime: int


class TransactionInfo(msgspec.Struct, frozen=True):
    blockhash: str | None = None
    confirmations: int = 0


class Fees(msgspec.Struct, frozen=True):
    base: Decimal


class AcceptInfo(msgspec.Struct, frozen=True, rename={"reason": "reject-reason"}):
    txid: str
    allowed: bool | None = None
    reason: str | None = None
    vsize: int | None = None
    fees: Fees | None = None


class FeeInfo(msgspec.Struct, frozen=True):
    feerate: Decimal | None = None


class MempoolInfo(msgspec.Struct, frozen=True):
    mempoolminfee: Decimal
    minrelaytxfee: Decimal
    incrementalrelayfee: Decimal


class Unspent(msgspec.Struct, frozen=True):
    txid: str
    vout: int
    script: str = msgspec.field(name="scriptPubKey")
    amount: Decimal
    height: int
    coinbase: bool


class SpendingInfo(msgspec.Struct, frozen=True):
    spendingtxid: str | None = None


class ScanInfo(msgspec.Struct, frozen=True):
    success: bool
    height: int
    bestblock: str
    unspents: tuple[Unspent, ...]


def sat(amount_btc: Decimal) -> int:
    """Whole satoshi, or the answer is not one of a Bitcoin node."""
    amount = amount_btc * COIN_SAT
    if amount != int(amount):
        raise GatewayUnavailable(f"the node tells {amount_btc} bitcoin, which are no whole satoshi")
    return int(amount)
