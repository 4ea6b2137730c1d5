import pytest

from shared.bitcoin.psbt.quorum import quorum
from shared.bitcoin.script import Op, number, push
from shared.bitcoin.signature import public_key_of

KEYS = tuple(public_key_of(bytes([n]) * 32) for n in range(1, 4))
MULTI = number(2) + b"".join(map(push, KEYS)) + number(3) + bytes((Op.CHECKMULTISIG,))
OTHERWISE = bytes((Op.IFDUP, Op.NOTIF))
LATER = push(KEYS[0]) + bytes((Op.CHECKSIG,))
END = bytes((Op.ENDIF,))


@pytest.mark.parametrize(
    "script",
    [MULTI, MULTI + OTHERWISE + LATER + END, MULTI + OTHERWISE + bytes((Op.IF,)) + LATER + END + END],
)
def test_a_quorum_that_suffices_is_found(script):
    found = quorum(script)
    assert found is not None
    assert (found.needed, found.keys) == (2, KEYS)


@pytest.mark.parametrize(
    "script",
    [
        b"",
        b"\x51",
        LATER,
        MULTI[:-1],
        MULTI[1:],
        number(4) + MULTI[1:],
        MULTI + bytes((Op.VERIFY,)) + LATER,
        MULTI + OTHERWISE + LATER + END + bytes((Op.SWAP,)) + LATER + bytes((Op.BOOLAND,)),
        MULTI + OTHERWISE + LATER,
        MULTI + OTHERWISE + LATER + bytes((Op.ELSE,)) + LATER + END,
        number(2) + b"".join(map(push, KEYS)) + number(2) + bytes((Op.CHECKMULTISIG,)),
    ],
)
def test_what_asks_for_more_is_left_to_the_satisfier(script):
    assert quorum(script) is None
