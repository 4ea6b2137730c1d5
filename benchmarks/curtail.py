"""From one signed order for hundreds of miners to the last acknowledgement, and to what the site's meter shows.

The order travels the product's own way: sealed envelope, broker, agent process, drivers, simulated machines. The meter
is read by the agent over Modbus. Miners are chosen by what they draw, as far as the agent has told.
"""

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from nacl.signing import SigningKey

from benchmarks.agent_process import NODE, agent_process
from benchmarks.curtail_physics import physical_minimum_s
from benchmarks.curtail_view import Candidate, View, choose
from benchmarks.options import Options
from benchmarks.process import core_pair
from benchmarks.simulated_site import SimulatedSite, simulated_site
from benchmarks.sink import Sink
from hardware_sims.broker import Mosquitto
from shared.actions import Sleep
from shared.clock import SystemClock
from shared.crypto.signing import seal
from shared.errors import GatewayUnavailable
from shared.mqtt import MqttSettings
from shared.site import miner_id
from shared.states import OutcomeState, Reach
from shared.wire.command import DOMAIN, Command, Order
from shared.wire.topics import down
from shared.wire.version import WIRE_VERSION

NAME = "curtail"
DEAD_SHARE, SLOW_SHARE = 0.02, 0.03
SLOW_S = 1.0  # added to every answer of a slow device
MARGIN = 0.001  # aimed below the target, for the noise of the meter
MARGINAL_LOSS = 1.4  # of the mean one: seven tenths are copper losses and grow with the square, the rest stands
_READY_S = 180.0
_NOTICED_S = 60.0


def run(options: Options) -> dict[str, object]:
    """Keys `ack_s meter_s physical_min_s landing_error_pct false_confirmed`; seconds count from publishing."""
    miners = options.number("miners", 1000, 40)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bes-curtail-")))
        measured, others = core_pair()
        words = ("--miners", str(miners), "--containers", str(max(miners // 250, 1)))
        simulated = stack.enter_context(simulated_site(folder, *words, cores=others))
        simulated.hurry(60.0, options.number("warm_s", 6.0, 1.0))  # until heat and watts stand still
        broker = stack.enter_context(Mosquitto())
        operator, view = SigningKey.generate(), View(simulated.site)
        sink = stack.enter_context(Sink(MqttSettings(port=broker.port), operator, view.received))
        stack.enter_context(
            agent_process(
                folder,
                simulated,
                broker_port=broker.port,
                operator=operator,
                warm_s=options.number("period_s", 5.0, 1.0),
                cores=measured,
            )
        )
        _until(view.complete, _READY_S, "every miner and outlet is read")
        dead = _break_some(simulated)
        _until(lambda: all(view.reach(name) is not Reach.UP for name in dead), _NOTICED_S, "the dead are noticed")
        result = _Curtailment(options, simulated, view, sink, operator).run()
    conditions = {
        "miners": miners,
        "measured_on_core": measured,
        "dead": DEAD_SHARE,
        "slow": f"{SLOW_SHARE} by {SLOW_S} s an answer",
        "selection": "drawn power first, by outlets and the miners' own figures",
    }
    return result | {"conditions": conditions}


def _until(done: Callable[[], bool], within_s: float, what: str) -> None:
    deadline_s = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline_s:
            raise GatewayUnavailable(f"waited {within_s:.0f} s until {what}")
        time.sleep(0.1)


def _break_some(simulated: SimulatedSite) -> list[str]:
    """Ids of those that are dead now."""
    names = [miner_id(placed.mac) for placed in simulated.site.placement]
    random.Random(3).shuffle(names)
    dead_count, slow_count = max(round(len(names) * DEAD_SHARE), 1), max(round(len(names) * SLOW_SHARE), 1)
    dead, slow = names[:dead_count], names[dead_count : dead_count + slow_count]
    for name in dead:
        simulated.break_device(name, "dead")
    for name in slow:
        simulated.break_device(name, "slow", delay_s=SLOW_S)
    return dead


class _Curtailment:
    def __init__(
        self, options: Options, simulated: SimulatedSite, view: View, sink: Sink, operator: SigningKey
    ) -> None:
        self._options = options
        self._simulated = simulated
        self._view = view
        self._sink = sink
        self._operator = operator
        self._share = options.number("shed_share", 0.3, 0.3)

    def run(self) -> dict[str, object]:
        readings = [reading.power_w for reading in self._view.meter()[-3:]]
        before_w = statistics.fmean(readings)
        target_w = before_w * (1 - self._share)
        before = self._simulated.truth()
        chosen = choose(self._view.candidates(), self._miner_reduction_w(before_w, target_w))
        sent_ms = self._send([one.device_id for one in chosen])
        end_s = time.monotonic() + self._options.number("end_s", 100.0, 5.0)
        while len(self._view.ended()) < len(chosen) and time.monotonic() < end_s:
            time.sleep(0.1)
        time.sleep(self._options.number("settle_s", 12.0, 2.0))
        after = self._simulated.truth()
        largest_w = max(one.saves_w for one in chosen)
        return (
            self._acknowledgements(sent_ms, chosen)
            | self._landing(sent_ms, before_w, target_w, largest_w)
            | self._truth(chosen, before, after, target_w / before_w)
        )

    def _miner_reduction_w(self, before_w: float, target_w: float) -> float:
        """Watts at the miners for the watts at the meter: what is lost on the way falls along."""
        site = self._simulated.site
        delivered_w = self._view.outlets_w() + sum(feeder.unmetered_w for feeder in site.feeder)
        mean_loss = max(before_w / delivered_w - 1, 0.0)
        return (before_w - target_w * (1 - MARGIN)) / (1 + MARGINAL_LOSS * mean_loss)

    def _send(self, device_ids: Sequence[str]) -> int:
        """Publish the signed command; when that was, by the wall clock that the agent shares."""
        site = self._simulated.site.id
        now_ms = SystemClock().now_ms()
        command = Command(
            version=WIRE_VERSION,
            command_id="curtail-1",
            site=site,
            node=NODE,
            counter=1,
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + 120_000,
            reason="curtailment benchmark",
            orders=tuple(Order(name, Sleep()) for name in device_ids),
        )
        self._sink.session.publish(down(site, NODE, "command"), seal(DOMAIN, command, [self._operator]))
        return now_ms

    def _acknowledgements(self, sent_ms: int, chosen: list[Candidate]) -> dict[str, object]:
        names = {one.device_id for one in chosen}
        acknowledged = self._view.at_ms(OutcomeState.ACKNOWLEDGED)
        confirmed = self._view.at_ms(OutcomeState.CONFIRMED)
        took = sorted((at_ms - sent_ms) / 1000 for name, at_ms in acknowledged.items() if name in names)
        return {
            "ordered": len(names),
            "ordered_by_family": dict(Counter(one.family for one in chosen)),
            "acknowledged": len(took),
            "ack_s": took[-1] if took else None,
            "ack_p50_s": round(float(np.percentile(took, 50)), 3) if took else None,
            "ack_p95_s": round(float(np.percentile(took, 95)), 3) if took else None,
            "confirmed_s": max(((at - sent_ms) / 1000 for at in confirmed.values()), default=None),
            "outcomes": dict(Counter(self._view.ended().get(name, "open") for name in names)),
            "not_confirmed": {name: self._view.told(name) for name in sorted(names - confirmed.keys())[:10]},
        }

    def _landing(self, sent_ms: int, before_w: float, target_w: float, largest_w: float) -> dict[str, object]:
        """Error of the meter's last readings against the target; `landed` allows half a percent or one miner."""
        since = [reading for reading in self._view.meter() if reading.observed_at_ms > sent_ms]
        below = next((reading for reading in since if reading.power_w <= target_w), None)
        last_w = statistics.fmean(reading.power_w for reading in since[-3:])
        error_w = last_w - target_w
        return {
            "meter_s": None if below is None else (below.observed_at_ms - sent_ms) / 1000,
            "meter_known_s": None if below is None else (below.arrived_at_ms - sent_ms) / 1000,
            "landing_error_pct": round(error_w / target_w * 100, 3),
            "landing_error_w": round(error_w),
            "landed": abs(error_w) <= max(0.005 * target_w, largest_w),
            "before_w": round(before_w),
            "target_w": round(target_w),
            "meter_readings": [round((r.observed_at_ms - sent_ms) / 1000, 2) for r in since[:10]],
        }

    def _truth(
        self, chosen: list[Candidate], before: dict[str, object], after: dict[str, object], power_share: float
    ) -> dict[str, object]:
        miners, time_s = after["miners"], before["time_s"]
        assert isinstance(miners, dict)
        assert isinstance(time_s, float)
        asleep = {name for name, sleeping in zip(miners["id"], miners["sleeping"], strict=True) if sleeping}
        confirmed = self._view.at_ms(OutcomeState.CONFIRMED)
        names = [one.device_id for one in chosen]
        minimum_s = physical_minimum_s(self._simulated.site_file, names, power_share, time_s)
        return {
            "physical_min_s": minimum_s,
            "false_confirmed": len(confirmed.keys() - asleep),
            "asleep_unconfirmed": len((asleep & set(names)) - confirmed.keys()),
        }
