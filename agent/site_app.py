"""Wires a mining site together; the only place where its adapters are chosen."""

import asyncio
import signal
from contextlib import suppress

from nacl.signing import SigningKey

from agent.health.clock_quality import synchronised
from agent.node import Gauges, NodeHealth, identity, keys, spool_of, uplink_of
from agent.settings import SiteSettings
from agent.silence import Silence
from agent.site.autonomy.plan import Autonomy, PlanWindow
from agent.site.commands import CommandService
from agent.site.commands.context import Context
from agent.site.commands.door import Door
from agent.site.commands.ledger import Ledger
from agent.site.commands.outcome import Outcomes
from agent.site.commands.pace import Pace
from agent.site.commands.trusted_time import TrustedTime
from agent.site.devices.image import ProcessImage
from agent.site.discovery.finder import Finder, Hooks
from agent.site.discovery.record import never_read
from agent.site.metering import Chain, Metering, Terms
from agent.site.roster import Roster
from agent.site.safety import Interlocks
from agent.site.telemetry.cycle import Cycle
from agent.site.telemetry.inventory import Inventories
from agent.site.telemetry.live import Live
from agent.site.telemetry.poller import Poller
from agent.site.telemetry.schedule import Periods
from agent.site.telemetry.surroundings import Surroundings
from agent.site.telemetry.telling import SPOOL
from agent.site.telemetry.watch import silent_after_s
from agent.site_file import site_of
from agent.storage import Storage
from shared.clock import SystemClock
from shared.config.settings import state_folder
from shared.crypto.keys import parse_public
from shared.errors import StorageError
from shared.log import get_logger
from shared.site import miner_id
from shared.states import Reach
from shared.watchdog import Watchdog
from shared.wire.codec import decode, encode
from shared.wire.event import Event
from shared.wire.record import RecordKind
from shared.wire.telemetry import HostSample

LEDGER = "ledger"

log = get_logger("agent.site")


class SiteApp:
    """Everything of one site; `run` ends when it is cancelled or told by a signal."""

    def __init__(self, settings: SiteSettings) -> None:
        state_folder(settings.state_directory)
        self.settings = settings
        self.clock = clock = SystemClock()
        self.site = site_of(settings)
        self.time = TrustedTime(clock, synchronised)
        self.spool = spool_of(settings, clock)
        self.ledger = Ledger(settings.state_directory / "commands.db")
        self.inventories = Inventories(self.site, clock)
        self.roster = Roster(self.inventories.changed)
        self.live = Live(map(never_read, self.site.placement))
        self.interlocks = Interlocks(self.site)
        self.poller = Poller(self.roster, self.live, clock, self._periods(), in_flight=settings.polling.in_flight)
        self.outcomes = Outcomes(
            lambda batch, rows: self.spool.append(RecordKind.RESULT, batch, rows), self.ledger, clock
        )
        self.commands = self._commands()
        self.node, key = identity(settings, "site")
        handlers = {"command": self.commands.command_received, "policy": self.commands.plan_received}
        self.uplink = uplink_of(settings, self.node, self.spool, handlers, clock)
        self.silence = Silence(lambda: self.uplink.counters.news, clock)
        self.health = NodeHealth(settings, clock)
        self.watchdog = Watchdog()
        self.metering = self._metering(key)
        self.cycle = self._cycle()
        telling, parts = self.cycle.telling, {LEDGER: self._open_ledger, SPOOL: self.spool.open}
        self.storage = Storage(parts, telling.failed, telling.recovered)
        hooks = Hooks(poll=self.poller.add, tell=self.cycle.telling.add, reachable=self._reachable, lessons=self.ledger)
        self.finder = Finder(settings, self.site, self.roster, hooks, clock)

    async def run(self) -> None:
        await self.storage.open()
        await self.uplink.start()
        self.watchdog.ready()
        log.info("site.started", site=self.site.id, node=self.node.name, miners=len(self.site.placement))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.storage.run())
                parts = (self.poller.run(), self.finder.run(), self.cycle.run(), self.outcomes.run())
                for part in (*parts, self.commands.upkeep(), self.metering.run()):
                    group.create_task(part)
        finally:
            self.watchdog.stopping()
            await self.commands.aclose()
            await self.uplink.stop()
            await self.roster.aclose()
            with suppress(StorageError, OSError):
                await self.spool.close()
            self.ledger.close()

    async def _open_ledger(self) -> None:
        self.ledger.open()
        self.commands.resume()
        self.cycle.resume(self.ledger.standing_alarms(), self._expected())
        self.metering.resume(decode(body, Chain) for body in self.ledger.energy_chains())

    def _commands(self) -> CommandService:
        settings = self.settings
        door = Door(
            settings.site, settings.node, keys(settings.operators), keys(settings.approvers), self.ledger, self.time
        )
        context = Context(
            roster=self.roster,
            live=self.live,
            interlocks=self.interlocks,
            outcomes=self.outcomes,
            clock=self.clock,
            image=lambda: self.cycle.image,
            image_after=self._image_after,
            heat=self.poller.heat,
            now_ms=self.time.now_ms,
            keep=self.ledger.keep_replaced,
        )
        pace = Pace(self.site.safety.max_orders_per_minute, self.clock)
        return CommandService(door, self.ledger, context, self.time, pace, self._expected())

    def _expected(self) -> list[str]:
        """The devices of the site's file."""
        instruments = (*self.site.pdu, *self.site.meter)
        return [miner_id(placed.mac) for placed in self.site.placement] + [each.id for each in instruments]

    async def _image_after(self, monotonic_s: float) -> None:
        await self.cycle.image_after(monotonic_s)

    def _cycle(self) -> Cycle:
        surroundings = Surroundings(
            store=self.spool.append,
            urgent=self.uplink.urgent,
            obey=self.commands.submit_local,
            plan=self._plan_window,
            silent_s=self.silence.lasts_s,
            trusted_ms=self.time.now_ms,
            host=self._host_sample,
            inventory=lambda: self.inventories.due(self.roster.records),
            inventory_told=self.inventories.told,
            latest=self.uplink.latest,
            alive=self.watchdog.alive,
            boot_id=self.node.boot_id,
            keep_standing=self.ledger.keep_standing,
            silent_after_s=silent_after_s(self.settings.polling.warm_s),
            metered=self._metered,
        )
        autonomy = Autonomy(self.site.safety.fallback_cap_w, self.settings.silence_s)
        return Cycle(self.live, self.interlocks, autonomy, surroundings, self.clock, self.settings.cycle_s)

    def _metering(self, key: SigningKey) -> Metering:
        claims = self.settings.energy_claims
        terms = None
        if claims is not None:
            owner = parse_public(claims.owner_key).to_curve25519_public_key()
            terms = Terms(self.site.id, claims.interval_s, owner)
        return Metering(terms, key, self._keep_chain, self._tell)

    async def _keep_chain(self, chain: Chain) -> None:
        await self.ledger.keep_energy_chain(chain.meter, encode(chain))

    def _tell(self, event: Event) -> None:
        self.cycle.telling.add(event)

    def _metered(self, image: ProcessImage) -> None:
        self.metering.observe(image, self.time.now_ms())

    def _periods(self) -> Periods:
        polling = self.settings.polling
        return Periods(hot_s=polling.hot_s, warm_s=polling.warm_s, full_every_s=polling.full_every_s)

    def _plan_window(self) -> PlanWindow | None:
        plan = self.commands.plan
        if plan is None:
            return None
        return PlanWindow(plan.valid_from_ms, plan.valid_until_ms, plan.intervals, plan.shed_order, plan.fallback_cap_w)

    async def _host_sample(self, image: ProcessImage, cycle_ms: float) -> HostSample:
        reaches = [state.reach for state in image.miners.values()]
        reaches += [state.reach for state in image.meters.values()] + [state.reach for state in image.pdus.values()]
        gauges = Gauges(
            loop_lag_ms=self.cycle.lag_ms,
            cycle_ms=cycle_ms,
            devices_up=reaches.count(Reach.UP),
            devices_known=len(self.roster),
        )
        return self.health.sample(await self.spool.stats(), gauges)

    def _reachable(self, device_id: str) -> bool:
        image = self.cycle.image
        state = image.miners.get(device_id) or image.meters.get(device_id) or image.pdus.get(device_id)
        return state is not None and state.reach is Reach.UP


async def run(settings: SiteSettings) -> None:
    """Run a site until SIGTERM or SIGINT."""
    app = SiteApp(settings)
    running = asyncio.create_task(app.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        log.info("site.stopped")
