"""Every form of section 7 of the protocol reference, and bytes that nobody has seen yet."""

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.site.drivers.miners.field import count, flag, mac, number, text
from agent.site.drivers.miners.reply import MAX_DEPTH, MENDABLE_BYTES, document, rows, status, strict_document
from shared.errors import ProtocolViolation


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        (b'{"a":1}\0', {"a": 1}),
        (b'{"a":1}\0\0\r\n', {"a": 1}),
        (b'{"a":1,}', {"a": 1}),
        (b'{"a":[1,2,],}', {"a": [1, 2]}),
        (b'{"STATS":[{"a":1}{"b":2}],"id":1}', {"STATS": [{"a": 1}, {"b": 2}], "id": 1}),
        (b'{"a":"one\ntwo"}', {"a": "one two"}),
        (b'{,"id":1}', {"id": 1}),
        (b'{"a":inf,"b":-nan,"c":2}', {"a": None, "b": None, "c": 2}),
        (b'{"chain_acn4":63"temp0":41}', {"chain_acn4": 63, "temp0": 41}),
        (b'{"error_code":{"218","219"}}', {"error_code": ["218", "219"]}),
        (b'{"fw":"\'20230803.11.REL\'","x":1,}', {"fw": "'20230803.11.REL'", "x": 1}),
        (b'{"text":"a,}b}{c,\\"id\\":1}",}', {"text": 'a,}b}{c,"id":1}'}),
        (b'{"Pool Stale%%":0.5}', {"Pool Stale%%": 0.5}),
    ],
)
def test_documented_forms(raw, meant):
    assert document(raw, "x") == meant


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0",
        b"[]",
        b"null",
        b'"text"',
        b"<html><body>401</body></html>",
        b"Socket connect failed",
        b'{"a":[1,2',
        b'{"a":"cut',
        b'{"a"',
        b'{"a":',
        b'{"a":}',
        b'{"a":1}{"b":2}',
        b'{"a":1}trailing',
        b'{"a":tru}',
        b'{"a":"\xff"}',
        b'{"a":1 2}',
        b"{1:2}",
        b'{"a":1,"b"}',
        b'{"a":1e999}',
        b"[" * 100_000,
        b'{"a":' * (MAX_DEPTH + 2) + b"1" + b"}" * (MAX_DEPTH + 2) + b",",
    ],
)
def test_everything_else_is_refused(raw):
    with pytest.raises(ProtocolViolation):
        document(raw, "x")


def test_long_replies_are_not_mended():
    filler = b'"' + b"x" * MENDABLE_BYTES + b'"'
    assert document(b'{"a":' + filler + b"}", "x")
    with pytest.raises(ProtocolViolation):
        document(b'{"a":' + filler + b",}", "x")


@pytest.mark.parametrize("raw", [b'{"a":1,}', b'{"a":[{}{}]}', b'{"a":nan}'])
def test_what_a_write_depends_on_is_never_mended(raw):
    with pytest.raises(ProtocolViolation):
        strict_document(raw, "x")


def test_mending_is_bounded_in_time():
    for raw in (
        b"{" * MENDABLE_BYTES,
        b'{"' * (MENDABLE_BYTES // 2),
        b"\\" * MENDABLE_BYTES,
        b'{"a":"' + b"\\" * 65_000,
    ):
        started_s = time.process_time()
        with pytest.raises(ProtocolViolation):
            document(raw, "x")
        assert time.process_time() - started_s < 0.5


@given(st.binary(max_size=400))
def test_any_bytes(raw):
    with suppress(ProtocolViolation):
        assert isinstance(document(raw, "x"), dict)


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9), st.lists),
    ),
    st.data(),
)
def test_any_damage_to_a_reply(value, data):
    raw = json.dumps(value).encode()
    at = data.draw(st.integers(0, len(raw)))
    for damaged in (raw[:at], raw[:at] + b"," + raw[at:], raw[:at] + raw[at + 1 :]):
        with suppress(ProtocolViolation):
            assert isinstance(document(damaged, "x"), dict)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=12) | st.floats(allow_nan=False, allow_infinity=False)))
def test_mending_changes_no_value(value):
    raw = json.dumps(value).encode()
    assert document(raw[:-1] + b",}", "x") == value


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (5, 5.0),
        (5.5, 5.5),
        ("5.50", 5.5),
        (" 12 ", 12.0),
        ("1e3", 1000.0),
        ("", None),
        ("inf", None),
        ("nan", None),
        ("58.94W", None),
        ("0x10", None),
        (True, None),
        (None, None),
        ([1], None),
        (10**400, None),
        ("9" * 30, None),
    ],
)
def test_numbers(value, meant):
    assert number({"k": value}, "k") == meant


def test_the_first_key_that_holds_a_number_counts():
    assert number({"a": "", "b": 0, "c": 5}, "a", "b", "c") == 0


@pytest.mark.parametrize(
    ("value", "meant"), [(5, 5), ("5", 5), (5.0, 5), (5.5, None), (-1, None), (2**60, None), ("", None)]
)
def test_counts(value, meant):
    assert count({"k": value}, "k") == meant


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (True, True),
        ("true", True),
        ("FALSE", False),
        (1, True),
        (0, False),
        ("0", False),
        (2, None),
        ("yes", None),
        (None, None),
    ],
)
def test_flags(value, meant):
    assert flag({"k": value}, "k") is meant


def test_texts_and_macs():
    assert text({"a": " ", "b": " x "}, "a", "b") == "x"
    assert text({"a": 5}, "a") == ""
    assert mac({"m": "C41104001122"}, "m") == mac({"m": "c4:11:04:00:11:22"}, "m") == "c4:11:04:00:11:22"
    assert mac({"m": "none"}, "m") == ""


@pytest.mark.parametrize(
    ("reply", "letter", "code"),
    [
        ({"STATUS": [{"STATUS": "S", "Code": 11, "Msg": "Summary"}]}, "S", 11),
        ({"STATUS": "E", "Code": 14, "Msg": "invalid cmd"}, "E", 14),
        ({"STATUS": {"STATUS": "I"}}, "I", None),
        ({"STATUS": []}, "", None),
        ({"STATUS": 5, "Code": "x", "Msg": []}, "", None),
        ({}, "", None),
    ],
)
def test_status_in_every_shape(reply, letter, code):
    said = status(reply)
    assert (said.letter, said.code) == (letter, code)


def test_rows():
    assert rows({"A": [{"x": 1}, 2, None]}, "A") == [{"x": 1}]
    assert rows({"A": {"x": 1}}, "A") == [{"x": 1}]
    assert rows({"A": "x"}, "A") == rows({}, "A") == []
