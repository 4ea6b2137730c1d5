import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.key_origin import HARDENED, KeyOrigin
from shared.errors import BitcoinMalformed

ORIGIN = KeyOrigin(bytes.fromhex("d34db33f"), (HARDENED + 48, 1))


def test_it_is_written_as_in_a_psbt_and_as_in_a_descriptor():
    assert ORIGIN.raw.hex() == "d34db33f" + "30000080" + "01000000"
    assert str(ORIGIN) == "d34db33f/48h/1"
    assert str(KeyOrigin(bytes(4))) == "00000000"


@given(st.binary(min_size=4, max_size=4), st.lists(st.integers(0, 0xFFFFFFFF), max_size=9))
def test_it_survives_its_bytes(fingerprint, path):
    origin = KeyOrigin(fingerprint, tuple(path))
    assert KeyOrigin.parse(origin.raw) == origin


@pytest.mark.parametrize("raw", [b"", b"\x00" * 3, b"\x00" * 5, b"\x00" * 11])
def test_other_lengths_are_refused(raw):
    with pytest.raises(BitcoinMalformed, match="key origin"):
        KeyOrigin.parse(raw)
