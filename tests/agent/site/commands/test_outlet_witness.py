"""What watts at the outlet add to the word of a device: proof, denial, or nothing."""

import msgspec
import pytest

from agent.site.commands.outlet_witness import OutletWitness
from agent.site.devices.image import OutletSample, ProcessImage
from agent.site.devices.ports import Effect, ReadBack
from shared.actions import Reboot, Sleep, Wake
from shared.site import miner_id
from shared.states import OpState
from tests.agent.site.scene import good_reading, image_of, mac, small_site

FIRST = miner_id(mac(0))
STORED = ReadBack(Effect.UNSEEN, "mode sleep; no mining process for 3 s", stored=True)
SILENT_SETTING = ReadBack(Effect.UNSEEN, "mode unknown")
SHOWN = ReadBack(Effect.SHOWN, "rate 0")
NOT_SHOWN = ReadBack(Effect.NOT_SHOWN, "mode normal")
REST, RAMP, WORK, ABSURD = 26.0, 700.0, 3_450.0, 26_000.0


def image(at_s: float, *watts: tuple[float, float], max_w: int = 3_500) -> ProcessImage:
    """At `at_s`; `watts` are (second, W) of the first machine's outlet."""
    site = small_site()
    placed = msgspec.structs.replace(site.placement[0], pdu="pdu-1", outlet=1)
    site = msgspec.structs.replace(site, placement=(placed, *site.placement[1:]))
    taken = image_of(site, 1_700_000_000_000, max_w=max_w)
    samples = tuple(OutletSample(s, w) for s, w in watts)
    return msgspec.structs.replace(taken, sampled_s=at_s, outlets={("pdu-1", 1): samples} if samples else {})


def weighed(action, told, before_w, *watts, at_s=10.0):
    """The order goes out at 5 s."""
    witness = OutletWitness(action, FIRST, image(4.0, *([(3.0, before_w)] if before_w is not None else [])))
    witness.ordered(5.0)
    return witness.weigh(told, image(at_s, *watts))


TWICE_REST, TWICE_WORK = ((6.0, REST), (7.0, REST)), ((6.0, WORK), (7.0, WORK))
CASES = {
    "a fall proves a sleep that is stored": (Sleep(), STORED, WORK, TWICE_REST, Effect.SHOWN),
    "one sample is not enough": (Sleep(), STORED, WORK, ((7.0, REST),), Effect.UNSEEN),
    "a sample from before the order does not count": (Sleep(), STORED, WORK, ((4.9, REST), (7.0, REST)), Effect.UNSEEN),
    "a machine that reboots rests too": (Sleep(), SILENT_SETTING, WORK, TWICE_REST, Effect.UNSEEN),
    "a machine that is gone rests too": (Sleep(), None, WORK, TWICE_REST, None),
    "a setting that is not stored is no sleep": (Sleep(), NOT_SHOWN, WORK, TWICE_REST, Effect.NOT_SHOWN),
    "an outlet that was at rest before may be another's": (Sleep(), STORED, REST, TWICE_REST, Effect.UNSEEN),
    "nobody saw it before": (Sleep(), STORED, None, TWICE_REST, Effect.UNSEEN),
    "watts between rest and work say nothing": (Sleep(), STORED, WORK, ((6.0, RAMP), (7.0, RAMP)), Effect.UNSEEN),
    "a sleep that still draws is held back": (Sleep(), SHOWN, WORK, ((7.0, WORK),), Effect.NOT_SHOWN),
    "a sleep whose outlet is silent stands": (Sleep(), SHOWN, WORK, (), Effect.SHOWN),
    "a sleep that is stored and draws is denied": (Sleep(), STORED, WORK, TWICE_WORK, Effect.NOT_SHOWN),
    "a silent machine that draws does not sleep": (Sleep(), None, WORK, TWICE_WORK, Effect.NOT_SHOWN),
    "one sample does not deny what is unseen": (Sleep(), STORED, WORK, ((7.0, WORK),), Effect.UNSEEN),
    "a rise proves a wake whatever a frozen machine says": (Wake(), NOT_SHOWN, REST, TWICE_WORK, Effect.SHOWN),
    "a rise proves the wake of a silent machine": (Wake(), None, REST, TWICE_WORK, Effect.SHOWN),
    "one that drew already has not risen": (Wake(), NOT_SHOWN, WORK, TWICE_WORK, Effect.NOT_SHOWN),
    "watts of another unit prove nothing": (Wake(), None, REST, ((6.0, ABSURD), (7.0, ABSURD)), None),
    "a wake without a draw is held back": (Wake(), SHOWN, REST, ((7.0, REST),), Effect.NOT_SHOWN),
    "other orders are no matter of watts": (Reboot(), NOT_SHOWN, WORK, TWICE_REST, Effect.NOT_SHOWN),
}


@pytest.mark.parametrize(("action", "told", "before_w", "watts", "effect"), CASES.values(), ids=CASES.keys())
def test_what_an_outlet_adds(action, told, before_w, watts, effect):
    said = weighed(action, told, before_w, *watts)
    assert (None if said is None else said.effect) is effect


ASLEEP_SINCE = ((2.0, Effect.NOT_SHOWN), (3.5, Effect.SHOWN))
"""Seconds, and what a wake comes to: the sample from before the order was taken at 3 s, at work."""


@pytest.mark.parametrize(("since_s", "effect"), ASLEEP_SINCE)
def test_a_machine_that_fell_asleep_since_the_last_sample_rose_from_rest(since_s, effect):
    before = image(4.0, (3.0, WORK))
    asleep = msgspec.structs.replace(
        before.miners[FIRST], reading=good_reading(OpState.SLEEPING), observed_s=3.9, since_s=since_s
    )
    witness = OutletWitness(Wake(), FIRST, msgspec.structs.replace(before, miners={**before.miners, FIRST: asleep}))
    witness.ordered(5.0)
    assert witness.weigh(NOT_SHOWN, image(10.0, *TWICE_WORK)).effect is effect


def test_old_samples_say_nothing_anew():
    assert weighed(Sleep(), STORED, WORK, *TWICE_WORK, at_s=60.0).effect is Effect.UNSEEN


def test_an_unknown_model_has_no_level():
    witness = OutletWitness(Sleep(), FIRST, _of_unknown_model(image(4.0, (3.0, WORK))))
    witness.ordered(5.0)
    assert witness.weigh(STORED, _of_unknown_model(image(10.0, *TWICE_REST))).effect is Effect.UNSEEN


def test_the_words_name_the_watts():
    said = weighed(Sleep(), STORED, WORK, *TWICE_REST)
    assert said.observed == "mode sleep; no mining process for 3 s; its outlet drew 26 W, then 26 W"


def _of_unknown_model(taken: ProcessImage) -> ProcessImage:
    first = taken.miners[FIRST]
    first = msgspec.structs.replace(first, rating=msgspec.structs.replace(first.rating, known=False))
    return msgspec.structs.replace(taken, miners={**taken.miners, FIRST: first})
