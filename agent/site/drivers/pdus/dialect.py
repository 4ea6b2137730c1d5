"""What a protocol family must bring to be driven as a PDU, and what all of them share on the way to a JSON answer."""

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from agent.site.devices.reading import EVIDENCE_BYTES, Evidence, OutletReading, qualities
from agent.site.drivers.measured import NOTHING, Measured
from agent.site.drivers.pdus.proof import FIELDS
from agent.site.transports.http import HttpReply
from shared.errors import ProtocolViolation
from shared.profiles.command import HttpStep
from shared.wire.telemetry import OUTLET_FIELDS


class Http(Protocol):
    """As `agent.site.transports.http.HttpTransport` does it."""

    async def request(
        self, method: str, path: str, *, body: bytes | None = None, content_type: str = "application/json"
    ) -> HttpReply: ...

    async def aclose(self) -> None: ...


class Outlets(msgspec.Struct, frozen=True):
    readings: tuple[OutletReading, ...]
    evidence: tuple[Evidence, ...]


class Dialect(Protocol):
    """Outlets count from 1 on this side."""

    async def nameplate(self) -> Mapping[str, Measured]:
        """The `identity.*` points."""
        ...

    async def read(self, numbers: Sequence[int] | None) -> Outlets:
        """These outlets in this order, or all. `Unsupported` for one that does not exist."""
        ...

    async def send(self, step: HttpStep) -> Evidence:
        """One step of a command; returns what the device answered once it said yes."""
        ...


def outlet_reading(number: int, measured: Mapping[str, Measured]) -> OutletReading:
    state = measured.get("outlet.on", NOTHING)
    marks = {field: measured.get(name, NOTHING).quality for name, field in FIELDS.items()}
    values = {field: _number(measured.get(name, NOTHING)) for name, field in FIELDS.items()}
    return OutletReading(
        outlet=number,
        quality=qualities(OUTLET_FIELDS, {"on": state.quality, **marks}),
        on=None if state.value is None else state.value == "on",
        **values,
    )


def _number(measured: Measured) -> float | None:
    return None if isinstance(measured.value, str) else measured.value


def json_of(asked: str, body: bytes) -> object:
    """`ProtocolViolation` where the body is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation(f"{asked}: the answer is no JSON: {body[:60]!r}") from error


def evidence_of(asked: str, body: bytes) -> Evidence:
    return Evidence(asked, body[:EVIDENCE_BYTES])
