"""A whole site in memory behind the ports: `operations(clock, count)`."""

import math
from pathlib import Path

import msgspec

from controller.people.model import Actor, Permission
from controller.views.alarm import AlarmView
from controller.views.dispatch import BindingConstraint, DecisionView, Explanation
from controller.views.energy import EnergyState, FeederView, Market, MeterView, PricePoint
from controller.views.event import EventKind, EventPage, EventRequest, EventView
from controller.views.figure import Figure
from controller.views.history import GapView
from controller.views.journal import JournalEntry, JournalPage
from controller.views.ports import Operations
from controller.views.site import NodeView
from shared.clock import Clock
from shared.errors import NotFound
from shared.states import ClockQuality
from tests.controller.console.fake_commands import FakeCommands, FakeCurtailments, SitePower
from tests.controller.console.fake_decisions import FakeDecisions
from tests.controller.console.fake_fleet import SITE, FakeFleet, FakeHistory
from tests.controller.console.fake_holds import FakeHolds

HOUR_MS = 3_600_000


class FakeEnergy:
    def __init__(self, fleet: FakeFleet, power: SitePower) -> None:
        self._fleet = fleet
        self._power = power

    def state(self, site: str) -> EnergyState:
        frame = self._fleet.frame(site)
        now_ms = self._fleet.clock.now_ms()
        containers = frame.layout.container
        loads: list[float] = []
        for code in range(len(containers.words)):
            rows = (containers.codes == code) & frame.known
            loads.append(float(frame.power_w[rows].sum()))
        total_w = self._power.now_w()
        feeders = [
            _feeder(
                "f-site",
                "Site main",
                "site",
                None,
                total_w,
                sum(loads) * 1.25 + 1e5,
                len(frame),
                "meter m-site",
                now_ms,
            )
        ]
        meters = [_meter("m-site", "Site main", "f-site", total_w, sum(loads), now_ms)]
        for index, (word, load) in enumerate(zip(containers.words, loads, strict=True)):
            count = int((containers.codes == index).sum())
            limit_w = count * 3_900.0 if index != 2 else count * 3_350.0
            source = f"meter m-{word}" if index < 3 else f"sum of {count} miners"
            feeders.append(
                _feeder(f"f-{word}", word.upper(), "container", "f-site", load * 1.02, limit_w, count, source, now_ms)
            )
            if index < 3:
                meters.append(_meter(f"m-{word}", word.upper(), f"f-{word}", load * 1.02, load, now_ms))
        return EnergyState(
            site=site,
            at_ms=now_ms,
            power_w=feeders[0].load_w,
            market=Market(
                price_usd_mwh=Figure(value=38.2, source="ERCOT LZ_WEST", observed_at_ms=now_ms - 42_000),
                hashprice_usd_phs_day=Figure(value=52.4, source="hash price feed", observed_at_ms=now_ms - 61_000),
                break_even_usd_mwh=121.0,
            ),
            feeders=tuple(feeders),
            meters=tuple(meters),
            cap_w=total_w * 1.1,
            cap_reason="interconnection",
        )

    async def prices(self, site: str, from_ms: int, to_ms: int) -> tuple[PricePoint, ...]:
        self._fleet.frame(site)
        now_ms = self._fleet.clock.now_ms()
        starts = range(from_ms // HOUR_MS * HOUR_MS, to_ms, HOUR_MS)
        return tuple(
            PricePoint(
                at,
                38.0 + 22.0 * math.sin(at / HOUR_MS / 3.8) + (140.0 if at // HOUR_MS % 24 == 21 else 0.0),
                at > now_ms,
            )
            for at in starts
        )


class FakeDispatch:
    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet

    def decision(self, site: str) -> DecisionView:
        frame = self._fleet.frame(site)
        asleep = int(self._fleet.asleep.sum())
        return DecisionView(
            site=site,
            id="dec-2210",
            at_ms=frame.at_ms,
            objective="profit per hour",
            mode="automatic",
            solve_ms=23.4,
            power_w=frame.live_power_w,
            hashrate_ths=frame.live_hashrate_ths,
            profit_usd_h=212.4,
            bound_usd_h=212.9,
            gap_pct=0.23,
            running=len(frame) - asleep,
            asleep=asleep,
            changed=0,
            binding=(BindingConstraint(subject="f-c03", text="feeder C03 at its limit", shadow_price_usd_mwh=41.2),),
            sentences=("All miners earn more than their energy costs.", "Feeder C03 holds 3 miners back."),
        )

    def explain(self, site: str, device_id: str) -> Explanation:
        self._fleet.frame(site)
        if device_id not in self._fleet.layout.row_of:
            raise NotFound(f"no miner {device_id!r} at {site}")
        return Explanation(
            device_id=device_id,
            decision="run",
            target_w=3010.0,
            text="Runs at full power: it earns 0.18 USD per hour more than its energy costs; no limit binds.",
            margin_usd_h=0.18,
        )


class FakeAlarms:
    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet
        now_ms = fleet.clock.now_ms()
        self._alarms = {
            alarm.id: alarm
            for alarm in (
                _alarm(
                    "a-1",
                    1,
                    "breaker.open",
                    "C01-R3",
                    "Breaker of C01-R3 is open",
                    "state:unpowered",
                    10,
                    now_ms - 130_000,
                ),
                _alarm(
                    "a-2",
                    2,
                    "thermal.chip-high",
                    "c03",
                    "Coolant of C03 is weak: chips above 85 °C",
                    "state:hot",
                    6,
                    now_ms - 900_000,
                ),
                _alarm(
                    "a-3", 3, "device.silent", "west-1", "Miners do not answer", "state:silent", 4, now_ms - 340_000
                ),
                _alarm(
                    "a-4",
                    3,
                    "device.fault",
                    "login.default",
                    "The vendor's default password is in use",
                    "alarm:device.fault/login.default",
                    len(fleet.default_login),
                    now_ms - 86_400_000,
                ),
            )
        }

    def standing(self, site: str) -> tuple[AlarmView, ...]:
        self._fleet.frame(site)
        return tuple(sorted(self._alarms.values(), key=lambda alarm: (alarm.priority, -alarm.raised_at_ms)))

    async def acknowledge(self, alarm_id: str, actor: Actor) -> AlarmView:
        actor.require(Permission.OPERATE)
        if alarm_id not in self._alarms:
            raise NotFound(f"no alarm {alarm_id!r}")
        now_ms = self._fleet.clock.now_ms()
        alarm = msgspec.structs.replace(self._alarms[alarm_id], acknowledged_by=actor.name, acknowledged_at_ms=now_ms)
        self._alarms[alarm_id] = alarm
        return alarm


class FakeEvents:
    """A hundred of each kind, a minute apart."""

    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet

    async def listed(self, request: EventRequest) -> EventPage:
        self._fleet.frame(request.site)
        now_ms = self._fleet.clock.now_ms()
        events = [
            EventView(
                kind=EventKind.NOTICE if number % 2 else EventKind.ALARM,
                at_ms=now_ms // 60_000 * 60_000 - number * 60_000,
                code="discovery.unknown-device" if number % 2 else "device.silent",
                subject=f"10.0.4.{number}",
                node="edge-1",
                text="answers on port 80; pyasic takes it for nothing that it knows" if number % 2 else "is silent",
                priority=0 if number % 2 else 3,
                cleared_at_ms=None if number % 2 else now_ms - number * 60_000 + 30_000,
            )
            for number in range(200)
        ]
        begin = int(request.before or 0)
        fitting = [event for event in events[begin:] if request.kind in (None, event.kind)]
        shown = tuple(fitting[: request.limit])
        more = len(fitting) > request.limit
        return EventPage(entries=shown, before=str(events.index(shown[-1]) + 1) if more else "")


class FakeNodes:
    def __init__(self, fleet: FakeFleet, history: FakeHistory) -> None:
        self._fleet = fleet
        self._history = history

    def nodes(self, site: str) -> tuple[NodeView, ...]:
        self._fleet.frame(site)
        now_ms = self._fleet.clock.now_ms()
        shown = NodeView(
            id="edge-1",
            site=site,
            role="site",
            software="0.1.0",
            last_contact_ms=now_ms - 900,
            connected=True,
            backlog_rows=0,
            backlog_oldest_s=0.0,
            clock_quality=ClockQuality.SYNCHRONISED,
            clock_error_ms=1.8,
            devices_up=len(self._fleet.layout) // 2,
            devices_known=len(self._fleet.layout) // 2,
            cpu_pct=11.0,
            disk_free_mb=41_200.0,
            gaps=1,
        )
        late = msgspec.structs.replace(
            shown,
            id="edge-2",
            connected=False,
            last_contact_ms=now_ms - 372_000,
            backlog_rows=None,
            backlog_oldest_s=None,
            clock_quality=ClockQuality.UNSYNCHRONISED,
            clock_error_ms=2400.0,
            gaps=0,
        )
        if self._fleet.switched("silent"):
            return (msgspec.structs.replace(late, id="edge-1"), late)
        return (shown, late)

    async def gaps(self, site: str, *, limit: int = 100) -> tuple[GapView, ...]:
        return await self._history.gaps(site, limit=limit)


class FakeJournal:
    async def search(self, text: str, *, before: int | None = None, limit: int = 50) -> JournalPage:
        newest = 4100 if before is None else before
        entries = tuple(
            JournalEntry(
                seq=seq,
                at_ms=1_760_000_000_000 + seq,
                stream="command/cmd-0001",
                kind="CommandIssued",
                actor="anna",
                text=f"sleep for 12 miners {text}".strip(),
                hash=f"{seq:064x}",
            )
            for seq in range(newest - 1, max(0, newest - 1 - limit), -1)
        )
        return JournalPage(entries=entries, before=entries[-1].seq if entries else None)


def operations(clock: Clock, count: int = 200, *, hostile_name: str = "", switches: Path | None = None) -> Operations:
    """A file `unknown` or `silent` in the folder `switches` is a site that nobody has described, or nobody hears."""
    fleet = FakeFleet(clock, count, hostile_name=hostile_name, switches=switches)
    power, history = SitePower(fleet), FakeHistory(fleet)
    return Operations(
        clock=clock,
        fleet=fleet,
        energy=FakeEnergy(fleet, power),
        history=history,
        dispatch=FakeDispatch(fleet),
        commands=FakeCommands(fleet),
        curtailments=FakeCurtailments(fleet, power),
        alarms=FakeAlarms(fleet),
        events=FakeEvents(fleet),
        decisions=FakeDecisions(fleet),
        holds=FakeHolds(fleet),
        nodes=FakeNodes(fleet, history),
        journal=FakeJournal(),
    )


def _feeder(
    id_: str,
    name: str,
    kind: str,
    parent: str | None,
    load_w: float,
    limit_w: float,
    miners: int,
    source: str,
    now_ms: int,
) -> FeederView:
    return FeederView(
        id=id_,
        name=name,
        kind=kind,
        parent=parent,
        load_w=Figure(value=load_w, source=source, observed_at_ms=now_ms - 800),
        worst_case_w=load_w * 1.02,
        limit_w=limit_w,
        miners=miners,
    )


def _meter(id_: str, name: str, feeder: str, power_w: float, miners_w: float, now_ms: int) -> MeterView:
    return MeterView(
        id=id_,
        name=name,
        feeder=feeder,
        power_w=Figure(value=power_w, source="meter", observed_at_ms=now_ms - 600),
        phase_power_w=(power_w / 3, power_w / 3.02, power_w / 2.98),
        voltage_v=(239.8, 240.4, 240.1),
        current_a=(power_w / 720, power_w / 722, power_w / 718),
        power_factor=0.98,
        frequency_hz=60.01,
        energy_import_wh=18_234_000_000.0,
        miners_w=miners_w,
    )


def _alarm(
    id_: str, priority: int, code: str, subject: str, text: str, query: str, members: int, at_ms: int
) -> AlarmView:
    return AlarmView(
        id=id_,
        site=SITE,
        priority=priority,
        code=code,
        subject=subject,
        text=text,
        action="See the miners and send a technician.",
        raised_at_ms=at_ms,
        members=members,
        miners=members,
        query=query,
    )
