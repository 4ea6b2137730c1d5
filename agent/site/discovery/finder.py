"""Keeps the roster true: instruments of the site's file, miners wherever they answer now.

A miner is placed by its MAC. Found at a new address it is the same miner with a new line; found twice, the address
that answers as that MAC wins, unless serial numbers show that they are two. What no driver knows is named by pyasic
and told as an event, not polled.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress

import msgspec

from agent.settings import SiteSettings
from agent.site.devices.ports import Miner
from agent.site.devices.reading import DeviceIdentity
from agent.site.discovery.mdns import Announcements
from agent.site.discovery.record import instrument_record, miner_record
from agent.site.discovery.second_opinion import SecondOpinion
from agent.site.discovery.sweep import MINER_PORTS, listens, walk
from agent.site.discovery.trust import Trusts
from agent.site.drivers.meters import meter
from agent.site.drivers.miners import Credentials, Lessons, Unwritten, families, identify, miner_profiles
from agent.site.drivers.pdus import pdu
from agent.site.roster import Known, Roster
from agent.site.transports.modbus import ModbusGateways
from shared.address_range import addresses, contains, network
from shared.clock import Clock
from shared.errors import BesError, DeviceError, StorageError
from shared.log import get_logger
from shared.site import Instrument, Placement, Site, miner_id, normal_mac
from shared.states import DeviceKind, Severity
from shared.wire.event import Event

INSTRUMENT_RETRY_S = 30.0
IDENTIFY_S = 20.0

UNKNOWN_DEVICE = "discovery.unknown-device"
UNPLACED_MINER = "discovery.unplaced-miner"
MOVED_MINER = "discovery.moved-miner"
DUPLICATE_MAC = "discovery.duplicate-mac"
WRONG_INSTRUMENT = "discovery.wrong-instrument"

log = get_logger("agent.discovery")


class Hooks(msgspec.Struct, frozen=True):
    """`poll` takes a device id that is in the roster now, `tell` an event for people; drivers remember in `lessons`."""

    poll: Callable[[str], None]
    tell: Callable[[Event], None]
    reachable: Callable[[str], bool]
    lessons: Lessons = msgspec.field(default_factory=Unwritten)


class Finder:
    """`sweeps` counts finished sweeps; `found` miners are in the roster."""

    def __init__(self, settings: SiteSettings, site: Site, roster: Roster, hooks: Hooks, clock: Clock) -> None:
        self._settings = settings
        self._site = site
        self._roster = roster
        self._hooks = hooks
        self._clock = clock
        self._families = families(hooks.lessons)
        self._gateways = ModbusGateways()
        self._networks = [network(text) for text in site.ranges]
        self._opinion = SecondOpinion()
        self._in_question: set[str] = set()
        self._candidates: set[str] = set()
        self._placements: Mapping[str, Placement] = {placed.mac: placed for placed in site.placement}
        self._logins = {
            name: Credentials(login.user, login.password.get_secret_value()) for name, login in settings.logins.items()
        }
        self._trusts = Trusts(settings.device_tls, site.pdu)
        self._told: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._announcements = Announcements(self._announced, settings.discovery.mdns_interfaces)
        self.sweeps = 0

    async def run(self) -> None:
        """Instruments first, then where the site's file last saw its miners, then the ranges, again and again."""
        if self._settings.discovery.mdns_interfaces:
            await self._announcements.start()
        try:
            async with asyncio.TaskGroup() as group:
                for instrument in self._site.meter:
                    group.create_task(self._settle(instrument, self._settle_meter))
                for instrument in self._site.pdu:
                    group.create_task(self._settle(instrument, self._settle_pdu))
                group.create_task(self._sweep_for_ever())
            await asyncio.Event().wait()  # swept once: announcements and gateways serve until we are cancelled
        finally:
            for task in self._tasks:
                task.cancel()
            await self._announcements.aclose()
            await self._opinion.aclose()
            await self._gateways.aclose()

    async def _sweep_for_ever(self) -> None:
        hints = [placed.address for placed in self._site.placement if placed.address]
        await walk(hints, self._visit, at_once=self._settings.discovery.at_once)
        while True:
            await walk(self._worth_a_look(), self._visit, at_once=self._settings.discovery.at_once)
            self.sweeps += 1
            log.info("discovery.swept", miners=len(self._roster.miners))
            if not self._settings.discovery.sweep_every_s:
                return
            await asyncio.sleep(self._settings.discovery.sweep_every_s)

    def _worth_a_look(self) -> list[str]:
        """Every address of the ranges except those whose device answers its polls."""
        known = self._known_addresses()
        return [address for address in addresses(self._networks) if address not in known]

    def _known_addresses(self) -> set[str]:
        reached = {record.address for record in self._roster.records() if self._hooks.reachable(record.device_id)}
        return reached | {instrument.address for instrument in (*self._site.meter, *self._site.pdu)}

    async def _visit(self, address: str) -> None:
        """Who is there? Never raises: one odd device must not end a sweep."""
        try:
            await self._identify(address)
        except (BesError, TimeoutError, OSError) as error:
            log.debug("discovery.no-answer", address=address, detail=str(error))
        except Exception:
            log.exception("discovery.bug", address=address)

    async def _identify(self, address: str) -> None:
        if not any([await listens(address, self._port(port)) for port in MINER_PORTS]):
            return
        async with asyncio.timeout(IDENTIFY_S):
            found = await identify(address, self._port, self._logins)
        if found is None:
            self._ask_for_a_second_opinion(address)
            return
        family, identity = found
        if not normal_mac(identity.mac):
            self._tell_once(UNKNOWN_DEVICE, address, f"{identity.vendor} {identity.model} does not tell its MAC")
            return
        await self._welcome(family, identity, address)

    async def _welcome(self, family: str, identity: DeviceIdentity, address: str) -> None:
        """Put the miner into the roster, or move its line to where it is now."""
        device_id = miner_id(identity.mac)
        present = self._roster.miners.get(device_id)
        if present is not None and present.record.address == address:
            return
        still_there = present is not None and await _still_there(present)
        if await self._is_twin(identity, present if still_there else None):
            await self._welcome_twin(family, identity, address)
            return
        if present is not None and still_there:
            where = f"{device_id}, which still answers at {present.record.address}"
            self._tell_once(UNKNOWN_DEVICE, address, f"answers with the MAC of {where}")
            return
        newcomer = await self._newcomer(family, identity, address)
        if self._roster.miners.get(device_id) is not present:
            await newcomer.driver.aclose()  # its double was quicker; the next sweep compares the two
            return
        self._roster.put_miner(newcomer)
        if present is not None:
            self._spawn(present.driver.aclose())
            self._tell(MOVED_MINER, device_id, f"moved from {present.record.address} to {address}")
        if newcomer.placement is None:
            self._tell_once(UNPLACED_MINER, device_id, f"{identity.model} at {address} is not in the site's file")
        self._hooks.poll(device_id)

    async def _is_twin(self, identity: DeviceIdentity, present: Known[Miner] | None) -> bool:
        """Control boards are cloned, MAC and all: the serial number tells the machines apart. The one that was there
        first keeps the place of the site's file, also over a restart.
        """
        subject = f"serial of {normal_mac(identity.mac)}"
        first = self._hooks.lessons.taught(subject)
        if first is None and present is not None and present.record.serial:
            first = present.record.serial
            if identity.serial and identity.serial != first:
                with suppress(StorageError):
                    await self._hooks.lessons.learn(subject, first)
        return bool(first and identity.serial and identity.serial != first)

    async def _welcome_twin(self, family: str, identity: DeviceIdentity, address: str) -> None:
        """It is read under an id of its own, and not ordered about: an order to a MAC could reach either."""
        device_id = f"{miner_id(identity.mac)}-{_slug(identity.serial)}"
        present = self._roster.miners.get(device_id)
        if present is not None and present.record.address == address:
            return
        self._roster.put_miner(await self._newcomer(family, identity, address, device_id))
        if present is not None:
            self._spawn(present.driver.aclose())
        text = f"{identity.model} at {address}, serial {identity.serial}, tells the MAC {identity.mac} of another"
        self._tell_once(DUPLICATE_MAC, device_id, f"{text}; it is only read until it has a MAC of its own")
        self._hooks.poll(device_id)

    async def _newcomer(
        self, family: str, identity: DeviceIdentity, address: str, twin_id: str | None = None
    ) -> Known[Miner]:
        mac = normal_mac(identity.mac)
        placement = None if twin_id else self._placements.get(mac)
        login = None if twin_id else self._logins.get(family)  # without one nothing can be ordered
        profile = miner_profiles()[family]
        driver = self._families[family](address, self._port, login, profile, mac)
        record = miner_record(twin_id or miner_id(mac), identity, address, profile, driver.verbs, placement)
        if not record.curve:
            # Some models are sold in many sizes: their ladder follows from the rate that the machine announces.
            try:
                expected_ths = (await driver.read_hot()).hashrate_expected_ths
            except BaseException:
                await driver.aclose()
                raise
            record = msgspec.structs.replace(record, curve=profile.curve(record.model, expected_ths))
        return Known(record, driver, placement=placement, high_factor=profile.high_mode_power)

    def _ask_for_a_second_opinion(self, address: str) -> None:
        """Beside the sweep, because pyasic takes its time."""
        if self._settings.discovery.second_opinion and address not in self._in_question:
            self._in_question.add(address)
            self._spawn(self._report_unknown(address))

    async def _report_unknown(self, address: str) -> None:
        opinion = await self._opinion.ask(address)
        named = f"{opinion.make} {opinion.model} {opinion.firmware}".strip() if opinion.make else "nobody knows what"
        self._tell_once(UNKNOWN_DEVICE, address, f"something answers there: {named}")

    async def _settle(self, instrument: Instrument, settle: Callable[[Instrument], Awaitable[None]]) -> None:
        """One entry of the site's file that makes no sense must not keep the others from being read."""
        try:
            await settle(instrument)
        except BesError as error:
            self._tell_once(WRONG_INSTRUMENT, instrument.id, error.detail)

    async def _settle_meter(self, instrument: Instrument) -> None:
        driver = meter(instrument, self._settings.ports, self._gateways)
        identity = await self._identity_of(instrument, driver.identify)
        self._roster.put_meter(Known(instrument_record(instrument, DeviceKind.METER, identity, {}), driver))
        self._hooks.poll(instrument.id)

    async def _settle_pdu(self, instrument: Instrument) -> None:
        login = self._logins.get(instrument.id) or self._logins.get(instrument.profile)
        driver = pdu(instrument, login, self._settings.ports, self._trusts.of(instrument))
        identity = await self._identity_of(instrument, driver.identify)
        record = instrument_record(instrument, DeviceKind.PDU, identity, driver.confirm_within_s)
        self._roster.put_pdu(Known(record, driver))
        self._hooks.poll(instrument.id)

    async def _identity_of(
        self, instrument: Instrument, ask: Callable[[], Awaitable[DeviceIdentity]]
    ) -> DeviceIdentity:
        """Ask until it answers as its profile says; a device of another kind is never read by a guess."""
        while True:
            try:
                return await ask()
            except DeviceError as error:
                if not error.retryable:
                    self._tell_once(WRONG_INSTRUMENT, instrument.id, error.detail)
                log.info("discovery.instrument", instrument=instrument.id, code=error.code, detail=error.detail)
            await asyncio.sleep(INSTRUMENT_RETRY_S)

    def _announced(self, address: str) -> None:
        """An mDNS candidate: look where it is one of the site's addresses, unless it is known or being looked at."""
        if address in self._candidates or not contains(self._networks, address) or address in self._known_addresses():
            return
        self._candidates.add(address)
        self._spawn(self._visit_candidate(address))

    async def _visit_candidate(self, address: str) -> None:
        try:
            await self._visit(address)
        finally:
            self._candidates.discard(address)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _port(self, standard: int) -> int:
        return self._settings.ports.get(standard, standard)

    def _tell_once(self, code: str, subject: str, text: str) -> None:
        if (code, subject) not in self._told:
            self._told.add((code, subject))
            self._tell(code, subject, text)

    def _tell(self, code: str, subject: str, text: str) -> None:
        log.info(code, subject=subject, detail=text)
        self._hooks.tell(Event(self._clock.now_ms(), code, subject, Severity.NOTICE, text))


def _slug(serial: str) -> str:
    return re.sub(r"[^a-z0-9]", "", serial.lower())[:32]


async def _still_there(known: Known[Miner]) -> bool:
    """Does it answer as itself where it was last? Asked of the device, since an image may be a poll behind."""
    try:
        async with known.line.for_order(), asyncio.timeout(IDENTIFY_S):
            identity = await known.driver.identify()
    except (DeviceError, TimeoutError):
        return False
    return normal_mac(identity.mac) == known.record.mac
