"""Each profile's vectors: the raw answers of a machine, and every value that a full poll makes of them.

The answers are written by us in the formats that the profile's sources publish; none was taken from a device.
"""

import pytest

from agent.site.devices.reading import quality_of, usable
from agent.site.drivers.miners import FAMILIES, Credentials, miner_profiles
from agent.site.drivers.miners.profile import MinerProfile, Vector
from shared.states import OpState
from shared.wire.telemetry import MINER_FIELDS

CASES = [
    pytest.param(profile, vector, id=f"{family}: {vector.note}")
    for family, profile in miner_profiles().items()
    for vector in profile.vector
]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_profile_has_one_of_a_machine_that_hashes_and_one_of_a_machine_that_does_not(family):
    states = {vector.expect["op_state"] for vector in miner_profiles()[family].vector}
    assert "hashing" in states
    assert states - {"hashing"}


@pytest.mark.parametrize(("profile", "vector"), CASES)
async def test_a_full_poll_makes_of_the_answers_what_the_vector_expects(
    profile: MinerProfile, vector: Vector, socket_device, web_device, ports
):
    for asked, answer in vector.replies.items():
        device = web_device if asked.startswith("GET ") else socket_device
        device.answers[asked] = answer.encode()
    driver = FAMILIES[profile.family]("127.0.0.1", ports, Credentials("user", "secret"), profile)
    try:
        await driver.identify()
        reading = await driver.read_full()
    finally:
        await driver.aclose()
    assert set(vector.expect) == {*MINER_FIELDS, "op_state"}, "every field, also what must stay absent"
    assert reading.op_state is OpState[str(vector.expect["op_state"]).upper()]
    for field in MINER_FIELDS:
        expected = vector.expect[field]
        if expected == "absent":
            assert usable(reading, field) is None, field
        else:
            assert usable(reading, field) == pytest.approx(expected), (field, quality_of(reading, field))
