"""A treasury is really killed while it signs: a small run, whose figures are promises all the same."""

import pytest

from benchmarks.cli import measured
from benchmarks.options import Options

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_few_kills_lose_double_and_forget_no_signature():
    values = {"kills": "4", "seed": "8", "settle_s": "60"}
    result = measured("signing-kills", Options(quick=True, values=values))
    assert result["kills"] >= 4
    assert result["payments"] == result["confirmed"] + result["refused"] > 0
    assert (result["unpaired_signatures"], result["double_debits"], result["double_broadcasts"]) == (0, 0, 0)
    assert (result["stuck"], result["lost_signatures"], result["reused_nonces"]) == (0, 0, 0)
    assert result["audit"] is True
    assert result["sound"] is True, result
