"""Every vector of every PDU profile: answers through the decoder, orders as the exact bytes."""

import pytest

from agent.site.drivers.pdus.dialect import json_of
from agent.site.drivers.pdus.document import at, decode
from shared.profiles import INVALID, Profile, load_all
from shared.states import DeviceKind

PDUS = tuple(profile for profile in load_all() if profile.about.kind is DeviceKind.PDU)


@pytest.mark.parametrize("profile", PDUS, ids=lambda profile: profile.id)
def test_answers_decode_as_the_profile_says(profile: Profile) -> None:
    for number, vector in enumerate(profile.vectors, start=1):
        if not vector.expect:
            continue
        assert isinstance(vector.raw, str)
        points = [point for point in profile.points if point.request == vector.request]
        measured = decode(points, json_of(vector.request, vector.raw.encode()))
        for name, expected in vector.expect.items():
            value, quality = measured[name]
            place = f"vector {number}, {name}"
            if expected == INVALID:
                assert not quality.usable, place
            else:
                assert (value, quality.usable) == (expected, True), place


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", {"a": [{"b/c": 1, "~": 2}]}),
        ("/a/0/b~1c", 1),
        ("/a/0/~0", 2),
        ("/a/1", None),
        ("/a/x", None),
        ("/z/y", None),
    ],
)
def test_pointers(pointer: str, value: object) -> None:
    assert at({"a": [{"b/c": 1, "~": 2}]}, pointer) == value
