"""BIP-370, "Determining Lock Time", as a property beside its vectors."""

from hypothesis import given
from hypothesis import strategies as st

from shared.bitcoin.psbt.lock_time import lock_time
from shared.errors import BitcoinMalformed

times = st.none() | st.integers(500_000_000, 0xFFFFFFFF)
heights = st.none() | st.integers(1, 499_999_999)


@given(st.lists(st.tuples(times, heights), max_size=6), st.none() | st.integers(0, 0xFFFFFFFF))
def test_the_lock_time_satisfies_every_input_that_names_one(required, fallback):
    naming = [pair for pair in required if pair != (None, None)]
    try:
        found = lock_time(required, fallback)
    except BitcoinMalformed:
        assert any(height is None for _, height in naming)
        assert any(time is None for time, _ in naming)
        return
    if not naming:
        assert found == (fallback or 0)
    elif found < 500_000_000:
        assert all(height is not None and height <= found for _, height in naming)
    else:
        assert any(height is None for _, height in naming)
        assert all(time is not None and time <= found for time, _ in naming)
