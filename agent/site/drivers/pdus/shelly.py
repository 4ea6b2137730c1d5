"""Shelly, second generation and later: one GET for each outlet, counted from 0 (`/rpc/Switch.GetStatus?id=0`).

Source: the vendor's device API documentation. An outlet that does not exist answers with error −105 or status 404.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from agent.site.devices.reading import Evidence
from agent.site.drivers.measured import Measured
from agent.site.drivers.pdus.dialect import Http, Outlets, evidence_of, json_of, outlet_reading
from agent.site.drivers.pdus.document import at, decode
from shared.errors import AuthFailed, ProtocolViolation, Rejected, Unsupported
from shared.profiles import Profile
from shared.profiles.command import HttpStep

_NAMEPLATE: Final = "Shelly.GetDeviceInfo"
_STATUS: Final = "Switch.GetStatus"
_MOST_OUTLETS: Final = 16
_NOT_FOUND: Final = -105


class Shelly:
    """A `Dialect`. How many outlets there are is asked once."""

    def __init__(self, http: Http, profile: Profile) -> None:
        self._http = http
        self._count: int | None = None
        self._nameplate = [point for point in profile.points if point.request == _NAMEPLATE]
        self._status = [point for point in profile.points if point.request == _STATUS]

    async def nameplate(self) -> Mapping[str, Measured]:
        document, _ = await self._get(f"/rpc/{_NAMEPLATE}")
        return decode(self._nameplate, document)

    async def read(self, numbers: Sequence[int] | None) -> Outlets:
        wanted = numbers if numbers is not None else range(1, await self._outlets() + 1)
        answers = [(number, *await self._get(_status_path(number))) for number in wanted]
        readings = tuple(outlet_reading(number, decode(self._status, document)) for number, document, _ in answers)
        return Outlets(readings, tuple(evidence for _, _, evidence in answers))

    async def send(self, step: HttpStep) -> Evidence:
        document, evidence = await self._get(step.path)
        if not isinstance(at(document, "/was_on"), bool):
            raise ProtocolViolation(f"{step.path}: the answer does not say what the outlet was before")
        return evidence

    async def _outlets(self) -> int:
        if self._count is None:
            for number in itertools.count(1):
                if number > _MOST_OUTLETS or not await self._exists(number):
                    break
            if number == 1:
                raise Unsupported("this Shelly has no switchable outlet")
            self._count = number - 1
        return self._count

    async def _exists(self, number: int) -> bool:
        try:
            await self._get(_status_path(number))
        except Unsupported:
            return False
        return True

    async def _get(self, path: str) -> tuple[object, Evidence]:
        reply = await self._http.request("GET", path)
        if reply.status in (401, 403):
            raise AuthFailed(f"{path}: the device asks for a user and password")
        if reply.status == 200:
            return json_of(path, reply.body), evidence_of(f"GET {path}", reply.body)
        document = json_of(path, reply.body) if reply.body.startswith(b"{") else None
        code, text = at(document, "/code"), str(at(document, "/message"))[:200]
        if reply.status == 404 or code == _NOT_FOUND:
            raise Unsupported(f"{path}: the device has no such outlet or method")
        if code is None:
            raise ProtocolViolation(f"{path}: HTTP status {reply.status}")
        raise Rejected(f"{path}: refused: {text} (code {code})")


def _status_path(number: int) -> str:
    return f"/rpc/{_STATUS}?id={number - 1}"
