"""Every benchmark of the edge runs, tells what it promises and finds no lie. Figures are not judged here."""

import pytest

from benchmarks.cli import measured
from benchmarks.options import Options

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def quick(name: str, **values: str) -> dict[str, object]:
    result = measured(name, Options(quick=True, values=values))
    assert result["name"] == name
    assert {"cpu", "cpus", "python", "versions", "seconds", "quick"} <= result["conditions"].keys()
    return result


def test_poll_tells_freshness_memory_and_cost():
    result = quick("poll", miners="24")
    assert 0 < result["p50_age_s"] <= result["p99_age_s"] <= result["max_age_s"]
    assert result["healthy"] > 10
    assert result["rss_mb"] > 10
    assert result["polls_per_s"] > result["pyasic_polls_per_s"] > 0
    assert result["hot_polls_per_s"] > result["polls_per_s"]
    assert result["failed_polls"] == 0


def test_truth_finds_no_lie():
    result = quick("truth")
    assert result["cells"] > 100
    assert (result["false_alive"], result["false_success"], result["lost_settings"]) == (0, 0, 0)
    assert result["outcomes"]["confirmed"] > 0


def test_curtail_tells_acknowledgement_meter_and_physics():
    result = quick("curtail")
    assert result["ordered"] == result["acknowledged"] > 0
    assert result["ack_s"] >= result["ack_p50_s"] > 0
    assert result["meter_s"] >= result["physical_min_s"] > 0
    assert result["false_confirmed"] == 0
    assert result["landed"]
    assert {"landing_error_pct", "first_error_pct", "trims"} <= result.keys()


def test_ingest_stores_each_record_once_by_the_process_that_operators_run():
    result = quick("ingest", seconds="1")
    assert result["stored_once"]
    assert result["samples_per_s"] > 0
    assert result["conditions"]["devices_known"] == result["conditions"]["miners"]
