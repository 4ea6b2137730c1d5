"""Each rule of docs/add-a-device.md refuses its one bad profile, and says where and why."""

import re
from pathlib import Path

import pytest

from shared.errors import ProfileInvalid
from shared.profiles import read
from shared.profiles.rules import RULES

METER = """
[profile]
id = "test.meter"
version = "1.0.0"
kind = "meter"
vendor = "Test"
models = ["M1"]
status = "unverified"
license = "none"

[[profile.sources]]
title = "manual"
date = 2026-01-01

[transport.modbus]
modes = ["tcp"]
max_read_registers = 4

[[identify]]
read = "frequency"
expect = { range = [45.0, 65.0] }
confidence = 0.9

[[point]]
name = "frequency"
unit = "Hz"
table = "input"
address = 0x10
type = "u16"
scale = 0.1

[[point]]
name = "energy.import"
unit = "Wh"
table = "input"
address = 0x20
type = "u64"
invalid = ["FFFFFFFFFFFFFFFF"]

[[vector]]
raw = { "0x10" = ["01F4"], "0x20" = ["0000", "0000", "0000", "0001"] }
expect = { "frequency" = 50.0, "energy.import" = 1 }
"""

PDU = """
[profile]
id = "test.pdu"
version = "1.0.0"
kind = "pdu"
vendor = "Test"
models = ["P1"]
status = "unverified"
license = "none"

[[profile.sources]]
title = "manual"
date = 2026-01-01

[transport.http]
dialect = "shelly"
auth = "none"

[[identify]]
read = "outlet.on"
expect = { regex = "on|off" }
confidence = 0.9

[[point]]
name = "outlet.on"
request = "status"
json_pointer = "/on"
enum = { true = "on", false = "off" }

[[point]]
name = "outlet.power"
unit = "W"
request = "status"
json_pointer = "/w"

[[command]]
name = "switch_outlet"
steps = [{ http = { method = "GET", path = "/set?id=${outlet}&on=${state}" } }]
[command.readback]
point = "outlet.power"
echo = "outlet.on"
by = "state"
expect = { off = [0.0, 1.0], on = [1.0, 9.0] }
within_ms = 1000
[command.params]
outlet = { type = "outlet", max = 4 }
state = { type = "enum", enum = { off = 0, on = 1 } }

[[vector]]
request = "status"
raw = '{"on":true,"w":5}'
expect = { "outlet.on" = "on", "outlet.power" = 5 }
[[vector.write]]
command = "switch_outlet"
params = { outlet = 1, state = "off" }
request = "GET /set?id=1&on=0"
[[vector.write]]
command = "switch_outlet"
params = { outlet = 1, state = "on" }
request = "GET /set?id=1&on=1"
"""

READBACK = PDU[PDU.index("[command.readback]") : PDU.index("[command.params]")]
IN_JSON = 'request = "x"\njson_pointer = "/x"\n'
TWO_TRANSPORTS = '[transport.http]\ndialect = "shelly"\nauth = "none"\n[transport.modbus]'
SHOWN_ON = 'params = { outlet = 1, state = "on" }'

# rule, good profile, what is replaced, by what, what the sentence must name
BAD = [
    ("profile.identity", METER, 'version = "1.0.0"', 'version = "one"', "profile.version"),
    ("profile.identity", METER, 'id = "test.meter"', 'id = "Test Meter"', "profile.id"),
    ("profile.identity", METER, 'id = "test.meter"', 'id = "test.other"', "the file's name"),
    ("profile.source-undated", METER, "date = 2026-01-01", "", "'manual'"),
    ("profile.transport", METER, 'table = "input"\naddress = 0x10\n', IN_JSON, "frequency"),
    ("profile.transport", METER, "[transport.modbus]", TWO_TRANSPORTS, "exactly one"),
    ("profile.point-name", METER, 'unit = "Hz"', 'unit = "kHz"', "'Hz'"),
    ("profile.point-name", METER, 'name = "energy.import"', 'name = "energy.imported"', "energy.imported"),
    ("profile.point-name", METER, 'name = "energy.import"\nunit = "Wh"', 'name = "frequency"\nunit = "Hz"', "twice"),
    ("profile.decoding", METER, '"FFFFFFFFFFFFFFFF"]\n', '"FFFF"]\n', "16 hex digits"),
    ("profile.decoding", METER, "scale = 0.1", 'scale_point = "scale.hz"', "scale.hz"),
    ("profile.decoding", METER, "scale = 0.1", "valid_range = [65.0, 45.0]", "valid_range"),
    ("profile.point-overlap", METER, "address = 0x20", "address = 0x0E", "share registers"),
    ("profile.read-limit", METER, "max_read_registers = 4", "max_read_registers = 3", "never split"),
    ("profile.read-limit", METER, "max_read_registers = 4", "max_read_registers = 126", "1 to 125"),
    ("profile.read-limit", METER, "max_read_registers = 4", "single_reads = [0x30]", "0x0030"),
    ("profile.read-limit", METER, "max_read_registers = 4", 'address_base = "modicon"', "address_base"),
    ("profile.identify", METER, "confidence = 0.9", "confidence = 0.5", "confidence"),
    ("profile.identify", METER, 'read = "frequency"', 'read = "voltage.l1"', "voltage.l1"),
    ("profile.identify", METER, "{ range = [45.0, 65.0] }", '{ range = [45.0, 65.0], regex = "50" }', "exactly one"),
    ("profile.point-without-vector", METER, ', "energy.import" = 1 }', " }", "energy.import"),
    ("profile.vector", METER, '["01F4"]', '["1F4"]', "four hex digits"),
    ("profile.vector", METER, '"0x20" = ["0000", ', '"0x20" = [', "energy.import"),
    ("profile.vector", METER, '"energy.import" = 1 }', '"energy.import" = 1, "energy.export" = 1 }', "energy.export"),
    ("profile.vector", PDU, 'request = "status"\nraw', 'request = "other"\nraw', "answered by"),
    ("profile.command-without-readback", PDU, READBACK, "", "nothing would prove"),
    ("profile.command-without-readback", PDU, ", on = [1.0, 9.0]", "", "every word"),
    ("profile.command-without-readback", PDU, 'echo = "outlet.on"', 'echo = "outlet.power"', "echoes"),
    ("profile.command-template", PDU, "&on=${state}", "&on=${other}", "'other', 'state'"),
    ("profile.command-template", PDU, "max = 4", "max = 0", "outlet"),
    ("profile.command-template", PDU, "{ off = 0, on = 1 }", "{ off = 1, on = 1 }", "state"),
    ("profile.command-vector", PDU, SHOWN_ON, SHOWN_ON.replace("on", "off"), "'on'"),
    ("profile.command-vector", PDU, 'request = "GET /set?id=1&on=1"', 'request = "GET /set?id=1&on=2"', "sends GET"),
]  # fmt: skip


def written(folder: Path, text: str, name: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "name"), [(METER, "test.meter"), (PDU, "test.pdu")])
def test_the_good_profiles_are_good(tmp_path: Path, text: str, name: str) -> None:
    assert read(written(tmp_path, text, name)).id == name


@pytest.mark.parametrize(("rule", "good", "old", "new", "named"), BAD)
def test_a_violation_is_refused_with_its_rule(
    tmp_path: Path, rule: str, good: str, old: str, new: str, named: str
) -> None:
    assert good.count(old) >= 1
    path = written(tmp_path, good.replace(old, new, 1), "test.meter" if good is METER else "test.pdu")
    with pytest.raises(ProfileInvalid, match=re.escape(f"[{rule}]")) as caught:
        read(path)
    assert str(path) in caught.value.detail
    assert named in caught.value.detail


def test_every_rule_has_a_bad_profile_and_a_line_in_the_documentation() -> None:
    document = (Path(__file__).parents[3] / "docs" / "add-a-device.md").read_text()
    assert {rule for rule, *_ in BAD} == set(RULES)
    assert set(re.findall(r"`(profile\.[a-z-]+)`", document)) == set(RULES)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('type = "u16"', 'type = "u17"', "u17"),
        ("scale = 0.1", "scal = 0.1", "scal"),
        ('kind = "meter"', 'kind = "toaster"', "toaster"),
        ("[[identify]]", "[[identify", "line"),
        ('table = "input"', 'table = "coil"', "coil"),
    ],
)
def test_what_the_schema_does_not_know_is_an_error(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(ProfileInvalid, match=named):
        read(written(tmp_path, METER.replace(old, new, 1), "test.meter"))


def test_registers_may_be_shared_where_it_is_declared(tmp_path: Path) -> None:
    shared = METER.replace("address = 0x20", 'address = 0x0E\noverlaps = ["frequency"]')
    shared = shared.replace(
        '"0x10" = ["01F4"], "0x20" = ["0000", "0000", "0000", "0001"]', '"0x0E" = ["0000", "0000", "01F4", "0001"]'
    )
    assert read(written(tmp_path, shared, "test.meter")).by_name["energy.import"].overlaps == ("frequency",)
