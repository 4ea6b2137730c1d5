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

    @property
    def slot(self) -> int: ...

    @property
    def serial(self) -> str: ...

    @property
    def alive(self) -> bool: ...

    @property
    def chips(self) -> int: ...

    @property
    def chips_good(self) -> int: ...

    @property
    def hashrate_ths(self) -> float: ...

    @property
    def hashrate_expected_ths(self) -> float: ...

    @property
    def frequency_mhz(self) -> float: ...

    @property
    def voltage_v(self) -> float: ...

    @property
    def hardware_errors(self) -> int: ...

    @property
    def pcb_temps_c(self) -> Sequence[float]:
        """Four corners."""
        ...

    @property
    def chip_temps_c(self) -> Sequence[float]:
        """Four corners, hotter than the PCB."""
        ...


class Machine(Protocol):
    """Times are seconds of the simulated clock; rates are TH/s; power is at the wall unless it says otherwise."""

    @property
    def mac(self) -> str:
        """Written aa:bb:cc:dd:ee:ff."""
        ...

    @property
    def serial(self) -> str: ...

    hostname: str

    @property
    def address(self) -> str: ...

    @property
    def model(self) -> str:
        """For example `Antminer S21`, `M60S`, `BitAxe Gamma`."""
        ...

    @property
    def nameplate_ths(self) -> float: ...

    @property
    def nameplate_w(self) -> int: ...

    password: str

    @property
    def pools(self) -> list[Pool]:
        """Up to three, highest priority first."""
        ...

    @property
    def power_mode(self) -> str:
        """One of low, normal, high."""
        ...

    @property
    def power_limit_w(self) -> int | None: ...

    @property
    def asleep_by_order(self) -> bool: ...

    @property
    def blinking(self) -> bool: ...

    @property
    def boards(self) -> Sequence[Board]: ...

    @property
    def state(self) -> MachineState: ...

    @property
    def power_w(self) -> float: ...

    @property
    def dc_power_w(self) -> float: ...

    @property
    def fan_rpm(self) -> Sequence[float]: ...

    @property
    def inlet_c(self) -> float: ...

    @property
    def environment_c(self) -> float: ...

    @property
    def accepted_shares(self) -> int: ...

    @property
    def rejected_shares(self) -> int: ...

    @property
    def stale_shares(self) -> int: ...

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
