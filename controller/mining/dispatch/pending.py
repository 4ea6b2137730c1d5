"""Orders that dispatch has given and nobody has confirmed yet, and the rest that a miner gets afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.mining.dispatch.bond import Bonds
from controller.mining.dispatch.mode import current_modes
from controller.mining.fleet.snapshot import SiteSnapshot


@dataclass(frozen=True)
class Awaited:
    mode: int
    ordered_at_ms: int
    until_ms: int


@dataclass(frozen=True)
class Settling:
    mode: int
    until_ms: int


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long an order may take, how long a changed miner is left alone, and how long one that did not obey.

    `idle_within_s` is the patience with an order to stop, because whoever sheds cannot wait for a restart and a ramp.

    For `settle_s` after a change no meter above the miner is compared with what the miners below it say.
    """

    confirm_s: float = 600.0
    idle_within_s: float = 120.0
    dwell_s: float = 900.0
    disobeyed_s: float = 900.0
    settle_s: float = 30.0


class PendingOrders:
    """One site's miners under way. Only what the twin shows ends an order: an acknowledgement proves nothing."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._awaited: dict[str, Awaited] = {}
        self._rests_until_ms: dict[str, int] = {}
        self._disobeyed: dict[str, int] = {}
        self._settles: dict[str, Settling] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    def given(self, changes: Iterable[tuple[str, int]], now_ms: int) -> None:
        """Devices were ordered to modes."""
        for device, mode in changes:
            patience_s = self._patience.idle_within_s if mode == 0 else self._patience.confirm_s
            self._awaited[device] = Awaited(mode, now_ms, now_ms + round(patience_s * 1000))
            self._disobeyed.pop(device, None)

    def refused(self, devices: Iterable[str], now_ms: int) -> None:
        """The power door did not take the orders: leave these miners alone for a while instead of asking again."""
        for device in devices:
            self._disobeyed[device] = now_ms
            self._rests_until_ms[device] = now_ms + round(self._patience.disobeyed_s * 1000)

    def observe(self, snapshot: SiteSnapshot) -> None:
        """Settle what a reading younger than the order confirms, and what has run out of time."""
        now_ms = snapshot.taken_at_ms
        modes, seen_ms, rows = current_modes(snapshot), snapshot.miners.seen_ms, snapshot.roster.row
        for device, awaited in list(self._awaited.items()):
            row = rows.get(device)
            if row is None:
                del self._awaited[device]
            elif modes[row] == awaited.mode and self._shown(snapshot, row, int(seen_ms[row]), awaited):
                del self._awaited[device]
                self._rests_until_ms[device] = now_ms + round(self._patience.dwell_s * 1000)
                self._settles[device] = Settling(awaited.mode, now_ms + round(self._patience.settle_s * 1000))
            elif now_ms >= awaited.until_ms:
                del self._awaited[device]
                self.refused((device,), now_ms)
        self._rests_until_ms = {d: until for d, until in self._rests_until_ms.items() if until > now_ms}
        self._settles = {d: settling for d, settling in self._settles.items() if settling.until_ms > now_ms}

    def bonds(self, operator: frozenset[str]) -> Bonds:
        return Bonds(
            operator=operator,
            dwell=frozenset(self._rests_until_ms.keys() - self._disobeyed.keys()),
            disobeyed=frozenset(self._rests_until_ms.keys() & self._disobeyed.keys()),
            settling={device: settling.mode for device, settling in self._settles.items()},
            ordered={device: awaited.mode for device, awaited in self._awaited.items()},
        )

    @staticmethod
    def _shown(snapshot: SiteSnapshot, row: int, seen_ms: int, awaited: Awaited) -> bool:
        """Is the evidence younger than the order? An outlet that is off silences its miner and speaks for it."""
        outlet = int(snapshot.roster.outlet[row])
        if bool(snapshot.outlet.off[row]):
            seen_ms = max(seen_ms, int(snapshot.outlets.seen_ms[outlet]))
        return seen_ms > awaited.ordered_at_ms
