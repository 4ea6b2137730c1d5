"""Who sleeps so that a load falls by so many watts.

Only what was measured, or follows from a state that was read, counts as relief: a machine that does not answer may be
off already. The meter says afterwards whether more is needed.
"""

from collections.abc import Iterable, Iterator

from agent.site.devices.image import MinerState, ProcessImage
from agent.site.safety.asked import Asked
from agent.site.safety.load import at_rest, relief_w
from agent.site.safety.verdict import Demand


def shed(
    asked: Asked, rule: str, candidates: Iterable[MinerState], image: ProcessImage, excess_w: float, detail: str
) -> Iterator[Demand]:
    """Ask in the order of `candidates` until `excess_w` are relieved; those that were asked in this very cycle count,
    those that were asked lately and did not obey are passed over.
    """
    waiting: list[MinerState] = []
    for miner in candidates:
        if at_rest(miner, image):
            asked.forget(miner.device_id)
        elif asked.at_s(miner.device_id) == image.sampled_s:
            excess_w -= relief_w(miner, image)
        elif asked.may_ask(miner.device_id, image.sampled_s):
            waiting.append(miner)
    for miner in waiting:
        if excess_w <= 0:
            return
        excess_w -= relief_w(miner, image)
        yield asked.ask(rule, miner, detail, image.sampled_s)


def hungriest_first(miners: Iterable[MinerState], image: ProcessImage) -> list[MinerState]:
    """By relief; those of which nobody knows come last."""
    return sorted(miners, key=lambda miner: (-relief_w(miner, image), miner.device_id))
