"""Weight and fee before a signature exists.

Weights are those of BIP-141: four units a base byte, one a witness byte. Rates are satoshi per 1,000 virtual bytes, as
whole numbers, because relays ask for tenths of a satoshi per virtual byte and money is never a float.
"""

from collections.abc import Iterable

WITNESS_SCALE = 4
INPUT_BASE_WU = 41 * WITNESS_SCALE  # outpoint 36, empty script 1, sequence 4
MARKER_FLAG_WU = 2
_FRAME_BYTES = 8  # version and lock time
_AMOUNT_BYTES = 8
_KVB_WU = 1_000 * WITNESS_SCALE


def compact_size(count: int) -> int:
    """Bytes that Bitcoin's variable-length integer takes for `count`."""
    return 1 if count < 0xFD else 3 if count <= 0xFFFF else 5 if count <= 0xFFFF_FFFF else 9


def output_wu(script: bytes) -> int:
    """Weight of an output that pays to `script`."""
    return WITNESS_SCALE * (_AMOUNT_BYTES + compact_size(len(script)) + len(script))


def frame_wu(inputs: int, outputs: int) -> int:
    """Weight of a segwit transaction without its inputs and outputs, but with their counts."""
    return WITNESS_SCALE * (_FRAME_BYTES + compact_size(inputs) + compact_size(outputs)) + MARKER_FLAG_WU


def transaction_wu(inputs: int, witness_wu: int, scripts: Iterable[bytes]) -> int:
    """Weight of a transaction whose every input has an empty script and a witness of `witness_wu`."""
    outputs = list(scripts)
    return frame_wu(inputs, len(outputs)) + inputs * (INPUT_BASE_WU + witness_wu) + sum(map(output_wu, outputs))


def fee_sat(weight_wu: int, rate_sat_kvb: int) -> int:
    """The least fee that pays `rate_sat_kvb` for a transaction of this weight, whose size rounds up to vbytes."""
    vsize_vb = -(-weight_wu // WITNESS_SCALE)
    return -(-vsize_vb * rate_sat_kvb // 1_000)


def share_sat(weight_wu: int, rate_sat_kvb: int) -> int:
    """The fee of a part of a transaction; rounded up, so that the parts pay at least for the whole."""
    return -(-weight_wu * rate_sat_kvb // _KVB_WU)


def rate_sat_kvb(fee: int, weight_wu: int) -> int:
    """The rate that a fee of `fee` satoshi pays, rounded down."""
    return fee * 1_000 // -(-weight_wu // WITNESS_SCALE)
