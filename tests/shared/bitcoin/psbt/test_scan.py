import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.compact_size import compact_size
from shared.bitcoin.psbt.scan import MAGIC, MAX_PSBT_BYTES, MAX_RECORDS, scan
from shared.errors import BitcoinMalformed


def record(key: bytes, value: bytes) -> bytes:
    return compact_size(len(key)) + key + compact_size(len(value)) + value


def second(*extra: bytes, inputs: bytes = b"\x01", outputs: bytes = b"\x00") -> bytes:
    """A version 2 with one input."""
    head = record(b"\x02", bytes(4)) + record(b"\x04", inputs) + record(b"\x05", outputs)
    return MAGIC + head + b"".join(extra) + record(b"\xfb", b"\x02\0\0\0") + b"\x00"


INPUT = record(b"\x0e", bytes(32)) + record(b"\x0f", bytes(4))


def test_records_come_in_the_order_of_the_bytes():
    found = scan(second() + INPUT + record(b"\xfc\x01a", b"x") + b"\x00")
    assert found.version == 2
    assert found.tx is None
    assert list(found.inputs[0]) == [b"\x0e", b"\x0f", b"\xfc\x01a"]
    assert found.outputs == ()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "magic"),
        (b"psbt\xfe", "magic"),
        (MAGIC, "it ends at byte 5"),
        (MAGIC + b"\x00", "PSBT_GLOBAL_UNSIGNED_TX is missing"),
        (second(), "input 0: it ends"),
        (second() + b"\x00\x00", "1 bytes follow"),
        (second() + INPUT + INPUT + b"\x00", "the key 0e at byte .* stands there twice"),
        (second(record(b"\x02", bytes(4))) + b"\x00", "twice"),
        (second(inputs=b"\x00"), "no inputs"),
        (second(inputs=b"\xfd\x01\x00") + b"\x00", "not shortest"),
        (second(inputs=b"\x01\x00") + b"\x00", "1 bytes follow its end"),
        (second(inputs=b"\xfe\xff\xff\xff\xff"), "are more than"),
        (second() + b"\xfd\x01\x00\x0e\x00\x00", "not shortest"),
        (second() + b"\x01\x0e\xff" + b"\xff" * 8, "is cut off"),
        (second() + b"\x01\x0e\x20" + bytes(31), "is cut off"),
        (second() + b"\x05\x0e", "it ends at byte"),
        (MAGIC + record(b"\xfb", b"\x01\0\0\0") + b"\x00", "neither 0 nor 2"),
        (MAGIC + record(b"\xfb", b"\x02") + b"\x00", "neither 0 nor 2"),
        (MAGIC + record(b"\xfb", b"\x02\0\0\0") + b"\x00", "PSBT_GLOBAL_INPUT_COUNT is missing"),
    ],
)
def test_what_is_no_psbt_is_refused_with_its_place(raw, reason):
    with pytest.raises(BitcoinMalformed, match=reason):
        scan(raw)


def test_what_is_too_large_is_refused_before_it_is_read():
    with pytest.raises(BitcoinMalformed, match="are more than"):
        scan(MAGIC + bytes(MAX_PSBT_BYTES))
    many = b"".join(record(b"\xfc" + n.to_bytes(2, "big"), b"") for n in range(MAX_RECORDS + 1))
    with pytest.raises(BitcoinMalformed, match="more than 2000 records"):
        scan(second() + many + b"\x00")


@given(st.binary(max_size=400), st.sampled_from([b"", MAGIC, second(), second() + INPUT]))
def test_any_bytes_are_read_or_refused(tail, head):
    try:
        found = scan(head + tail)
    except BitcoinMalformed:
        return
    assert len(found.inputs) >= 1
