"""All rules together: what must happen now, and which orders pass."""

import msgspec

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.feeder import FeederGuard
from agent.site.safety.load import FeederLoad, Tree, draw_w, feeder_loads
from agent.site.safety.phase import imbalance_refusal
from agent.site.safety.refusal import CHIP_HOT, FEEDER_FULL, INLET_HIGH, POOL_NOT_ALLOWED
from agent.site.safety.thermal import Thermal
from agent.site.safety.verdict import Alarm, Demand, Refusal
from shared.actions import Action, SetPools, SetPowerLimit, SetPowerMode, SwitchOutlet, Wake
from shared.site import Site


class Observation(msgspec.Struct, frozen=True):
    alarms: tuple[Alarm, ...]
    demands: tuple[Demand, ...]


class Interlocks:
    """State of all rules of one site. Watts that were admitted but are not yet drawn stay reserved on their feeders."""

    def __init__(self, site: Site) -> None:
        self.tree = Tree(site)
        self._limits = site.safety
        self._thermal = Thermal(site.safety)
        self._feeders = FeederGuard(self.tree)
        self._reserved_w: dict[str, float] = {}
        self._reserved_on_w: dict[str, float] = {}
        self._loads: dict[str, FeederLoad] = {}
        self._image: ProcessImage | None = None

    def observe(self, image: ProcessImage) -> Observation:
        """Judge a new image."""
        self._image = image
        self._loads = feeder_loads(self.tree, image)
        alarms = list(self._thermal.observe(image))
        demands = list(self._thermal.demands(image))
        for item in self._feeders.observe(image, self._loads):
            if isinstance(item, Demand):
                demands.append(item)
            else:
                alarms.append(item)
        return Observation(tuple(alarms), tuple(demands))

    def loads(self) -> dict[str, FeederLoad]:
        """Of the last image."""
        return self._loads

    def admit(self, device_id: str, action: Action) -> Refusal | None:
        """None lets the order pass and, where it adds load, reserves the watts until `settle`. Downs always pass."""
        if isinstance(action, SetPools):
            return self._pool_refusal(action)
        miner = None if self._image is None else self._image.miners.get(device_id)
        if miner is None:
            return None
        added_w = self._added_w(miner, action)
        if added_w <= 0:
            return None
        refusal = self._thermal_refusal(miner) or self._feeder_refusal(miner, added_w)
        if refusal is None:
            self._reserve(miner, added_w)
        return refusal

    def settle(self, device_id: str) -> None:
        """The order has ended: what it draws is in the readings now."""
        watts = self._reserved_w.get(device_id)
        miner = None if self._image is None else self._image.miners.get(device_id)
        if watts is not None and miner is not None:
            self._reserve(miner, -watts)
            del self._reserved_w[device_id]

    def _added_w(self, miner: MinerState, action: Action) -> float:
        """Watts that the order may add; a machine already at its worst case adds nothing."""
        assert self._image is not None
        drawn_w = draw_w(miner, self._image.sampled_at_ms)
        if isinstance(action, SetPowerLimit):
            return min(action.limit_w, miner.rating.max_w) - drawn_w
        if isinstance(action, Wake | SetPowerMode) or (isinstance(action, SwitchOutlet) and action.on):
            return miner.rating.max_w - drawn_w
        return 0.0

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

    def _feeder_refusal(self, miner: MinerState, added_w: float) -> Refusal | None:
        if miner.placement is None:
            return Refusal(FEEDER_FULL, "the site's file does not say which feeder carries it")
        path = self.tree.paths[miner.placement.feeder]
        for feeder_id in path:
            room_w = self._loads[feeder_id].headroom_w - self._reserved_on_w.get(feeder_id, 0.0)
            if added_w > room_w:
                return Refusal(
                    FEEDER_FULL, f"{feeder_id} has room for {max(room_w, 0):.0f} W, the order may add {added_w:.0f} W"
                )
        limit_pct = self._limits.phase_imbalance_max_pct
        return imbalance_refusal(self.tree, self._loads, self._reserved_on_w, path, added_w, limit_pct)

    def _reserve(self, miner: MinerState, watts: float) -> None:
        self._reserved_w[miner.device_id] = self._reserved_w.get(miner.device_id, 0.0) + watts
        if miner.placement is not None:
            for feeder_id in self.tree.paths[miner.placement.feeder]:
                self._reserved_on_w[feeder_id] = self._reserved_on_w.get(feeder_id, 0.0) + watts

    def _pool_refusal(self, action: SetPools) -> Refusal | None:
        allowed = self._limits.allowed_pools
        for pool in action.pools:
            if allowed and not any(pool.url.startswith(prefix) for prefix in allowed):
                return Refusal(POOL_NOT_ALLOWED, f"{pool.url} does not begin with an entry of allowed_pools")
        return None
