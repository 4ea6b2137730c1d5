"""What Bitcoin Core 29 relays though consensus would allow more: forms of transactions, outputs and witnesses."""

from collections.abc import Sequence

from hardware_sims.chain.refusal import TransactionRefused
from hardware_sims.chain.script_type import pushes, script_type
from shared.bitcoin.script import dust_sat
from shared.bitcoin.transaction import MAX_MONEY_SAT, OutPoint, Transaction, TxOut

MAX_WEIGHT_WU = 400_000
_LEAST_BYTES = 65  # 64 would be mistaken for an inner node of the Merkle tree
_MOST_SCRIPT_SIG_BYTES = 1_650
_MOST_DATA_BYTES = 83
_VERSIONS = (1, 2, 3)
_MOST_DUST_OUTPUTS = 1
_NULL_TXID = "00" * 32
_MOST_WITNESS_SCRIPT_BYTES = 3_600
_MOST_WITNESS_ITEMS = 100
_MOST_ITEM_BYTES = 80
_ANNEX, _TAPSCRIPT, _LEAF_MASK = 0x50, 0xC0, 0xFE
_NOT_SPENDABLE_BY_RELAY = ("nonstandard", "nulldata", "witness_unknown")


def check_form(tx: Transaction) -> None:
    """What consensus asks of a transaction by itself."""
    if not tx.outputs:
        raise TransactionRefused("bad-txns-vout-empty")
    if 4 * len(tx.base) > 4_000_000:
        raise TransactionRefused("bad-txns-oversize")
    if tx.output_sat > MAX_MONEY_SAT:
        raise TransactionRefused("bad-txns-txouttotal-toolarge")
    if len({one.outpoint for one in tx.inputs}) != len(tx.inputs):
        raise TransactionRefused("bad-txns-inputs-duplicate")
    if is_coinbase(tx):
        raise TransactionRefused("coinbase")
    if any(_is_null(one.outpoint) for one in tx.inputs):
        raise TransactionRefused("bad-txns-prevout-null")


def is_coinbase(tx: Transaction) -> bool:
    return len(tx.inputs) == 1 and _is_null(tx.inputs[0].outpoint)


def check_standard(tx: Transaction) -> None:
    """What relay asks of a transaction by itself."""
    if tx.version not in _VERSIONS:
        raise TransactionRefused("version")
    if tx.weight_wu > MAX_WEIGHT_WU:
        raise TransactionRefused("tx-size")
    for one in tx.inputs:
        if len(one.script_sig) > _MOST_SCRIPT_SIG_BYTES:
            raise TransactionRefused("scriptsig-size")
        if pushes(one.script_sig) is None:
            raise TransactionRefused("scriptsig-not-pushonly")
    _check_outputs(tx.outputs)
    if len(tx.base) < _LEAST_BYTES:
        raise TransactionRefused("tx-size-small")


def check_spending(tx: Transaction, spent: Sequence[TxOut]) -> None:
    """What relay asks of inputs together with what they spend."""
    for output in spent:
        if script_type(output.script) in _NOT_SPENDABLE_BY_RELAY:
            raise TransactionRefused("bad-txns-nonstandard-inputs")
    for one, output in zip(tx.inputs, spent, strict=True):
        if one.witness and not _witness_is_standard(one.script_sig, one.witness, output.script):
            raise TransactionRefused("bad-witness-nonstandard")


def dust_outputs(tx: Transaction) -> tuple[int, ...]:
    """The outputs of less than it would cost to spend them."""
    return _dust(tx.outputs)


def check_dust(tx: Transaction, fee_sat: int) -> None:
    """Dust passes alone where the transaction pays no fee, so that nobody mines it without the child that spends it."""
    if fee_sat and dust_outputs(tx):
        raise TransactionRefused("dust", "tx with dust output must be 0-fee")


def _dust(outputs: Sequence[TxOut]) -> tuple[int, ...]:
    return tuple(at for at, output in enumerate(outputs) if output.amount_sat < dust_sat(output.script))


def _check_outputs(outputs: Sequence[TxOut]) -> None:
    data_outputs = 0
    for output in outputs:
        kind = script_type(output.script)
        if kind == "nonstandard" or (kind == "nulldata" and len(output.script) > _MOST_DATA_BYTES):
            raise TransactionRefused("scriptpubkey")
        data_outputs += kind == "nulldata"
    if len(_dust(outputs)) > _MOST_DUST_OUTPUTS:
        raise TransactionRefused("dust")
    if data_outputs > 1:
        raise TransactionRefused("multi-op-return")


def _witness_is_standard(script_sig: bytes, witness: tuple[bytes, ...], script: bytes) -> bool:
    kind = script_type(script)
    if kind == "anchor":
        return False
    if kind == "scripthash":
        redeem = (pushes(script_sig) or (b"",))[-1]
        kind = script_type(redeem)
    if kind == "witness_v0_scripthash":
        *items, witness_script = witness
        return (
            len(witness_script) <= _MOST_WITNESS_SCRIPT_BYTES
            and len(items) <= _MOST_WITNESS_ITEMS
            and all(len(item) <= _MOST_ITEM_BYTES for item in items)
        )
    if kind == "witness_v1_taproot":
        return _taproot_witness_is_standard(witness)
    return kind in ("witness_v0_keyhash", "witness_unknown")


def _taproot_witness_is_standard(witness: tuple[bytes, ...]) -> bool:
    if len(witness) >= 2 and witness[-1][:1] == bytes((_ANNEX,)):
        return False
    if len(witness) < 2:
        return True
    *items, _script, control = witness
    is_tapscript = bool(control) and control[0] & _LEAF_MASK == _TAPSCRIPT
    return bool(control) and (not is_tapscript or all(len(item) <= _MOST_ITEM_BYTES for item in items))


def _is_null(outpoint: OutPoint) -> bool:
    return outpoint.txid == _NULL_TXID and outpoint.vout == 0xFFFFFFFF
