"""All rules together: what must happen now, and which orders pass."""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.feeder import FeederGuard
from agent.site.safety.load import FeederLoad, Tree, feeder_loads
from agent.site.safety.meter import MeterCheck
from agent.site.safety.order import adds_load, target_w
from agent.site.safety.phase import imbalance_refusal
from agent.site.safety.refusal import CHIP_HOT, FEEDER_FULL, INLET_HIGH, LOAD_UNKNOWN, POOL_NOT_ALLOWED
from agent.site.safety.reservation import Reservations
from agent.site.safety.thermal import Thermal
from agent.site.safety.verdict import Alarm, AlarmKey, Demand, Refusal
from shared.actions import Action, SetPools, SwitchOutlet
from shared.pool_address import pool_allowed
from shared.site import Site, miner_id


class Observation(msgspec.Struct, frozen=True):
    alarms: tuple[Alarm, ...]
    demands: tuple[Demand, ...]


class Interlocks:
    """State of all rules of one site. Watts that were admitted but are not yet drawn stay promised on their feeders."""

    def __init__(self, site: Site) -> None:
        self.tree = Tree(site)
        self._limits = site.safety
        self._plugs = {(placed.pdu, placed.outlet): miner_id(placed.mac) for placed in site.placement}
        self._placed = {miner_id(placed.mac): placed.container for placed in site.placement}
        self._thermal = Thermal(site.safety)
        self._feeders = FeederGuard(self.tree)
        self._meters = MeterCheck()
        self._reservations = Reservations(self.tree)
        self._loads: dict[str, FeederLoad] = {}
        self._image: ProcessImage | None = None

    def resume(self, standing: Collection[AlarmKey], now_s: float) -> set[AlarmKey]:
        """Of the alarms that stood when the agent went down, those that stand on here: temperatures have hysteresis.
        What else stands shows within seconds.
        """
        subjects = {CHIP_HOT: set(self._placed), INLET_HIGH: set(self._placed.values())}
        taken = {(rule, subject) for rule, subject in standing if subject in subjects.get(rule, ())}
        for rule, subject in taken:
            self._thermal.resume(rule, subject, now_s)
        return taken

    def observe(self, image: ProcessImage) -> Observation:
        """Judge a new image."""
        self._image = image
        self._loads = feeder_loads(self.tree, image, self._meters)
        self._reservations.observe(image, self._loads)
        said = list(self._say(image))
        alarms = tuple(item for item in said if isinstance(item, Alarm))
        return Observation(alarms, tuple(item for item in said if isinstance(item, Demand)))

    def loads(self) -> dict[str, FeederLoad]:
        """Of the last image."""
        return self._loads

    def promised_w(self) -> Mapping[str, float]:
        """By feeder, what was admitted or is starting and not yet drawn."""
        return self._reservations.on_w

    def site_load_w(self) -> float:
        """Of all that has no feeder above it, by the last image."""
        return sum(self._loads[feeder.id].load_w for feeder in self.tree.feeders.values() if feeder.parent is None)

    def load_of(self, device_id: str, action: Action) -> str:
        """The miner whose draw an order changes: of an outlet the one that the site's file plugs into it."""
        if isinstance(action, SwitchOutlet):
            return self._plugs.get((device_id, action.outlet), device_id)
        return device_id

    def admit(self, device_id: str, action: Action) -> Refusal | None:
        """None lets the order pass and, where it adds load, promises the watts. Downs always pass; what may add load
        passes only where the load is known. `device_id` is the miner whose draw changes.
        """
        if isinstance(action, SetPools):
            return self._pool_refusal(action)
        if not adds_load(action):
            return None
        miner = None if self._image is None else self._image.miners.get(device_id)
        if miner is None or self._image is None:
            return Refusal(LOAD_UNKNOWN, "no machine of the site's file is known to draw there")
        watts = target_w(miner, action, self._image)
        if watts is None:
            return None
        refusal = self._thermal_refusal(miner) or self._feeder_refusal(miner, watts)
        if refusal is None:
            self._reservations.take(miner, action.verb, watts)
        return refusal

    def withdraw(self, device_id: str, action: Action) -> None:
        """The order was not carried out: what it was promised is free again."""
        self._reservations.release(device_id, action.verb)

    def rests(self, device_id: str) -> None:
        """The machine was seen at rest: nothing is promised to it any more."""
        self._reservations.release(device_id)

    def _say(self, image: ProcessImage) -> Iterator[Alarm | Demand]:
        yield from self._meters.alarms()
        yield from self._thermal.observe(image)
        yield from self._feeders.observe(image, self._loads)

    def _thermal_refusal(self, miner: MinerState) -> Refusal | None:
        chip_c = self._thermal.chips.tripped.get(miner.device_id)
        if chip_c is not None:
            return Refusal(CHIP_HOT, f"{chip_c:.0f} °C, released at {self._limits.chip_resume_c:.0f} °C")
        container = miner.placement.container if miner.placement is not None else ""
        inlet_c = self._thermal.inlets.tripped.get(container)
        if inlet_c is not None:
            return Refusal(
                INLET_HIGH, f"{container}: {inlet_c:.0f} °C, released at {self._limits.inlet_resume_c:.0f} °C"
            )
        return None

    def _feeder_refusal(self, miner: MinerState, watts: float) -> Refusal | None:
        if miner.placement is None:
            return Refusal(LOAD_UNKNOWN, "the site's file does not say which feeder carries it")
        path = self.tree.paths[miner.placement.feeder]
        added_w, promised_w = self._reservations.added_w(miner, watts), self._reservations.on_w
        for feeder_id in path:
            room_w = self._loads[feeder_id].headroom_w - promised_w.get(feeder_id, 0.0)
            if added_w[feeder_id] > room_w:
                detail = (
                    f"{feeder_id} has room for {max(room_w, 0):.0f} W, the order may add {added_w[feeder_id]:.0f} W"
                )
                return Refusal(FEEDER_FULL, detail)
        limit_pct = self._limits.phase_imbalance_max_pct
        return imbalance_refusal(self.tree, self._loads, self._reservations, path, added_w[path[0]], limit_pct)

    def _pool_refusal(self, action: SetPools) -> Refusal | None:
        for pool in action.pools:
            if not pool_allowed(pool.url, self._limits.allowed_pools):
                return Refusal(POOL_NOT_ALLOWED, f"{pool.url} is not the place of an entry of allowed_pools")
        return None
