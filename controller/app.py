"""Wires the controller together; the only place where its adapters are chosen."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import FastAPI
from prometheus_client.core import Metric

from controller import first_sign_in
from controller.api.app import build
from controller.clockwork import Clockwork
from controller.commands import (
    EFFECT_KIND,
    AuthorityPolicy,
    CommandKeeper,
    CommandKeys,
    CommandService,
    Delivery,
    OutcomeInbox,
)
from controller.console.app import mount
from controller.contracts.proofs import EnergySlots
from controller.fleet import AlarmDesk, FleetService
from controller.gateways.mqtt import MqttGateway, probe
from controller.gateways.prices import Hashprice, NoPrices, SeriesPrices, load_series, synthetic_day
from controller.heartbeat import Heartbeat, Signs
from controller.ingest import Audience, InboxItem, InboxRoute, Ingest, Refused
from controller.journal import Dispatcher, HeadSchedule, Journal
from controller.metrics import Exposition, Sources
from controller.mining.dispatch.pending import Patience
from controller.mining.dispatch.service import DispatchPorts, DispatchSettings
from controller.mining.energy import CurtailmentLedger
from controller.mining.fleet import FleetTwin
from controller.operations import LiveOperations, Services
from controller.operations.decision_book import DecisionBook
from controller.own_alarms import BROKER_UNFIT, NOT_STORING, RECOVERY_DUE, REFUSED, OwnAlarms
from controller.people.service import People
from controller.power_door import DispatchOrders
from controller.registry import Registry
from controller.retention import HOUR_UTC, Retention, Stores
from controller.settings import ControllerSettings, PriceFeed
from controller.site_desk import SiteDesk
from controller.storage.sqlite.journal import SqliteJournal
from controller.storage.sqlite.journal_outbox import SqliteOutbox
from controller.storage.sqlite.people import SqlitePeople
from controller.storage.sqlite.relations import SqliteRelations
from controller.storage.sqlite.relations_event import SqliteEvents
from controller.storage.sqlite.relations_upkeep import RelationsUpkeep
from controller.storage.sqlite.telemetry_reader import TelemetryReader
from controller.storage.sqlite.telemetry_store import SqliteTelemetry
from controller.storage.sqlite.telemetry_upkeep import Retention as SampleRetention
from controller.storage.sqlite.telemetry_upkeep import TelemetryUpkeep
from controller.treasury import Treasury
from controller.treasury.metrics import families
from controller.web_server import WebServer
from shared.clock import SystemClock
from shared.config.settings import state_folder
from shared.crypto.keys import load_or_create
from shared.errors import GatewayError
from shared.log import get_logger
from shared.mqtt import Message
from shared.watchdog import Watchdog
from shared.wire.event import EventBatch, Inventory
from shared.wire.record import GapBatch, RecordKind
from shared.wire.telemetry import TelemetryBatch

PLAN_EVERY_S = 300.0
REFRESH_EVERY_S = 2.0
CLIENT_ID = "bes-controller"

log = get_logger("controller")


class ControllerApp:
    """Everything of one controller; `run` serves until it is cancelled."""

    def __init__(self, settings: ControllerSettings) -> None:
        folder = settings.state_directory
        state_folder(folder)
        self.settings = settings
        self.clock = clock = SystemClock()
        self.telemetry = SqliteTelemetry(folder / "telemetry.db")
        self.journal_file = SqliteJournal(folder / "journal.db")
        self.relations = SqliteRelations(folder / "controller.db")
        self.events = SqliteEvents(folder / "controller.db")
        self.people_file = SqlitePeople(folder / "people.db")
        self.keys = CommandKeys(load_or_create(folder / "command.key"), load_or_create(folder / "approval.key"))
        self.journal = Journal(self.journal_file, clock)
        self.alarms = AlarmDesk(self.relations, self.journal, clock)
        self.fleet = FleetService(self.relations, self.alarms, clock)
        policy = AuthorityPolicy()
        self.commands = CommandService(self.journal, self.fleet, self.keys, clock, policy)
        self.outcomes = OutcomeInbox(self.journal, self.commands)
        self.keeper = CommandKeeper(self.journal, self.commands, self.journal_file, clock)
        self.twin = FleetTwin(clock)
        self.registry = Registry(self.fleet, self.twin, EnergySlots(self.journal, self.fleet))
        self.ledger = CurtailmentLedger()
        self.prices = prices_of(settings.prices, clock.now_ms())
        self.people = People(self.people_file, clock)
        self.upkeep = self._upkeep()
        self.outbox = SqliteOutbox(self.journal_file)
        stores = Stores(RelationsUpkeep(self.relations), self.upkeep, self.outbox, self.people)
        self.retention = Retention(stores, settings.keep, clock)
        self.own_alarms = OwnAlarms(self.alarms, settings.sites, clock)
        self.decisions = DecisionBook(self.journal, self.own_alarms.judge_at)
        self.desks = {site: self._desk(site) for site in settings.sites}
        self.commands.holds.listen(self._hold_changed)
        self.operations = LiveOperations(
            Services(
                clock=clock,
                twin=self.twin,
                fleet=self.fleet,
                alarms=self.alarms,
                events=self.events,
                commands=self.commands,
                journal=self.journal,
                telemetry=TelemetryReader(self.telemetry),
                prices=self.prices,
                ledger=self.ledger,
                dispatch={site: desk.dispatch for site, desk in self.desks.items()},
                decisions=self.decisions,
                policy=policy,
            )
        )
        self.gateway = MqttGateway(settings.mqtt, CLIENT_ID, self.keys.command, self._deliver, settings.sites)
        self.treasury = self._treasury()
        self.ingest = Ingest(self.telemetry, self.gateway, self._audience(), clock=clock)
        self.ingest.on_trouble = partial(self.own_alarms.judge, NOT_STORING)
        self.ingest.consumer.on_refused = self._record_refused
        self.web = WebServer(settings.web)
        self.watchdog = Watchdog()

    async def run(self) -> None:
        """Open what is stored, then the broker, then the doors for people; close them the other way round."""
        async with AsyncExitStack() as stack:
            await self._open(stack)
            async with asyncio.TaskGroup() as group:
                for part in self._parts():
                    group.create_task(part)

    def apply(self, site: str, node: str, batch: TelemetryBatch) -> None:
        """A sink of ingest: the twin first, then those who live on it."""
        self.twin.apply(site, node, batch)
        desk = self.desks.get(site)
        if desk is not None:
            desk.telemetry_arrived(batch)

    def _hold_changed(self, site: str) -> None:
        if site in self.desks:
            self.desks[site].dispatch.notify("operator")

    async def _open(self, stack: AsyncExitStack) -> None:
        self.web.open()
        stack.callback(self.web.close)
        for store in (self.telemetry, self.journal_file, self.relations, self.events, self.people_file):
            await stack.enter_async_context(store)
        await self.fleet.restore()
        self.registry.restore()
        await self.keeper.restore()
        await self.operations.restore(self.settings.sites)
        if self.treasury is not None:
            await self.treasury.restore()
            stack.push_async_callback(self.treasury.aclose)
        await first_sign_in.begin(self.settings.state_directory, self.people)
        await self.ingest.start()
        stack.push_async_callback(self.ingest.stop)
        stack.callback(self.gateway.stop)
        clockwork = self._clockwork()
        clockwork.start()
        stack.callback(clockwork.stop)

    def _parts(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the controller does."""
        delivery = Delivery(self.gateway, self.clock)
        return [
            self._connect(),
            self.own_alarms.run(),
            self.keeper.run(),
            Dispatcher(self.journal, self.outbox, EFFECT_KIND, delivery.deliver, self.clock, delivery.abandon).run(),
            HeadSchedule(self.journal, self.keys.command).run(),
            self.upkeep.run(),
            *(desk.run() for desk in self.desks.values()),
            *(self.treasury.parts() if self.treasury is not None else ()),
            self.web.run(self._application()),
            self._live(),
        ]

    async def _connect(self) -> None:
        """Ask the broker what it can be trusted with, if it is there; then talk to it, whatever it is like.

        Not both at once: a broker that knows us by our certificate takes two sessions for one.
        """
        try:
            report = await asyncio.to_thread(probe, self.settings.mqtt)
        except GatewayError as error:
            log.warning("broker.not-tested", code=error.code, detail=error.detail)
        else:
            log.info("broker.tested", latency_ms=report.latency_ms, window=report.window, problems=report.problems)
            self.own_alarms.judge(BROKER_UNFIT, "; ".join(report.problems))
        self.gateway.start()

    async def _live(self) -> None:
        """Ready once requests are answered; alive as long as the threads get on."""
        await self.web.serving.wait()
        log.info("controller.started", console=f"{self.web.address}/console")
        signs = Signs(self.ingest.busy_s, self.journal_file.committer.ping)
        await Heartbeat(self.watchdog, signs).run()

    def _application(self) -> FastAPI:
        secure = self.settings.web.https
        metrics = Exposition(
            Sources(
                operations=self.operations.ports,
                ingest=self.ingest,
                mqtt=self.gateway.session,
                waiting=self.outbox.waiting,
                treasury=self._treasury_families,
            )
        )
        desk = None if self.treasury is None else self.treasury.desk
        forwards = None if self.treasury is None else self.treasury.forward_desk
        executions = None if self.treasury is None else self.treasury.execution_desk
        app = build(
            self.operations.ports,
            self.people,
            metrics=metrics,
            treasury=desk,
            forwards=forwards,
            executions=executions,
            secure_cookies=secure,
        )
        mount(app, self.operations.ports, self.people, treasury=desk, forwards=forwards, secure_cookies=secure)
        return app

    def _clockwork(self) -> Clockwork:
        clockwork = Clockwork()
        clockwork.every(1.0, "curtailments", self.operations.watch)
        clockwork.every(REFRESH_EVERY_S, "people", self.people.refresh)
        clockwork.nightly(HOUR_UTC, "retention", self.retention.run)
        for desk in self.desks.values():
            clockwork.every(1.0, f"tick-{desk.site}", desk.tick)
            clockwork.every(PLAN_EVERY_S, f"plan-{desk.site}", self._plan_job(desk))
        return clockwork

    def _plan_job(self, desk: SiteDesk) -> Callable[[], Awaitable[None]]:
        async def renew() -> None:
            site = self.fleet.site(desk.site)
            if site is not None:
                root = next(feeder.id for feeder in site.feeder if feeder.parent is None)
                await desk.renew_plan(tuple(node.node for node in self.fleet.nodes(desk.site)), root)

        return renew

    def _desk(self, site: str) -> SiteDesk:
        wanted = self.settings.dispatch
        ports = DispatchPorts(
            twin=self.twin,
            prices=self.prices,
            caps=self.ledger,
            holds=self.commands.holds,
            orders=DispatchOrders(self.commands),
            decisions=self.decisions,
            clock=self.clock,
        )
        patience = Patience(confirm_s=wanted.confirm_s, dwell_s=wanted.dwell_s, disobeyed_s=wanted.disobeyed_s)
        settings = DispatchSettings(automatic=wanted.automatic, min_interval_s=wanted.min_interval_s, patience=patience)
        return SiteDesk(site, ports, settings, self.commands, self.clock)

    def _upkeep(self) -> TelemetryUpkeep:
        keep = self.settings.keep
        days = SampleRetention(sample_days=keep.sample_days, five_minute_days=keep.five_minute_days)
        return TelemetryUpkeep(self.telemetry, days, self.clock)

    def _audience(self) -> Audience:
        routes = {
            RecordKind.EVENT: InboxRoute(EventBatch, self.registry.handle_events),
            RecordKind.GAP: InboxRoute(GapBatch, self.registry.handle_gaps),
            RecordKind.INVENTORY: InboxRoute(Inventory, self.registry.handle_inventory),
            RecordKind.RESULT: InboxRoute(self.outcomes.message, self.outcomes.handle),
        }
        packets = None if self.treasury is None else self.treasury.post.arrived
        online = self.commands.node_returned
        return Audience((self, self.operations.hosts), self.fleet, routes, online=online, packets=packets)

    def _treasury_families(self) -> Iterable[Metric]:
        return () if self.treasury is None else families(self.treasury, self.clock.now_ms())

    def _treasury(self) -> Treasury | None:
        if self.settings.treasury is None:
            return None
        key = self.keys.command
        made = Treasury(self.settings.treasury, self.journal, self.outbox, self.gateway, key, self.clock)
        made.on_recovery_due = partial(self.own_alarms.judge, RECOVERY_DUE)
        return made

    def _record_refused(self, item: InboxItem, refused: Refused) -> None:
        kind = RecordKind(item.kind).name.lower()
        text = f"the {kind} record {item.seq} of {item.node} could not be taken and is in quarantine: {refused.detail}"
        self.own_alarms.happened(item.site, REFUSED, f"{text} [{refused.code}]")

    def _deliver(self, message: Message) -> None:
        self.ingest.offer(message)


def prices_of(feed: PriceFeed, now_ms: int) -> SeriesPrices | NoPrices:
    """The series of the operator's file; an invented day that begins now only where the settings ask for one."""
    hashprice = Hashprice(feed.hashprice_usd_phs_day, now_ms)
    if feed.file is None:
        if not feed.synthetic:
            return NoPrices()
        return SeriesPrices(synthetic_day(now_ms), lambda: hashprice, replay_from_ms=now_ms)
    series = load_series(feed.file, feed.time_zone)
    return SeriesPrices(replace(series, synthetic=feed.synthetic), lambda: hashprice)


async def run(settings: ControllerSettings) -> None:
    """Run a controller until SIGTERM or SIGINT."""
    running = asyncio.create_task(ControllerApp(settings).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        log.info("controller.stopped")
