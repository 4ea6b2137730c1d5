"""The outlets of one PDU: a contact each, what is plugged in, and sensors of one percent. Outlets count from 0 here."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hardware_sims.faults import Fault, FaultState

ACCURACY = 0.01
POWER_FACTOR = 0.99
REBOOT_S = 60.0


class Load(Protocol):
    """Whatever is plugged in."""

    @property
    def drawn_w(self) -> float:
        """True watts, whatever its own instruments say."""
        ...

    @property
    def drawn_wh(self) -> float: ...
    def set_outlet(self, on: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class OutletSample:
    """What the PDU knows of one outlet. `on` is the last order, not the contact."""

    on: bool
    changed_at_s: float
    voltage_v: float
    current_a: float
    power_w: float
    energy_wh: float


class OutletBank:
    """`loads[i]` hangs on outlet i, or nothing does. `now_s` is the simulated clock, `voltage_v` the feeder's.

    `switched` counts the orders carried out per outlet, stuck contacts included.
    """

    def __init__(
        self,
        loads: Sequence[Load | None],
        faults: FaultState,
        *,
        now_s: Callable[[], float],
        voltage_v: Callable[[int], float],
        seed: int,
    ) -> None:
        self._loads = list(loads)
        self._faults = faults
        self._now_s = now_s
        self._voltage_v = voltage_v
        self._gain = np.clip(np.random.default_rng(seed).normal(1.0, ACCURACY / 3, len(loads)), 0.99, 1.01)
        self._ordered_on = [True] * len(loads)
        self._changed_at_s = [0.0] * len(loads)
        self._pending: list[tuple[float, int, bool]] = []
        self._frozen: list[OutletSample] | None = None
        self._down_until_s = -1.0
        self.energised = True
        self.switched: Counter[int] = Counter()
        faults.watch(self._take_faults)

    def __len__(self) -> int:
        return len(self._loads)

    @property
    def now_s(self) -> float:
        return self._now_s()

    @property
    def answering(self) -> bool:
        """False without mains and while its controller reboots; contacts stay as they are."""
        return self.energised and self._now_s() >= self._down_until_s

    def order(self, outlet: int, on: bool) -> None:
        """Switch now; what was pending for this outlet is void."""
        self._pending = [entry for entry in self._pending if entry[1] != outlet]
        self._carry_out(outlet, on)

    def order_later(self, outlet: int, on: bool, after_s: float) -> None:
        """Switch `after_s` simulated seconds from now."""
        self._pending.append((self._now_s() + after_s, outlet, on))

    def cancel_pending(self) -> None:
        self._pending.clear()

    @property
    def pending(self) -> Sequence[tuple[float, int, bool]]:
        """Due times, outlets and orders that wait."""
        return sorted(self._pending)

    def step(self) -> None:
        """Carry out what has fallen due."""
        now_s = self._now_s()
        due = sorted(entry for entry in self._pending if entry[0] <= now_s)
        self._pending = [entry for entry in self._pending if entry[0] > now_s]
        for _, outlet, on in due:
            self._carry_out(outlet, on)

    def sample(self, outlet: int) -> OutletSample:
        return self._live(outlet) if self._frozen is None else self._frozen[outlet]

    def _carry_out(self, outlet: int, on: bool) -> None:
        if self._faults.active(Fault.ACCEPTS_AND_IGNORES):
            return
        self.switched[outlet] += 1
        if self._ordered_on[outlet] != on:
            self._changed_at_s[outlet] = self._now_s()
        self._ordered_on[outlet] = on
        self._move_contact(outlet)
        if self._faults.active(Fault.REBOOT_MID_COMMAND):
            self._faults.clear(Fault.REBOOT_MID_COMMAND)
            self._faults.cut = True
            self._down_until_s = self._now_s() + REBOOT_S

    def _move_contact(self, outlet: int) -> None:
        load = self._loads[outlet]
        if load is not None and not self._stuck(outlet):
            load.set_outlet(self._ordered_on[outlet])

    def _stuck(self, outlet: int) -> bool:
        return self._faults.active(Fault.STUCK_RELAY) and self._faults.detail(Fault.STUCK_RELAY).outlet in (
            None,
            outlet,
        )

    def _live(self, outlet: int) -> OutletSample:
        load = self._loads[outlet]
        voltage_v = self._voltage_v(outlet)
        true_w = 0.0 if load is None else load.drawn_w * float(self._gain[outlet])
        return OutletSample(
            on=self._ordered_on[outlet],
            changed_at_s=self._changed_at_s[outlet],
            voltage_v=voltage_v,
            current_a=true_w / POWER_FACTOR / voltage_v if voltage_v > 0 else 0.0,
            power_w=true_w * self._faults.unit_factor,
            energy_wh=0.0 if load is None else load.drawn_wh * float(self._gain[outlet]),
        )

    def _take_faults(self) -> None:
        """Freeze or thaw the sensors; a contact that comes free follows the last order."""
        if not self._faults.active(Fault.FROZEN):
            self._frozen = None
        elif self._frozen is None:
            self._frozen = [self._live(outlet) for outlet in range(len(self))]
        for outlet in range(len(self)):
            self._move_contact(outlet)
