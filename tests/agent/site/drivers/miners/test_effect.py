"""When an uptime proves a restart, and when it proves nothing."""

import pytest

from agent.site.devices.reading import MinerReading
from agent.site.drivers.miners.effect import Before, process_restarted, system_restarted

DAY_S = 86_400


@pytest.mark.parametrize(
    ("then_s", "now_s", "passed_s", "restarted"),
    [
        (DAY_S, DAY_S + 60, 60, False),
        (DAY_S, 20, 60, True),
        (30, 40, 60, True),  # young before, younger than the time since now
        (DAY_S, DAY_S, 60, None),  # stands still: the device repeats an old answer
        (10, 10, 60, None),
        (DAY_S, DAY_S, 2, False),  # too soon to tell standing from running
        (100, 130, 45, False),  # a firmware that renews its figures every half minute is no restart
        (DAY_S, None, 60, None),
        (None, 20, 60, None),
    ],
)
def test_restart_by_uptime(then_s, now_s, passed_s, restarted):
    before = Before(1_000.0, MinerReading(uptime_s=then_s, mining_uptime_s=then_s))
    now = MinerReading(uptime_s=now_s, mining_uptime_s=now_s)
    assert system_restarted(before, now, 1_000.0 + passed_s) is restarted
    assert process_restarted(before, now, 1_000.0 + passed_s) is restarted


def test_without_a_look_before_nothing_is_proven():
    assert system_restarted(None, MinerReading(uptime_s=3), 1_000.0) is None
