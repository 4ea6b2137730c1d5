"""The signing box that is measured signs what it is asked; figures are not judged here."""

import pytest

from benchmarks.cli import measured
from benchmarks.options import Options
from shared.errors import SettingInvalid


def test_box_signs_every_request_and_tells_its_pace_beside_bare_token_and_ledger():
    result = measured("box", Options(quick=True, values={"decisions": "12", "widths": "1,4"}))
    assert result["all_signed"]
    assert [case["width"] for case in result["widths"]] == [1, 4]
    assert result["decisions_per_s"] == result["widths"][1]["decisions_per_s"] > 0
    assert all(case["p99_ms"] >= case["p50_ms"] > 0 and case["cpu_us"] > 0 for case in result["widths"])
    steps = {"open", "parse", "policy", "debit", "sign", "token", "judge", "record", "seal"}
    assert result["steps_cpu_us"].keys() == result["steps_wall_us"].keys() == steps
    assert min(result[name] for name in ("hsm_signatures_per_s", "debits_per_s", "debits_together_per_s")) > 0


def test_more_at_a_time_than_a_box_takes_are_refused():
    with pytest.raises(SettingInvalid, match="512"):
        measured("box", Options(quick=True, values={"widths": "512"}))
