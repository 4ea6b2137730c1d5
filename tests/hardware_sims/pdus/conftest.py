from dataclasses import dataclass, field

import pytest

from hardware_sims.faults import FaultState
from hardware_sims.pdus import OutletBank


@dataclass
class Lamp:
    """A load of 1,000 W that remembers its contact."""

    on: bool = True
    history: list[bool] = field(default_factory=list)

    @property
    def drawn_w(self) -> float:
        return 1_000.0 if self.on else 0.0

    @property
    def drawn_wh(self) -> float:
        return 5_000.0

    def set_outlet(self, on: bool) -> None:
        self.on = on
        self.history.append(on)


@dataclass
class Stopwatch:
    now_s: float = 0.0


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def faults() -> FaultState:
    return FaultState()


@pytest.fixture
def lamps() -> list[Lamp]:
    return [Lamp() for _ in range(4)]


@pytest.fixture
def bank(lamps, faults, watch) -> OutletBank:
    """Four lamps at 240 V."""
    return OutletBank(lamps, faults, now_s=lambda: watch.now_s, voltage_v=lambda _outlet: 240.0, seed=1)
