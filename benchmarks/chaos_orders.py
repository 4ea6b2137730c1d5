"""A person who gives orders all the time, whatever is down: each is asked for once, never again.

Two orders of one verb to one machine are some time apart, so that none is taken for the other.
"""

import random
import threading
import time
from collections import Counter
from typing import Self

from benchmarks.chaos_match import Matter
from hardware_sims.demo.client import JsonClient
from hardware_sims.demo.scene import SITE
from hardware_sims.model import MinerModel, model_list
from shared.errors import GatewayRefused, GatewayUnavailable
from shared.site import Site, miner_id

_VERBS = {
    "antminer": ("sleep", "wake", "reboot"),
    "whatsminer": ("sleep", "wake", "set_power_limit", "restart"),
}
_LOWEST_SHARE = 0.85
_APART_S = 30.0


class Orders:
    """Runs in a thread between `start` and `stop`; `counts` has `issued`, `refused` and `unanswered`."""

    def __init__(self, api: JsonClient, site: Site, draw: random.Random, pause_s: float) -> None:
        self.counts: Counter[str] = Counter()
        self._api = api
        self._draw = draw
        self._pause_s = pause_s
        self._machines = dict(machines(site))
        self._rested_s: dict[Matter, float] = {
            (device_id, verb): 0.0 for device_id, model in self._machines.items() for verb in _VERBS[model.family]
        }
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos-orders", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._draw.uniform(0.5, 1.5) * self._pause_s):
            now_s = time.monotonic()
            rested = [matter for matter, until_s in self._rested_s.items() if until_s <= now_s]
            if rested:
                self._give(self._draw.choice(rested), now_s)

    def _give(self, matter: Matter, now_s: float) -> None:
        """An order that was not answered may have been issued; one that was refused was not."""
        self._rested_s[matter] = now_s + _APART_S
        try:
            self._api.post(f"/sites/{SITE}/commands", self._order(*matter))
        except GatewayUnavailable:
            self.counts["unanswered"] += 1
        except GatewayRefused:
            self.counts["refused"] += 1
            self._rested_s[matter] = now_s
        else:
            self.counts["issued"] += 1

    def _order(self, device_id: str, verb: str) -> dict[str, object]:
        parameters = {}
        if verb == "set_power_limit":
            limit_share = self._draw.uniform(_LOWEST_SHARE, 1.0)
            parameters["limit_w"] = round(limit_share * self._machines[device_id].nameplate_w)
        return {"verb": verb, "parameters": parameters, "device_ids": [device_id], "reason": "chaos"}


def machines(site: Site) -> list[tuple[str, MinerModel]]:
    """Device id and model of those that are given orders."""
    models = {model.name: model for model in model_list().model}
    placed = ((miner_id(place.mac), models.get(place.model or "")) for place in site.placement)
    return [(device_id, model) for device_id, model in placed if model is not None and model.family in _VERBS]
