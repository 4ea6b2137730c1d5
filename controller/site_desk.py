"""One site at work: its dispatch loop, what wakes it, and the plan that the site keeps for when we are gone."""

import asyncio
from typing import NamedTuple

import numpy as np

from controller.commands import Actor, CommandService, Origin, PlanRequest
from controller.mining.dispatch.ports import Prices
from controller.mining.dispatch.service import DispatchPorts, DispatchService, DispatchSettings
from controller.mining.fleet.ladder import Idle
from shared.clock import Clock
from shared.errors import BesError, GatewayUnavailable
from shared.log import get_logger
from shared.wire.telemetry import TelemetryBatch

PLAN_HOURS = 24
HOUR_MS = 3_600_000
_LEAST_THS = 1e-3
_PAUSE_S = 1.0
PLANNER = Actor(name="planner", origin=Origin.DISPATCH)

log = get_logger("controller.site")


class _Plan(NamedTuple):
    """What a node was told last to do by itself."""

    cap_w: int | None
    shed_order: tuple[str, ...]


class SiteDesk:
    """`dispatch` decides; `tick` is called every second, `renew_plan` now and then."""

    def __init__(
        self, site: str, ports: DispatchPorts, settings: DispatchSettings, commands: CommandService, clock: Clock
    ) -> None:
        self.site = site
        self.dispatch = DispatchService(site, ports, settings)
        self._twin = ports.twin
        self._prices: Prices = ports.prices
        self._caps = ports.caps
        self._commands = commands
        self._clock = clock
        self._seen: tuple[object, ...] = ()
        self._plans: dict[str, tuple[_Plan, int]] = {}

    async def run(self) -> None:
        """Dispatch for ever; a loop that ends by a bug is logged and begins again."""
        while True:
            try:
                await self.dispatch.run()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("dispatch.bug", site=self.site)
                await asyncio.sleep(_PAUSE_S)

    def telemetry_arrived(self, batch: TelemetryBatch) -> None:
        """Readings of miners may change what is best; dispatch itself keeps its pace."""
        if batch.miners.device_id and self._described():
            self.dispatch.notify("telemetry")

    async def tick(self) -> None:
        """Notice a new price or cap."""
        if not self._described():
            return
        now_ms = self._clock.now_ms()
        try:
            price = self._prices.current(now_ms).energy_usd_mwh
        except GatewayUnavailable:
            price = None
        caps = tuple(sorted(self._caps.caps_w(self.site, now_ms).items()))
        if (price, caps) != self._seen:
            self._seen = (price, caps)
            self.dispatch.notify("price or cap", urgent=True)

    async def renew_plan(self, nodes: tuple[str, ...], feeder: str) -> None:
        """Tell every node of the site what holds when nobody talks to it: today's cap, and who is shed first.

        A node that has been told the same is told again after half of the plan's validity.
        """
        now_ms = self._clock.now_ms()
        plan = _Plan(self._caps.caps_w(self.site, now_ms).get(feeder), self._shed_order())
        for node in nodes:
            standing, told_ms = self._plans.get(node, (None, 0))
            if standing != plan or now_ms - told_ms >= PLAN_HOURS * HOUR_MS // 2:
                await self._tell(node, plan, now_ms)

    async def _tell(self, node: str, plan: _Plan, now_ms: int) -> None:
        request = PlanRequest(
            site=self.site,
            node=node,
            valid_from_ms=now_ms,
            valid_until_ms=now_ms + PLAN_HOURS * HOUR_MS,
            intervals=((now_ms, plan.cap_w),),
            shed_order=plan.shed_order,
        )
        try:
            await self._commands.issue_plan(request, actor=PLANNER)
        except BesError as error:
            log.warning("plan.not-issued", site=self.site, node=node, code=error.code, detail=error.detail)
        else:
            self._plans[node] = (plan, now_ms)

    def _described(self) -> bool:
        """Has a node told what this site is?"""
        return self.site in self._twin.sites

    def _shed_order(self) -> tuple[str, ...]:
        """Miners that can be idled, the most watts for a terahash first; empty before the first decision."""
        cycle = self.dispatch.last
        if cycle is None:
            return ()
        roster, ladders = cycle.snapshot.roster, cycle.snapshot.roster.ladders
        j_per_th = ladders.power_w[-1] / np.maximum(ladders.hashrate_ths[-1], _LEAST_THS)
        order = np.argsort(-j_per_th, kind="stable")
        return tuple(roster.device_id[row] for row in order if ladders.idle[row] != Idle.NONE)
