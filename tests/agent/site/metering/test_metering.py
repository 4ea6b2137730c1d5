"""Energy of intervals: whole ones are signed once, in a chain; what nobody saw is never signed."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from agent.site.devices.image import MeterState, ProcessImage
from agent.site.metering import Boundary, Chain, Crossings, Metering, Terms
from shared.errors import StorageUnavailable
from shared.proofs import verifier
from shared.proofs.claim import Kind, Statement, claim
from shared.proofs.slot import Opening, Series, SignedSlot
from shared.states import Reach
from shared.wire.codec import decode, encode
from tests.agent.site.scene import good_meter

OWNER, KEY = PrivateKey(b"o" * 32), SigningKey(b"k" * 32)
TERMS = Terms("texas-1", 60, OWNER.public_key)
START_S = 1_700_000_040  # a full minute


def image(at_s, counter_wh, meter="meter-site"):
    state = MeterState(meter, Reach.UP, at_s * 1000, float(at_s), good_meter(energy_import_wh=counter_wh))
    return ProcessImage(1, at_s * 1000, float(at_s), {}, {meter: state}, {})


class Site:
    """A meter at 3,600 W, so that a second is a watt-hour, read every five seconds."""

    def __init__(self):
        self.kept, self.told, self.full = {}, [], False
        self.metering = self.fresh()

    def fresh(self):
        return Metering(TERMS, KEY, self.keep, self.told.append)

    async def keep(self, chain):
        if self.full:
            raise StorageUnavailable("no room")
        self.kept[chain.meter] = encode(chain)

    async def runs(self, from_s, to_s, *, jump_wh=0):
        task = asyncio.create_task(self.metering.run())
        for at_s in range(START_S + from_s, START_S + to_s + 1, 5):
            self.metering.observe(image(at_s, float(at_s - START_S + 1000 + jump_wh)), at_s * 1000)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        task.cancel()

    def restart(self):
        self.metering = self.fresh()
        self.metering.resume(decode(body, Chain) for body in self.kept.values())

    def slots(self):
        return [event.data["slot"] for event in self.told]


def test_boundaries_lie_between_two_readings():
    crossings = Crossings(60)
    assert crossings.read(50_000, 100.0) is None
    assert crossings.read(70_000, 200.0) == Boundary(1, 150)
    assert crossings.read(80_000, 300.0) is None
    assert crossings.read(120_000, 340.9) == Boundary(2, 340)


@pytest.mark.parametrize(
    ("at_ms", "counter_wh"),
    [
        (111_000, 200.0),  # too far from the reading before
        (70_000, 99.0),  # the register went back
        (49_000, 200.0),  # the clock did
        (50_000, 200.0),  # the same reading again
    ],
)
def test_what_nobody_saw_is_no_boundary(at_ms, counter_wh):
    crossings = Crossings(60)
    crossings.read(50_000, 100.0)
    assert crossings.read(at_ms, counter_wh) is None


@given(steps=st.lists(st.tuples(st.integers(1, 40_000), st.floats(0, 5_000)), min_size=1, max_size=60))
def test_energies_of_slots_add_up_to_what_the_register_counted(steps):
    crossings, at_ms, counter_wh, found = Crossings(60), 0, 0.0, []
    crossings.read(at_ms, counter_wh)
    for step_ms, step_wh in steps:
        at_ms, counter_wh = at_ms + step_ms, counter_wh + step_wh
        boundary = crossings.read(at_ms, counter_wh)
        found += [boundary] if boundary else []
    numbers = [boundary.number for boundary in found]
    assert numbers == list(range(1, at_ms // 60_000 + 1))
    counters = [0, *(boundary.counter_wh for boundary in found)]
    assert counters == sorted(counters)
    assert counters[-1] <= counter_wh + 1e-6


async def test_whole_intervals_are_committed_in_a_chain_that_proves_claims():
    site = Site()
    await site.runs(-10, 250)
    first = START_S // 60
    assert site.slots() == [first, first + 1, first + 2, first + 3]
    slots, openings = [], {}
    for event in site.told:
        assert (event.code, event.subject, event.data["interval_s"]) == ("energy.committed", "meter-site", 60)
        slots.append(SignedSlot(*(event.data[name] for name in SignedSlot.__struct_fields__)))
        openings[slots[-1].slot] = Opening.unsealed(bytes.fromhex(event.data["opening"]), OWNER)
    assert [opening.energy_wh for opening in openings.values()] == [60] * 4
    series = Series("texas-1", "meter-site", 60)
    assert [slot.previous for slot in slots[1:]] == [slot.digest(series) for slot in slots[:-1]]
    span = {"site": "texas-1", "meter": "meter-site", "interval_s": 60, "first_slot": first, "last_slot": first + 3}
    statement = Statement(**span, kind=Kind.AT_MOST, bound=240, nonce="n", expires="2027-01-01")
    assert verifier.check(claim(statement, slots, openings), bytes(KEY.verify_key), "n").startswith("meter-site")


async def test_a_restart_goes_on_with_the_chain_and_repeats_only_the_last():
    site = Site()
    await site.runs(-10, 130)
    before = list(site.told)
    site.restart()
    assert site.told == [*before, before[-1]]
    await site.runs(135, 250)
    first = START_S // 60
    assert site.slots() == [first, first + 1, first + 1, first + 2, first + 3]
    assert site.told[3].data["previous"] != before[0].data["previous"]


async def test_an_outage_leaves_a_hole_and_no_zero():
    site = Site()
    await site.runs(-10, 130)
    await site.runs(300, 430)
    first = START_S // 60
    assert site.slots() == [first, first + 1, first + 6]


async def test_a_register_that_was_exchanged_commits_to_nothing_across_it():
    site = Site()
    await site.runs(-10, 70)
    await site.runs(75, 250, jump_wh=-900)
    first = START_S // 60
    assert site.slots() == [first, first + 2, first + 3]


async def test_what_cannot_be_kept_is_never_told():
    site = Site()
    site.full = True
    await site.runs(-10, 130)
    assert site.told == []
    site.full = False
    await site.runs(135, 310)
    assert site.slots() == [START_S // 60 + 3, START_S // 60 + 4]


async def test_without_an_owner_nothing_is_committed():
    told = []
    metering = Metering(None, KEY, Site().keep, told.append)
    task = asyncio.create_task(metering.run())
    for at_s in (START_S - 5, START_S + 5, START_S + 55, START_S + 65):
        metering.observe(image(at_s, float(at_s - START_S + 1000)), at_s * 1000)
        await asyncio.sleep(0)
    task.cancel()
    assert told == []
