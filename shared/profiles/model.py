"""The schema of a device profile: what a TOML file in firmware_profiles/ may say. Unknown keys are errors."""

import datetime
import functools
import re
from typing import Literal

import msgspec

from shared.profiles.command import Argument, Command
from shared.profiles.point import Point, WordOrder
from shared.states import DeviceKind

SURE = 0.9
"""Confidence that an identification must reach; below it the answer is "refuse", never the best guess."""

ROUNDING = 1e-9
"""Sums of confidences such as 0.35 are not exact."""

ModbusMode = Literal["tcp", "rtu_over_tcp"]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the facts come from; `date` is when they were read there."""

    title: str
    date: datetime.date | None = None
    rev: str = ""
    sha256: str = ""
    note: str = ""


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` is `<vendor>.<model>` and the file's name. `status`: from the vendor, checked on a device, or neither."""

    id: str
    version: str
    kind: DeviceKind
    vendor: str
    models: tuple[str, ...]
    status: Literal["official", "bench", "unverified"]
    license: str
    sources: tuple[Source, ...]


class ModbusSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`modes` in the order of preference. `address_base`: addresses in the file are protocol addresses (0), documented
    numbers counting from 1 (1), or 3xxxx/4xxxx references ("modicon"). `single_reads` are addresses that the device
    answers only on their own.
    """

    modes: tuple[ModbusMode, ...]
    port: int = 502
    word_order: WordOrder = "big"
    address_base: Literal[0, 1, "modicon"] = 0
    max_read_registers: int = 125
    max_gap: int = 0
    single_reads: tuple[int, ...] = ()
    inter_request_ms: int = 0
    connect_settle_ms: int = 0
    timeout_ms: int = 500


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`dialect` names the protocol family and so the driver."""

    dialect: Literal["xerus", "shelly"]
    auth: Literal["none", "basic", "digest"]
    port: int = 80


class Transport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    modbus: ModbusSettings | None = None
    http: HttpSettings | None = None


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of the three."""

    value: float | str | None = None
    regex: str | None = None
    range: tuple[float, float] | None = None

    def met_by(self, value: float | str | None) -> bool:
        """Nothing read meets nothing."""
        if value is None:
            return False
        if self.range is not None:
            return not isinstance(value, str) and self.range[0] <= value <= self.range[1]
        if self.regex is not None:
            return re.fullmatch(self.regex, str(value)) is not None
        return value == self.value

    def __str__(self) -> str:
        if self.range is not None:
            return f"{self.range[0]:g} to {self.range[1]:g}"
        return repr(self.regex if self.regex is not None else self.value)


class Identify(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read a point; as expected adds `confidence`, anything else rules the profile out."""

    read: str
    expect: Expectation
    confidence: float


class Quirk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`power-factor-four-quadrant`: power factors run from −2 to +2; beyond ±1 they are 2 − x and −2 − x."""

    effect: Literal["power-factor-four-quadrant"]
    note: str


class VectorWrite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command with its arguments and the exact bytes: `POST /path`, and the body."""

    command: str
    params: dict[str, Argument]
    request: str
    body: str = ""


class Vector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raw words by address ({"0x28" = ["CFC7", "FFFF"]}), or the body that answers `request`, and what it must read as.

    Addresses are written as in the points. The text "invalid" stands for: nothing that a rule may use.
    """

    raw: dict[str, tuple[str, ...]] | str = ""
    request: str = ""
    expect: dict[str, bool | float | str] = {}
    write: tuple[VectorWrite, ...] = ()


INVALID = "invalid"


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile file as TOML spells it."""

    profile: About
    transport: Transport
    identify: tuple[Identify, ...] = ()
    point: tuple[Point, ...] = ()
    command: tuple[Command, ...] = ()
    quirk: tuple[Quirk, ...] = ()
    vector: tuple[Vector, ...] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A checked profile. `sha256` is that of the file; it travels with what was read through the profile."""

    about: About
    transport: Transport
    identify: tuple[Identify, ...]
    points: tuple[Point, ...]
    commands: tuple[Command, ...]
    quirks: tuple[Quirk, ...]
    vectors: tuple[Vector, ...]
    sha256: str

    @property
    def id(self) -> str:
        return self.about.id

    @functools.cached_property
    def by_name(self) -> dict[str, Point]:
        return {point.name: point for point in self.points}

    def command(self, name: str) -> Command | None:
        return next((command for command in self.commands if command.name == name), None)

    def has_quirk(self, effect: str) -> bool:
        return any(quirk.effect == effect for quirk in self.quirks)
