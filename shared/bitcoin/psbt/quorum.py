"""The script that most coins of a treasury are spent by: k of n keys, alone or before other ways (`or_d(multi(…),…)`).

btclib can satisfy every miniscript; this reads the one that is spent a thousand times a second.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from shared.bitcoin.script import Op, Step, steps

_OPENING: Final = (Op.IF, Op.NOTIF)


class Quorum(NamedTuple):
    needed: int
    keys: tuple[bytes, ...]


@lru_cache(maxsize=4096)
def quorum(script: bytes) -> Quorum | None:
    """The quorum that satisfies the script by itself; None where the script begins in another way."""
    found = list(steps(script))
    end = next((at for at, step in enumerate(found) if step.opcode == Op.CHECKMULTISIG), None)
    if end is None or end < 3:
        return None
    needed, count = _small(found[0]), _small(found[end - 1])
    keys = tuple(step.data for step in found[1 : end - 1] if step.data is not None and len(step.data) == 33)
    if needed is None or count is None or not len(keys) == count == end - 2 or needed > count:
        return None
    return Quorum(needed, keys) if _is_whole(found[end + 1 :]) else None


def _small(step: Step) -> int | None:
    return step.opcode - Op.ONE + 1 if Op.ONE <= step.opcode <= Op.SIXTEEN else None


def _is_whole(rest: list[Step]) -> bool:
    """Nothing follows, or one IFDUP NOTIF … ENDIF that ends the script: then a quorum leaves true on the stack."""
    if not rest:
        return True
    if [step.opcode for step in rest[:2]] != [Op.IFDUP, Op.NOTIF]:
        return False
    depth = 0
    for place, step in enumerate(rest[1:], 1):
        depth += step.opcode in _OPENING
        depth -= step.opcode == Op.ENDIF
        if step.opcode == Op.ELSE and depth == 1:
            return False
        if depth == 0:
            return place == len(rest) - 1
    return False
