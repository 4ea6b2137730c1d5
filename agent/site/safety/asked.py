"""Whom a rule has asked to sleep: first by the machine's own stop, then at its outlet, and not all the time."""

import msgspec

from agent.site.devices.image import MinerState
from agent.site.safety.verdict import Demand
from shared.actions import Sleep, SwitchOutlet

ASK_AGAIN_S = 90.0  # the slowest firmware's time to fall asleep
LONGEST_S = 600.0


class _Asking(msgspec.Struct):
    at_s: float
    times: int = 0


class Asked:
    """One that did not obey is not asked again for `again_s`, which doubles up to `LONGEST_S`."""

    def __init__(self, again_s: float = ASK_AGAIN_S) -> None:
        self._again_s = again_s
        self._askings: dict[str, _Asking] = {}

    def at_s(self, device_id: str) -> float | None:
        """When it was asked last, since it was last seen at rest."""
        asking = self._askings.get(device_id)
        return None if asking is None else asking.at_s

    def may_ask(self, device_id: str, now_s: float) -> bool:
        asking = self._askings.get(device_id)
        if asking is None:
            return True
        return now_s - asking.at_s >= min(self._again_s * 2.0 ** (asking.times - 1), LONGEST_S)

    def ask(self, rule: str, miner: MinerState, detail: str, now_s: float) -> Demand:
        """The demand that it rests; one that was asked before and has an outlet is cut off there."""
        asking = self._askings.setdefault(miner.device_id, _Asking(now_s))
        asking.at_s, asking.times = now_s, asking.times + 1
        placed = miner.placement
        if asking.times > 1 and placed is not None and placed.pdu is not None and placed.outlet is not None:
            text = f"{miner.device_id} did not sleep; {detail}"
            return Demand(rule, placed.pdu, SwitchOutlet(outlet=placed.outlet, on=False), text)
        return Demand(rule, miner.device_id, Sleep(), detail)

    def resume(self, device_id: str, now_s: float) -> None:
        """An earlier life of this agent asked it: the next time begins with its own stop, and not at once."""
        self._askings.setdefault(device_id, _Asking(now_s))

    def forget(self, device_id: str) -> None:
        """It rests, or the rule no longer concerns it: the next time begins with its own stop."""
        self._askings.pop(device_id, None)
