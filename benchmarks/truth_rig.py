"""A site agent without discovery and broker around it: the real drivers, poller, cycle, door, ledger and execution.

Every device is known from the start, its confirmation deadlines are shortened to fit the simulators' fast clock, and
the feeders have no limits, so that no interlock answers in place of a device.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from nacl.signing import SigningKey

from agent.site.autonomy.plan import Autonomy
from agent.site.commands import CommandService
from agent.site.commands.context import Context
from agent.site.commands.door import Door
from agent.site.commands.ledger import Ledger
from agent.site.commands.outcome import Outcomes
from agent.site.commands.pace import Pace
from agent.site.commands.trusted_time import TrustedTime
from agent.site.devices.image import ProcessImage
from agent.site.discovery.record import instrument_record, miner_record, never_read
from agent.site.drivers.miners import FAMILIES, Credentials, miner_profiles
from agent.site.drivers.pdus import pdu
from agent.site.roster import Known, Roster
from agent.site.safety import Demand, Interlocks
from agent.site.telemetry.cycle import Cycle
from agent.site.telemetry.live import Live
from agent.site.telemetry.poller import Poller
from agent.site.telemetry.schedule import Periods
from agent.site.telemetry.surroundings import Surroundings
from benchmarks.agent_process import LOGINS, NODE
from benchmarks.poll_load import family_of
from shared.clock import SystemClock
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.site import Instrument, Placement, Site, miner_id
from shared.states import TERMINAL, DeviceKind, OutcomeState
from shared.wire.command import DOMAIN, Command, Order, OutcomeBatch, OutcomeRow
from shared.wire.record import RecordKind
from shared.wire.telemetry import HostSample
from shared.wire.version import WIRE_VERSION

PERIODS = Periods(hot_s=1.0, warm_s=2.0, full_every_s=10.0, stay_hot_s=10.0)
EXPIRES_MS = 120_000
_CONNECT_AT_ONCE = 32


class Rig:
    """`rows` holds the newest step of each (device, verb); `acknowledged` gets each device whose order was answered."""

    def __init__(self, site: Site, ports: Mapping[int, int], folder: Path, confirm_within_s: float) -> None:
        self._ports = ports
        self._confirm_within_s = confirm_within_s
        self._clock = clock = SystemClock()
        self._site = _without_limits(site)
        self._operator, self._approver = SigningKey.generate(), SigningKey.generate()
        self._counter = 0
        self.rows: dict[tuple[str, str], OutcomeRow] = {}
        self.acknowledged: asyncio.Queue[str] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._open = 0
        self.roster = Roster(lambda _record: None)
        live = Live(map(never_read, self._site.placement))
        interlocks = Interlocks(self._site)
        self._poller = Poller(self.roster, live, clock, PERIODS, in_flight=256)
        self._ledger = Ledger(folder / "commands.db")
        self._ledger.open()
        self._outcomes = Outcomes(self._store_outcomes, self._ledger, clock)
        context = Context(
            roster=self.roster,
            live=live,
            interlocks=interlocks,
            outcomes=self._outcomes,
            clock=clock,
            image=lambda: self._cycle.image,
            image_after=self._image_after,
            heat=self._poller.heat,
            now_ms=clock.now_ms,
            keep=self._ledger.keep_replaced,
        )
        time_source = TrustedTime(clock, synchronised=lambda: True)
        door = Door(site.id, NODE, _keys(self._operator), _keys(self._approver), self._ledger, time_source)
        self._commands = CommandService(door, self._ledger, context, time_source, Pace(60_000, clock))
        self._cycle = Cycle(live, interlocks, Autonomy(None), self._surroundings(), clock, 1.0)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def image(self) -> ProcessImage:
        return self._cycle.image

    async def open(self) -> None:
        """Identify every device, then poll them all."""
        gate = asyncio.Semaphore(_CONNECT_AT_ONCE)

        async def gated(connect: Any) -> None:
            async with gate:
                await connect

        async with asyncio.TaskGroup() as group:
            for placed in self._site.placement:
                group.create_task(gated(self._connect_miner(placed)))
            for instrument in self._site.pdu:
                group.create_task(gated(self._connect_pdu(instrument)))
        self._tasks = [
            asyncio.create_task(part) for part in (self._poller.run(), self._cycle.run(), self._outcomes.run())
        ]

    async def close(self) -> None:
        await self._commands.aclose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.roster.aclose()
        self._ledger.close()

    async def order(self, orders: Sequence[Order], within_s: float) -> None:
        """Sign, hand in, and wait until every order has ended; whatever has not by then stays as it is."""
        now_ms = self._clock.now_ms()
        self._counter += 1
        command = Command(
            version=WIRE_VERSION,
            command_id=f"truth-{self._counter}",
            site=self._site.id,
            node=NODE,
            counter=self._counter,
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + EXPIRES_MS,
            reason="truth matrix",
            orders=tuple(orders),
        )
        self._ended.clear()
        self._open = len(orders)
        await self._commands.command_received(seal(DOMAIN, command, [self._operator, self._approver]))
        try:
            async with asyncio.timeout(within_s):
                await self._ended.wait()
        except TimeoutError:
            return

    async def until_seen(self, within_s: float) -> int:
        """Wait until every device has been read; the number of those that were not."""
        deadline_s = time.monotonic() + within_s
        while (missing := self._unseen()) and time.monotonic() < deadline_s:  # noqa: ASYNC110 - nobody tells of polls
            await asyncio.sleep(0.1)
        return missing

    def _unseen(self) -> int:
        seen = sum(state.observed_at_ms is not None for state in self.image.miners.values())
        seen += sum(state.observed_at_ms is not None for state in self.image.pdus.values())
        return len(self.roster) - seen

    async def _image_after(self, monotonic_s: float) -> None:
        await self._cycle.image_after(monotonic_s)

    async def _connect_miner(self, placed: Placement) -> None:
        family, profile = family_of(placed), miner_profiles()[family_of(placed)]
        login = Credentials(*LOGINS[family]) if family in LOGINS else None
        address = placed.address or ""
        driver = FAMILIES[family](address, lambda port: self._ports.get(port, port), login, profile, placed.mac)
        identity = await driver.identify()
        record = miner_record(miner_id(placed.mac), identity, address, profile, driver.verbs, placed)
        shortened = dict.fromkeys(record.confirm_within_s, self._confirm_within_s)
        curve = profile.curve(record.model, (await driver.read_hot()).hashrate_expected_ths)
        record = msgspec.structs.replace(record, curve=curve, confirm_within_s=shortened)
        self.roster.put_miner(Known(record, driver, placement=placed))
        self._poller.add(record.device_id)

    async def _connect_pdu(self, instrument: Instrument) -> None:
        login = LOGINS.get(instrument.profile)
        driver = pdu(instrument, None if login is None else Credentials(*login), self._ports)
        shortened = dict.fromkeys(driver.verbs, self._confirm_within_s)
        record = instrument_record(instrument, DeviceKind.PDU, await driver.identify(), shortened)
        self.roster.put_pdu(Known(record, driver))
        self._poller.add(record.device_id)

    def _surroundings(self) -> Surroundings:
        async def store(_kind: RecordKind, _message: msgspec.Struct, _samples: int) -> int:
            return 0

        async def obey(demands: list[Demand]) -> None:
            await self._commands.submit_local(demands)

        async def host(image: ProcessImage, cycle_ms: float) -> HostSample:
            return HostSample(image.sampled_at_ms, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, 0.0, cycle_ms, 0, 0)

        return Surroundings(
            store=store,
            urgent=lambda _events: True,
            obey=obey,
            plan=lambda: None,
            silent_s=lambda: 0.0,
            trusted_ms=lambda: 0,
            host=host,
            inventory=lambda: None,
            inventory_told=lambda _message: None,
            latest=lambda _batch: None,
            boot_id="truth",
            alive=lambda _progress: None,
        )

    async def _store_outcomes(self, batch: OutcomeBatch, _rows: int) -> None:
        for row in batch.rows:
            self.rows[row.device_id, row.verb] = row
            if row.state == OutcomeState.ACKNOWLEDGED:
                self.acknowledged.put_nowait(row.device_id)
            if row.state in TERMINAL and batch.command_id.startswith("truth-"):
                self._open -= 1
        if self._open <= 0:
            self._ended.set()


def _without_limits(site: Site) -> Site:
    feeders = tuple(
        msgspec.structs.replace(feeder, limit_w=None, rating_a=None, voltage_v=None) for feeder in site.feeder
    )
    safety = msgspec.structs.replace(site.safety, phase_imbalance_max_pct=100.0)
    return msgspec.structs.replace(site, feeder=feeders, safety=safety)


def _keys(key: SigningKey) -> dict[str, Any]:
    return {key_id(key.verify_key): key.verify_key}
