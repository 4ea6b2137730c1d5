"""The benchmark runs, compares with HiGHS and counts no violation."""

from benchmarks.dispatch import NAME, run
from benchmarks.options import Options


def test_every_case_is_sound_and_has_its_yardstick() -> None:
    found = run(Options(quick=True, values={"sizes": "120", "repeats": "1"}))
    assert NAME == "dispatch"
    assert found["violations"] == 0
    cases = found["cases"]
    assert isinstance(cases, list)
    assert [case["scenario"] for case in cases] == ["tight", "mild", "dear"]
    for case in cases:
        assert abs(case["bound_minus_highs_lp_usd_h"]) < 1e-6
        assert case["gap_pct"] < 0.2
        assert case["below_highs_milp_pct"] < 0.2
        assert case["curtailed_below_highs_milp_pct"] < 2  # a leaf of six, each change of mode a whole cost
