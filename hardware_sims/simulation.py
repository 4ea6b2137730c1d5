"""The physics of one site: miners, tree, meters and outlets, moved together along the simulated clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hardware_sims.faults import FaultState
from hardware_sims.grid import Metering, Tree
from hardware_sims.grid.tree import NOMINAL_LN_V
from hardware_sims.meters import METER_TYPES
from hardware_sims.miners.machine import Pool
from hardware_sims.model import model_list, model_named
from hardware_sims.pdus import OutletBank
from hardware_sims.physics import Fleet, SimulatedMachine
from hardware_sims.physics.build import Wear
from hardware_sims.physics.machine import MachineIdentity
from shared.errors import DeviceError, SettingInvalid
from shared.site import Instrument, Placement, Site, miner_id

STEP_S = 0.25  # at factor 1; a faster clock takes longer steps, up to LONGEST_STEP_S
LONGEST_STEP_S = 5.0
MOST_STEPS = 500  # at one go, so that a process that was held up still answers while it catches up
PDU_OUTLETS = {"raritan.xerus": 24, "shelly.gen2": 4}
DEFAULT_POOL = Pool("stratum+tcp://pool.example:3333", "bes.worker", "x")


class UnknownDevice(DeviceError):
    """No device of that name is simulated here."""

    code = "device.unknown"


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """`warm` machines have hashed for days when the simulation begins; cold ones stand without power.

    `passwords` by family replace those of the model list.
    """

    seed: int = 1
    start_unix_s: float = 1_750_000_000.0
    warm: bool = True
    passwords: Mapping[str, str] = field(default_factory=dict)
    wear: Wear = Wear()  # noqa: RUF009 - frozen


class Simulation:
    """Deterministic: the same site, options, steps and orders give the same figures.

    Miners, meters and PDUs stand in the order of the site; `faults` are found by device id.
    """

    def __init__(self, site: Site, options: SimulationOptions) -> None:
        self.site = site
        placements = site.placement
        if not placements:
            raise SettingInvalid(f"site {site.id!r} places no miners, so there is nothing to simulate")
        self.miner_ids = [miner_id(placed.mac) for placed in placements]
        names = [*self.miner_ids, *(meter.id for meter in site.meter), *(pdu.id for pdu in site.pdu)]
        self.faults = {name: FaultState() for name in names}
        self.containers = list(dict.fromkeys(placed.container for placed in placements))
        self.fleet = Fleet(
            [model_named(placed.model or "") for placed in placements],
            [self.containers.index(placed.container) for placed in placements],
            seed=options.seed,
            start_unix_s=options.start_unix_s,
            wear=options.wear,
            warm=options.warm,
        )
        self.machines = [self._machine(row, placed) for row, placed in enumerate(placements)]
        self._set_passwords(options.passwords)
        self.tree = Tree(site, [placed.feeder for placed in placements], seed=options.seed)
        self.metering = self._metering(options.seed)
        self._open_breakers: set[str] = set()
        self._pdu_feeder: dict[str, str] = {}
        self.banks = {pdu.id: self._bank(pdu, at, options.seed) for at, pdu in enumerate(site.pdu)}
        self._observe(0.0)

    @property
    def now_s(self) -> float:
        return self.fleet.now_s

    def step(self, dt: float) -> None:
        """Move everything `dt` simulated seconds on, at most LONGEST_STEP_S."""
        for bank in self.banks.values():
            if bank.pending:
                bank.step()
        self.fleet.step(dt)
        self._observe(dt)

    def advance_to(self, time_s: float, factor: float = 1.0) -> None:
        """Take the whole steps up to `time_s`, at most MOST_STEPS; the rest waits for the next call."""
        dt = min(STEP_S * factor, LONGEST_STEP_S)
        for _ in range(MOST_STEPS if dt > 0 else 0):
            if self.now_s + dt > time_s:
                return
            self.step(dt)

    def machine(self, device_id: str) -> SimulatedMachine:
        """UnknownDevice where no miner has that id."""
        if device_id not in self.miner_ids:
            raise UnknownDevice(f"{device_id!r} is no miner of this site")
        return self.machines[self.miner_ids.index(device_id)]

    def switch_feeder(self, feeder_id: str, *, on: bool) -> None:
        """Open or close the breaker before a feeder; everything below loses or gets its voltage."""
        if on:
            self._open_breakers.discard(feeder_id)
        else:
            self._open_breakers.add(feeder_id)
        self.tree.open_breakers(self._open_breakers)
        self.fleet.columns.mains[:] = self.tree.miner_has_mains
        for pdu, feeder in self._pdu_feeder.items():
            self.banks[pdu].energised = self.tree.has_mains(feeder)

    def _observe(self, dt: float) -> None:
        self.tree.step(dt, self.fleet.columns.power_w)
        self.metering.step(dt)

    def _set_passwords(self, passwords: Mapping[str, str]) -> None:
        for family in passwords:
            if family not in model_list().family:
                raise SettingInvalid(f"password for {family!r}: no such family; {_known(model_list().family)}")
        for machine in self.machines:
            machine.password = passwords.get(machine.kind.family, machine.password)

    def _machine(self, row: int, placed: Placement) -> SimulatedMachine:
        digits = placed.mac.replace(":", "").upper()
        identity = MachineIdentity(
            mac=placed.mac,
            serial=f"SIM{digits}",
            hostname=f"miner-{digits[-6:].lower()}",
            address=placed.address or "",
            pools=[DEFAULT_POOL],
        )
        return SimulatedMachine(self.fleet, row, identity, self.faults[self.miner_ids[row]])

    def _metering(self, seed: int) -> Metering:
        feeder_of = {feeder.meter: feeder.id for feeder in self.site.feeder if feeder.meter is not None}
        for meter in self.site.meter:
            if meter.id not in feeder_of:
                raise SettingInvalid(f"meter {meter.id!r} measures no feeder; name it as `meter` of one")
            if meter.profile not in METER_TYPES:
                raise SettingInvalid(
                    f"meter {meter.id!r}: {meter.profile!r} cannot be simulated; {_known(METER_TYPES)}"
                )
        return Metering(
            self.tree,
            [feeder_of[meter.id] for meter in self.site.meter],
            [METER_TYPES[meter.profile].class_pct for meter in self.site.meter],
            [self.faults[meter.id] for meter in self.site.meter],
            seed=seed,
        )

    def _bank(self, pdu: Instrument, at: int, seed: int) -> OutletBank:
        """Outlets without a machine are there too."""
        if pdu.profile not in PDU_OUTLETS:
            raise SettingInvalid(f"PDU {pdu.id!r}: {pdu.profile!r} cannot be simulated; {_known(PDU_OUTLETS)}")
        loads: list[SimulatedMachine | None] = [None] * PDU_OUTLETS[pdu.profile]
        feeders: dict[int, str] = {}
        for row, placed in enumerate(self.site.placement):
            if placed.pdu == pdu.id and placed.outlet is not None:
                loads[placed.outlet - 1] = self.machines[row]
                feeders[placed.outlet - 1] = placed.feeder
        if feeders:
            self._pdu_feeder[pdu.id] = next(iter(feeders.values()))

        def voltage_v(outlet: int) -> float:
            feeder = feeders.get(outlet) or self._pdu_feeder.get(pdu.id)
            return NOMINAL_LN_V if feeder is None else self.tree.leg_voltage_v(feeder)

        return OutletBank(
            loads, self.faults[pdu.id], now_s=lambda: self.now_s, voltage_v=voltage_v, seed=seed * 10_007 + at
        )


def _known(kinds: Iterable[str]) -> str:
    return "choose from: " + ", ".join(sorted(kinds))
