"""What the outlet of a machine says of its sleep or its wake.

An Antminer that closes its socket tells only by a long silence that it sleeps, and a machine that repeats an old answer
tells nothing. Its outlet shows in seconds what it draws. Rest alone is no proof, since a machine that reboots rests
too: the outlet must have fallen since the order, and the machine must keep the setting. Work is proof by itself.
"""

import msgspec

from agent.site.devices.image import Draw, OutletSample, ProcessImage
from agent.site.devices.ports import Effect, ReadBack
from shared.actions import Action, Sleep, Wake
from shared.states import OpState

FRESH_S = 15.0
_WANTED = {Sleep.verb: Draw.REST, Wake.verb: Draw.WORK}
_DENIED = {Sleep.verb: Draw.WORK, Wake.verb: Draw.REST}


class OutletWitness:
    """Of one order to one device. Make it before the order goes out; samples younger than `ordered` count."""

    def __init__(self, action: Action, device_id: str, image: ProcessImage) -> None:
        self._wanted = _WANTED.get(action.verb)
        self._denied = _DENIED.get(action.verb)
        self._device_id = device_id
        self._since_s = image.sampled_s
        self._drew = self._before(image)

    @property
    def listens(self) -> bool:
        """Do watts tell anything of this order?"""
        return self._wanted is not None

    def ordered(self, now_s: float) -> None:
        """It is out: the device has answered, or its time to answer is over."""
        self._since_s = now_s

    def weigh(self, told: ReadBack | None, image: ProcessImage) -> ReadBack | None:
        """What device and outlet say together; `told` is None where the device did not answer.

        Two samples in a row since the order prove or deny; one that denies holds back what the device says.
        """
        samples = [sample for sample in self._samples(image) if sample.at_s > self._since_s]
        if self._wanted is None or not samples:
            return told
        draws = [self._draw(sample, image) for sample in samples]
        if draws == [self._wanted] * 2 and self._proves(told):
            return self._said(Effect.SHOWN, told, samples)
        says_done = told is not None and told.effect is Effect.SHOWN
        if draws[-1] is self._denied and (says_done or (len(draws) == 2 and draws[0] is self._denied)):
            return self._said(Effect.NOT_SHOWN, told, samples)
        return told

    def _proves(self, told: ReadBack | None) -> bool:
        if self._drew is not self._denied:
            return False
        return self._wanted is Draw.WORK or (told is not None and told.stored)

    def _said(self, effect: Effect, told: ReadBack | None, samples: list[OutletSample]) -> ReadBack:
        watts = ", then ".join(f"{sample.power_w:.0f} W" for sample in samples)
        outlet = f"its outlet drew {watts}"
        if told is None:
            return ReadBack(effect, f"{outlet}; the device does not answer")
        return msgspec.structs.replace(told, effect=effect, observed=f"{told.observed}; {outlet}")

    def _before(self, image: ProcessImage) -> Draw | None:
        """At the last sample; of a machine that has told since then that it rests, rest."""
        samples, miner = self._samples(image), image.miners.get(self._device_id)
        if miner is None or not samples:
            return None
        resting = miner.op_state(image.sampled_s, FRESH_S) in (OpState.SLEEPING, OpState.STOPPED_USER)
        if resting and miner.since_s is not None and miner.since_s > samples[-1].at_s:
            return Draw.REST
        return self._draw(samples[-1], image)

    def _samples(self, image: ProcessImage) -> list[OutletSample]:
        miner = image.miners.get(self._device_id)
        found = () if miner is None else image.outlet_of(miner)
        return [sample for sample in found if image.sampled_s - sample.at_s <= FRESH_S]

    def _draw(self, sample: OutletSample, image: ProcessImage) -> Draw | None:
        return image.miners[self._device_id].rating.draw_at(sample.power_w)
