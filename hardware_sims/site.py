"""A simulated site on the network: its physics, a host for each address, and the loop that lets time pass."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from hardware_sims.announcement import Announced
from hardware_sims.clock import SimulatedClock
from hardware_sims.host import DeviceHost, Server
from hardware_sims.meters import METER_TYPES, ModbusServer, SimulatedMeter
from hardware_sims.miners import SERVERS
from hardware_sims.pdus import ShellyServer, XerusPdu, XerusServer
from hardware_sims.pdus.shelly import APP
from hardware_sims.pdus.shelly import PORT as HTTP_PORT
from hardware_sims.physics import phase
from hardware_sims.physics.columns import Flags
from hardware_sims.simulation import Simulation
from shared.errors import SettingInvalid
from shared.site import Instrument

TICK_S = 0.25  # real seconds between two looks at the clock
OPEN_AT_ONCE = 64


class SimulatedSite:
    """Devices answer from `open` to `close`; `run` lets time pass until it is cancelled.

    `hosts` are found by device id; the meters behind one gateway share theirs. `port_of` maps a standard port to
    the one that is bound.
    """

    def __init__(self, simulation: Simulation, clock: SimulatedClock, *, port_of: Callable[[int], int]) -> None:
        self.simulation = simulation
        self.clock = clock
        self.port_of = port_of
        self._miner_hosts = [self._miner_host(row) for row in range(len(simulation.machines))]
        self.shellies: dict[str, ShellyServer] = {}
        self._pdu_hosts = {pdu.id: self._pdu_host(pdu) for pdu in simulation.site.pdu}
        self.hosts = dict(zip(simulation.miner_ids, self._miner_hosts, strict=True))
        self.hosts |= self._pdu_hosts | dict(self._meter_hosts())
        self._miners_down = self._down()
        self._pdus_up = {name: bank.answering for name, bank in simulation.banks.items()}

    async def open(self) -> None:
        """Start every device that can answer. AddressTaken names an address that is not free."""
        gate = asyncio.Semaphore(OPEN_AT_ONCE)

        async def one(host: DeviceHost) -> None:
            async with gate:
                await host.open()

        try:
            async with asyncio.TaskGroup() as group:
                for host in self._distinct_hosts():
                    group.create_task(one(host))
        except BaseExceptionGroup as failures:
            await self.close()
            raise failures.exceptions[0] from None

    def announced(self) -> list[Announced]:
        """What the Shelly devices say of themselves by mDNS."""
        return [
            Announced(shelly.device_id, self.hosts[name].address, self.port_of(HTTP_PORT), {"gen": "2", "app": APP})
            for name, shelly in self.shellies.items()
        ]

    async def close(self) -> None:
        await asyncio.gather(*(host.close() for host in self._distinct_hosts()))

    async def run(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(TICK_S)

    def tick(self) -> None:
        """Catch up with the clock; devices that lost or regained their power change on the network too."""
        self.simulation.advance_to(self.clock.now_s(), self.clock.factor)
        for name, faults in self.simulation.faults.items():
            if faults.cut:  # perhaps up again before this look, so that nothing else shows it
                self.hosts[name].settle_soon()
        down = self._down()
        for row in np.flatnonzero(down != self._miners_down):
            self._miner_hosts[row].settle_soon()
        self._miners_down = down
        for name, bank in self.simulation.banks.items():
            if bank.answering != self._pdus_up[name]:
                self._pdus_up[name] = bank.answering
                self._pdu_hosts[name].settle_soon()

    def _down(self) -> Flags:
        state = self.simulation.fleet.columns.state
        down: Flags = (state == phase.OFF) | (state == phase.BOOTING)
        return down

    def _distinct_hosts(self) -> list[DeviceHost]:
        return list(dict.fromkeys(self.hosts.values()))

    def _miner_host(self, row: int) -> DeviceHost:
        machine = self.simulation.machines[row]
        if not machine.address:
            raise SettingInvalid(f"miner {machine.mac} has no address in the site's file; a simulated one needs it")
        return DeviceHost(
            SERVERS[machine.kind.family](machine, machine.faults),
            machine.address,
            (machine.faults,),
            port_of=self.port_of,
            answering=lambda: not self._down()[row],
            moved=machine.move,
        )

    def _pdu_host(self, pdu: Instrument) -> DeviceHost:
        bank, faults = self.simulation.banks[pdu.id], self.simulation.faults[pdu.id]
        digits = f"{self.simulation.site.pdu.index(pdu) + 1:06x}"
        mac = "02:b5:ff:" + ":".join(digits[at : at + 2] for at in (0, 2, 4))
        server: Server
        if pdu.profile == "shelly.gen2":
            server = self.shellies[pdu.id] = ShellyServer(bank, faults, mac=mac)
        else:
            start_unix_s = self.simulation.fleet.start_unix_s
            server = XerusServer(XerusPdu(bank, mac=mac, serial=f"SIMPX{digits}", start_unix_s=start_unix_s), faults)
        return DeviceHost(server, pdu.address, (faults,), port_of=self.port_of, answering=lambda: bank.answering)

    def _meter_hosts(self) -> Iterator[tuple[str, DeviceHost]]:
        """One server an address, with all units that the site's file puts there."""
        meters = list(enumerate(self.simulation.site.meter))
        for address in dict.fromkeys(meter.address for _, meter in meters):
            here = [(at, meter) for at, meter in meters if meter.address == address]
            units = {meter.unit: self._meter(at, meter) for at, meter in here}
            host = DeviceHost(
                ModbusServer(units),
                address,
                tuple(unit.faults for unit in units.values()),
                port_of=self.port_of,
                answering=lambda: True,
            )
            yield from ((meter.id, host) for _, meter in here)

    def _meter(self, at: int, meter: Instrument) -> SimulatedMeter:
        kind, faults = METER_TYPES[meter.profile], self.simulation.faults[meter.id]
        return SimulatedMeter(kind, 7_000_000 + at, partial(self.simulation.metering.sample, at), faults)
