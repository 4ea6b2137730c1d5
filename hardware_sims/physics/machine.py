"""One row of the fleet as its firmware sees it: fills the port `hardware_sims.miners.machine.Machine`."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hardware_sims.faults import Fault, FaultState
from hardware_sims.miners.machine import MachineState, Pool
from hardware_sims.model import family_of
from hardware_sims.physics import phase
from hardware_sims.physics.board import Sight, SimulatedBoard
from hardware_sims.physics.build import target_w
from hardware_sims.physics.columns import Floats
from hardware_sims.physics.fleet import Fleet
from shared.clock import SystemClock
from shared.errors import Unsupported

_RUNNING = (phase.STARTING, phase.TUNING, phase.HASHING)


@dataclass(slots=True)
class MachineIdentity:
    """What tells one machine from another; `address` changes when it moves."""

    mac: str
    serial: str
    hostname: str
    address: str
    pools: list[Pool] = field(default_factory=list)


class SimulatedMachine:
    """Readings follow the fleet, or stand still while it is frozen; orders always reach the fleet.

    `executed` counts the orders that took effect by verb (`shared.actions`), `ignored` those it only said yes to; `log`
    has when each took effect, in milliseconds of this host's clock.
    """

    def __init__(self, fleet: Fleet, row: int, identity: MachineIdentity, faults: FaultState) -> None:
        self._fleet = fleet
        self._row = row
        self._identity = identity
        self._worn: dict[Fault, tuple[int, float]] = {}
        self.kind = fleet.models[row]
        self.family = family_of(self.kind)
        self.faults = faults
        self.hostname = identity.hostname
        self.password = self.family.password
        self.power_mode = "normal"
        self.power_limit_w: int | None = None
        self.blinking = False
        self.executed: Counter[str] = Counter()
        self.log: list[tuple[int, str]] = []
        self.ignored: Counter[str] = Counter()
        self.sight = Sight(fleet.columns, fleet.history, row, None)
        self.boards = tuple(SimulatedBoard(self, slot) for slot in range(self.kind.boards))
        faults.watch(self._take_faults)

    # Identity

    @property
    def mac(self) -> str:
        return self.faults.detail(Fault.CLONED_MAC).mac or self._identity.mac

    @property
    def serial(self) -> str:
        return self._identity.serial

    @property
    def address(self) -> str:
        return self._identity.address

    @property
    def pools(self) -> list[Pool]:
        return self._identity.pools

    @property
    def model(self) -> str:
        return self.kind.name

    @property
    def nameplate_ths(self) -> float:
        return self.kind.nameplate_ths

    @property
    def nameplate_w(self) -> int:
        return self.kind.nameplate_w

    # Readings

    @property
    def now_s(self) -> float:
        return self._fleet.now_s if self.sight.now_s is None else self.sight.now_s

    @property
    def state(self) -> MachineState:
        return phase.STATES[int(self._of("state"))]

    @property
    def asleep_by_order(self) -> bool:
        return bool(self._of("asleep_by_order"))

    @property
    def power_w(self) -> float:
        return float(self._of("power_w"))

    @property
    def dc_power_w(self) -> float:
        return float(self._of("board_w").sum())

    @property
    def fan_rpm(self) -> Sequence[float]:
        turning = self.now_s < self._of("fan_dies_at")[: self.kind.fans]
        rpm = self._of("fan_speed") * self.family.fan_max_rpm
        return [float(rpm) if turns else 0.0 for turns in turning]

    @property
    def inlet_c(self) -> float:
        return float(self._of("inlet_c"))

    @property
    def environment_c(self) -> float:
        return float(self._of("environment_c"))

    @property
    def accepted_shares(self) -> int:
        return int(self._of("accepted"))

    @property
    def rejected_shares(self) -> int:
        return int(self._of("rejected"))

    @property
    def stale_shares(self) -> int:
        return int(self._of("stale"))

    def hashrate_ths(self, window_s: float) -> float:
        """Mean over the last seconds, as far as the process has run; infinity is since its start."""
        elapsed_s = self.elapsed_s
        if elapsed_s <= 0:
            return 0.0
        before = float(self._of("process_work_th"))
        if window_s < elapsed_s:
            remembered = self.sight.history.work_at(self.sight.row, self.now_s - window_s)
            if remembered is not None:
                elapsed_s, before = window_s, max(before, remembered)  # between two samples, work of the process before
        return float(self._of("work_th") - before) / elapsed_s * self.faults.unit_factor

    @property
    def hashrate_expected_ths(self) -> float:
        return self._fleet.expected_ths(self._row)

    @property
    def speed(self) -> float:
        """Present clock against the model's nominal one; 0 while nothing hashes."""
        return float(self._of("level_ths")) / self.kind.nameplate_ths

    @property
    def uptime_s(self) -> float:
        return self.now_s - float(self._of("booted_at"))

    @property
    def elapsed_s(self) -> float:
        return self.now_s - float(self._of("process_at"))

    @property
    def wall_time_s(self) -> float:
        skew_s = self.faults.detail(Fault.CLOCK_SKEW).skew_s if self.faults.active(Fault.CLOCK_SKEW) else 0.0
        return self._fleet.start_unix_s + self.now_s + skew_s

    # Orders

    def sleep(self) -> None:
        if self.family.sleep_w is None:
            raise Unsupported(f"{self.model} has no stop order; switch its outlet")
        self._order("sleep", self._sleep)

    def wake(self) -> None:
        if self.family.sleep_w is None:
            raise Unsupported(f"{self.model} has no stop order; switch its outlet")
        self._order("wake", self._wake)

    def set_power_limit(self, limit_w: int | None) -> None:
        """Takes effect through a restart of the mining process and a ramp."""

        def apply() -> None:
            self.power_limit_w = limit_w
            self._retarget()

        self._order("set_power_limit", apply)

    def set_power_mode(self, mode: str) -> None:
        """Takes effect as a limit does. Unsupported where the model has no such mode."""
        if mode not in self.kind.modes:
            raise Unsupported(f"{self.model} has no power mode {mode!r}, only {', '.join(self.kind.modes)}")

        def apply() -> None:
            self.power_mode = mode
            self._retarget()

        self._order("set_power_mode", apply)

    def set_pools(self, pools: Sequence[Pool]) -> None:
        def apply() -> None:
            self._identity.pools = list(pools)
            self._restart()

        self._order("set_pools", apply)

    def restart_mining(self) -> None:
        self._order("restart", self._restart)

    def reboot(self) -> None:
        self._order("reboot", self._boot)

    def blink(self, on: bool) -> None:
        def apply() -> None:
            self.blinking = on

        self._order("locate", apply)

    # What stands outside the firmware

    @property
    def drawn_w(self) -> float:
        """True watts at the wall, even while the machine's own figures stand still."""
        return float(self._fleet.columns.power_w[self._row])

    @property
    def drawn_wh(self) -> float:
        return float(self._fleet.columns.energy_wh[self._row])

    def set_outlet(self, on: bool) -> None:
        self._fleet.columns.contact[self._row] = on

    def move(self, address: str) -> None:
        self._identity.address = address

    def _of(self, column: str) -> np.ndarray:
        sight = self.sight
        value: np.ndarray = getattr(sight.columns, column)[sight.row]
        return value

    def _order(self, verb: str, carry_out: Callable[[], None]) -> None:
        if self.faults.active(Fault.ACCEPTS_AND_IGNORES):
            self.ignored[verb] += 1
            return
        self.executed[verb] += 1
        self.log.append((SystemClock().now_ms(), verb))
        before = self._settings
        carry_out()
        if self.faults.active(Fault.REVERTS):
            delay_s = self.faults.detail(Fault.REVERTS).delay_s
            asyncio.get_running_loop().call_later(delay_s, self._revert, before, self._settings)
        if self.faults.active(Fault.REBOOT_MID_COMMAND):
            self.faults.clear(Fault.REBOOT_MID_COMMAND)
            self.faults.cut = True
            self._boot()

    @property
    def _settings(self) -> tuple[bool, tuple[str, int | None]]:
        """What an order may change: asleep or not, and the power that is aimed at."""
        return bool(self._fleet.columns.asleep_by_order[self._row]), (self.power_mode, self.power_limit_w)

    def _revert(
        self, before: tuple[bool, tuple[str, int | None]], ordered: tuple[bool, tuple[str, int | None]]
    ) -> None:
        """A watchdog of the firmware, or a fleet tool that nobody told us of, has the last word."""
        if ordered[1] != before[1]:
            self.power_mode, self.power_limit_w = before[1]
            self._retarget()
        if ordered[0] != before[0]:
            (self._sleep if before[0] else self._wake)()

    def _sleep(self) -> None:
        self._fleet.columns.asleep_by_order[self._row] = True
        phase.sleep(self._fleet.columns, self._rows, self._fleet.now_s)

    def _wake(self) -> None:
        columns = self._fleet.columns
        columns.asleep_by_order[self._row] = False
        if columns.state[self._row] == phase.SLEEPING:
            phase.start_process(columns, self._rows, self._fleet.now_s)

    def _retarget(self) -> None:
        columns = self._fleet.columns
        columns.target_w[self._row] = target_w(
            self.kind, self.power_mode, self.power_limit_w, float(columns.power_factor[self._row])
        )
        self._restart()

    def _restart(self) -> None:
        if self._fleet.columns.state[self._row] in _RUNNING:
            phase.start_process(self._fleet.columns, self._rows, self._fleet.now_s)

    def _boot(self) -> None:
        phase.boot(self._fleet.columns, self._rows, self._fleet.now_s, self._fleet.rng)

    @property
    def _rows(self) -> np.ndarray:
        return np.array([self._row])

    def _take_faults(self) -> None:
        """Freeze or thaw what is read; break or mend boards and fans."""
        if not self.faults.active(Fault.FROZEN):
            self.sight = Sight(self._fleet.columns, self._fleet.history, self._row, None)
        elif self.sight.now_s is None:
            fleet = self._fleet
            self.sight = Sight(fleet.columns.row(self._row), fleet.history.row(self._row), 0, fleet.now_s)
        self._wear(Fault.BOARD_FAILED, self._fleet.columns.board_dies_at)
        self._wear(Fault.FAN_FAILED, self._fleet.columns.fan_dies_at)

    def _wear(self, fault: Fault, dies_at: Floats) -> None:
        if fault in self._worn:
            slot, once = self._worn.pop(fault)
            dies_at[self._row, slot] = once
        if self.faults.active(fault):
            slot = min(self.faults.detail(fault).slot, dies_at.shape[1] - 1)
            self._worn[fault] = (slot, float(dies_at[self._row, slot]))
            dies_at[self._row, slot] = self._fleet.now_s
