"""A simulated miner as its own firmware sees it: what protocol servers read and what they may do.

The physics fill this port; the servers in this package only translate it. All figures are the machine's own truth;
sensors, rounding, units and lies of a firmware belong to the servers and to `faults`.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol


class MachineState(Enum):
    OFF = "off"  # no power at the outlet, or PSU dead: nothing answers
    BOOTING = "booting"  # control board starts: nothing answers yet
    STARTING = "starting"  # mining process starts: answers, no hash
    TUNING = "tuning"  # ramping to its target
    HASHING = "hashing"
    SLEEPING = "sleeping"  # stopped by order; control board answers
    STOPPED_THERMAL = "stopped_thermal"
    FAULT = "fault"


class Pool:
    """A configured pool; `password` may be empty."""

    def __init__(self, url: str, user: str, password: str = "") -> None:
        self.url = url
        self.user = user
        self.password = password


class Board(Protocol):
    """One hashboard, slot counted from 0. A failed board has `alive` False and no hash rate."""

    slot: int
    serial: str
    alive: bool
    chips: int
    chips_good: int
    hashrate_ths: float
    hashrate_expected_ths: float
    frequency_mhz: float
    voltage_v: float
    hardware_errors: int
    pcb_temps_c: Sequence[float]  # four corners
    chip_temps_c: Sequence[float]  # four corners, hotter than the PCB


class Machine(Protocol):
    """Times are seconds of the simulated clock; rates are TH/s; power is at the wall unless it says otherwise."""

    mac: str  # aa:bb:cc:dd:ee:ff
    serial: str
    hostname: str
    address: str
    model: str  # "Antminer S21", "M60S", "BitAxe Gamma" …
    nameplate_ths: float
    nameplate_w: int
    password: str
    pools: list[Pool]  # up to three, highest priority first
    power_mode: str  # low, normal, high
    power_limit_w: int | None
    asleep_by_order: bool
    blinking: bool
    boards: Sequence[Board]
    state: MachineState
    power_w: float
    dc_power_w: float
    fan_rpm: Sequence[float]
    inlet_c: float
    environment_c: float
    accepted_shares: int
    rejected_shares: int
    stale_shares: int

    def hashrate_ths(self, window_s: float) -> float:
        """Mean over the last seconds, as far as the process has run; infinity is since its start."""
        ...

    @property
    def hashrate_expected_ths(self) -> float:
        """At the present mode and limit."""
        ...

    @property
    def uptime_s(self) -> float:
        """Since the control board started."""
        ...

    @property
    def elapsed_s(self) -> float:
        """Since the mining process started; falls back to 0 at every restart of it."""
        ...

    @property
    def wall_time_s(self) -> float:
        """The device's own Unix time."""
        ...

    def sleep(self) -> None: ...
    def wake(self) -> None: ...
    def set_power_limit(self, limit_w: int | None) -> None:
        """Takes effect through a restart of the mining process and a ramp."""
        ...

    def set_power_mode(self, mode: str) -> None: ...
    def set_pools(self, pools: Sequence[Pool]) -> None: ...
    def restart_mining(self) -> None: ...
    def reboot(self) -> None: ...
    def blink(self, on: bool) -> None: ...
