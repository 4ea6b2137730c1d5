"""From a person's word to the site's meter at the target: a curtailment as the product itself plays it.

A person previews and confirms over REST. Dispatch in the controller process chooses the miners, orders them through
broker and agent, and goes on until the meter stands at the target. Orders and their outcomes are taken from the
product's journal; what the meter shows and what the machines do, from the simulators.
"""

import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from benchmarks.curtail_journal import Ordered, decisions, false_confirmed
from benchmarks.curtail_physics import physical_minimum_s
from benchmarks.curtail_stage import Stage, curtail_stage
from benchmarks.options import Options
from benchmarks.simulated_site import SimulatedSite
from controller.storage.sqlite.journal_log import SqliteLogFile
from hardware_sims.demo.scene import SITE
from hardware_sims.miners.machine import MachineState
from shared.clock import SystemClock
from shared.site import miner_id
from shared.states import OutcomeState

NAME = "curtail"
SETTINGS = ("miners", "warm_s", "shed_share", "rest_s", "end_s")
DEAD_SHARE, SLOW_SHARE = 0.02, 0.03
SLOW_S = 1.0  # added to every answer of a slow device
LANDED_SHARE = 0.005
_NOTICED_S = 90.0
_EVERY_S = 0.25
_VIEWED = 8  # one reading in so many is looked at through the API too
_ON_THE_WAY = frozenset({MachineState.STARTING.value, MachineState.TUNING.value})
_MEAN_S = 5.0


class Reading(NamedTuple):
    """What the site's meter shows and what it should show, at a moment of the wall clock."""

    at_ms: int
    shown_w: float
    true_w: float


class Watched(NamedTuple):
    """`asked_ms` is when the person confirmed; `before` and `after` are truths of the simulators."""

    asked_ms: int
    before_w: float
    view: dict[str, Any]
    readings: list[Reading]
    given: list[list[Ordered]]
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def target_w(self) -> float:
        return float(self.view["target_w"])


def run(options: Options) -> dict[str, object]:
    """Keys `ack_s meter_s physical_min_s landing_error_pct false_confirmed`; seconds count from the confirmation."""
    miners = options.number("miners", 1000, 24, least=1)
    warm_s = options.number("warm_s", 6.0, 1.0)
    with TemporaryDirectory(prefix="bes-curtail-") as name, curtail_stage(Path(name), miners, warm_s=warm_s) as stage:
        dead = _break_some(stage.simulated)
        stage.reporting(miners - dead, 0, _NOTICED_S)
        watched = _curtailed(stage, options)
        site_file = stage.simulated.site_file
        result = _told(watched) | _landing(watched) | _truth(watched, site_file)
    own = {"miners": miners, "dead": DEAD_SHARE, "slow": f"{SLOW_SHARE} by {SLOW_S} s an answer"}
    return result | {"conditions": own | {"selection": "by dispatch of the controller process"}}


def _break_some(simulated: SimulatedSite) -> int:
    """How many are dead now."""
    names = [miner_id(placed.mac) for placed in simulated.site.placement]
    random.Random(3).shuffle(names)
    dead_count, slow_count = max(round(len(names) * DEAD_SHARE), 1), max(round(len(names) * SLOW_SHARE), 1)
    for device_id in names[:dead_count]:
        simulated.break_device(device_id, "dead")
    for device_id in names[dead_count : dead_count + slow_count]:
        simulated.break_device(device_id, "slow", delay_s=SLOW_S)
    return dead_count


def _curtailed(stage: Stage, options: Options) -> Watched:
    before = stage.simulated.truth()
    before_w = statistics.fmean(_reading(stage).shown_w for _ in range(4))
    reduction_w = round(before_w * options.number("shed_share", 0.3, 0.3))
    preview = stage.api.post(f"/sites/{SITE}/curtailments/preview", {"reduction_w": reduction_w})
    wish = {"preview_id": preview["id"], "reason": "curtailment benchmark", "confirm": preview["confirm"]}
    asked_ms = SystemClock().now_ms()
    curtailment_id = stage.api.post(f"/sites/{SITE}/curtailments", wish)["id"]
    rest_s, end_s = options.number("rest_s", 60.0, 5.0), options.number("end_s", 900.0, 30.0)
    readings, view = _watched(stage, curtailment_id, rest_s, end_s)
    file = SqliteLogFile(stage.journal)
    try:
        given = decisions(file.events(), asked_ms)
    finally:
        file.close()
    return Watched(asked_ms, before_w, view, readings, given, before, stage.simulated.truth())


def _watched(stage: Stage, curtailment_id: str, rest_s: float, end_s: float) -> tuple[list[Reading], dict[str, Any]]:
    """The meter until the curtailment has landed, its orders have stood still for `rest_s` and no machine that they let
    up is on its way any more; `end_s` at most.
    """
    readings: list[Reading] = []
    view: dict[str, Any] = {}
    stood: object = None
    begun_s = still_s = time.monotonic()
    while time.monotonic() - begun_s < end_s:
        readings.append(_reading(stage))
        if len(readings) % _VIEWED == 1:
            view = _viewed(stage, curtailment_id)
            stands = (view["counts"], view["commands"])
            if stands != stood or view["landed_at_ms"] is None or _climbing(stage, view):
                stood, still_s = stands, time.monotonic()
        if time.monotonic() - still_s >= rest_s:
            break
        time.sleep(_EVERY_S)
    return readings, view


def _viewed(stage: Stage, curtailment_id: str) -> dict[str, Any]:
    views: list[dict[str, Any]] = stage.api.get(f"/sites/{SITE}/curtailments")
    return next(view for view in views if view["id"] == curtailment_id)


def _climbing(stage: Stage, view: dict[str, Any]) -> bool:
    """Is a machine starting or tuning after more than one round of orders?"""
    return len(view["commands"]) > 1 and not _ON_THE_WAY.isdisjoint(stage.simulated.truth()["miners"]["state"])


def _reading(stage: Stage) -> Reading:
    found = stage.simulated.device(stage.meter)
    return Reading(SystemClock().now_ms(), found["shown_w"], found["true_w"])


def _told(watched: Watched) -> dict[str, object]:
    """What the first decision ordered, and how fast it was acknowledged and confirmed."""
    first = watched.given[0] if watched.given else []
    since_ms = watched.asked_ms
    took = sorted(
        _after_s(order, OutcomeState.ACKNOWLEDGED, since_ms) for order in _with(first, OutcomeState.ACKNOWLEDGED)
    )
    sure = [_after_s(order, OutcomeState.CONFIRMED, since_ms) for order in _with(first, OutcomeState.CONFIRMED)]
    return {
        "ordered": len(first),
        "ordered_by_verb": dict(Counter(order.verb for order in first)),
        "acknowledged": len(took),
        "asked_s": round((first[0].asked_at_ms - since_ms) / 1000, 3) if first else None,
        "ack_s": took[-1] if took else None,
        "ack_p50_s": round(float(np.percentile(took, 50)), 3) if took else None,
        "ack_p95_s": round(float(np.percentile(took, 95)), 3) if took else None,
        "confirmed_s": max(sure, default=None),
        "outcomes": dict(Counter(order.end for order in first)),
        "trims": len(watched.given[1:]),
        "trim_orders": [dict(Counter(order.verb for order in orders)) for orders in watched.given[1:]],
        "trim_s": [round((orders[0].asked_at_ms - since_ms) / 1000, 1) for orders in watched.given[1:]],
    }


def _with(orders: Sequence[Ordered], state: OutcomeState) -> list[Ordered]:
    return [order for order in orders if state in order.steps]


def _after_s(order: Ordered, state: OutcomeState, since_ms: int) -> float:
    return (order.steps[state] - since_ms) / 1000


def _landing(watched: Watched) -> dict[str, object]:
    """Errors of the meter's last readings against the target; `landed` allows half a percent or one miner."""
    target_w, since_ms = watched.target_w, watched.asked_ms
    below = next((reading for reading in watched.readings if reading.shown_w <= target_w), None)
    next_ms = watched.given[1][0].asked_at_ms if watched.given[1:] else watched.readings[-1].at_ms
    first_w, last_w = _mean_w(watched.readings, next_ms), _mean_w(watched.readings, watched.readings[-1].at_ms)
    largest_w = max(watched.before["miners"]["power_w"])
    landed_ms = watched.view["landed_at_ms"]
    return {
        "meter_s": None if below is None else (below.at_ms - since_ms) / 1000,
        "landed_s": None if landed_ms is None else (landed_ms - since_ms) / 1000,
        "landing_error_pct": round((last_w / target_w - 1) * 100, 3),
        "landing_error_w": round(last_w - target_w),
        "first_error_pct": round((first_w / target_w - 1) * 100, 3),
        "landed": abs(last_w - target_w) <= max(LANDED_SHARE * target_w, largest_w),
        "meter_error_pct": round((watched.readings[-1].shown_w / watched.readings[-1].true_w - 1) * 100, 3),
        "before_w": round(watched.before_w),
        "target_w": round(target_w),
        "watched_s": round((watched.readings[-1].at_ms - since_ms) / 1000, 1),
    }


def _mean_w(readings: Sequence[Reading], until_ms: int) -> float:
    """Of the last seconds up to a moment."""
    near = [reading.shown_w for reading in readings if until_ms - _MEAN_S * 1000 <= reading.at_ms <= until_ms]
    return statistics.fmean(near or [readings[0].shown_w])


def _truth(watched: Watched, site_file: Path) -> dict[str, object]:
    miners = watched.after["miners"]
    asleep = {name for name, sleeping in zip(miners["id"], miners["sleeping"], strict=True) if sleeping}
    slept = [order.device_id for order in (watched.given[0] if watched.given else []) if order.verb == "sleep"]
    share = watched.target_w / watched.before_w
    lies = false_confirmed([order for orders in watched.given for order in orders], asleep)
    return {
        "physical_min_s": physical_minimum_s(site_file, slept, share, float(watched.before["time_s"])),
        "false_confirmed": len(lies),
        "false_confirmed_names": lies[:10],
    }
