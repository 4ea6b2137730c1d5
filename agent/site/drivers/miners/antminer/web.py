"""Bitmain's CGI requests over HTTP Digest."""

import msgspec

from agent.site.drivers.miners.field import mac, text
from agent.site.drivers.miners.reply import Row, document, strict_document
from agent.site.drivers.miners.web import accepted, web_document
from agent.site.transports.http import HttpTransport
from shared.errors import ProtocolViolation, Rejected

_LIGHT_CODES = ("B000", "B100")  # on, off


class AntminerWeb:
    def __init__(self, http: HttpTransport) -> None:
        self._http = http

    async def read(self, name: str) -> Row:
        """The document of a reading request."""
        return web_document(await self._http.request("GET", _path(name)), name)

    async def configuration(self) -> tuple[bytes, Row]:
        """`get_miner_conf` raw and read strictly: what is posted back must have arrived unharmed."""
        raw = accepted(await self._http.request("GET", _path("get_miner_conf")), "get_miner_conf")
        return raw, strict_document(raw, "get_miner_conf")

    async def mac(self) -> str:
        return mac(await self.read("get_system_info"), "macaddr")

    async def write(self, name: str, body: Row) -> str:
        """What the device says to a write; `Rejected` where it says no."""
        raw = accepted(await self._http.request("POST", _path(name), body=msgspec.json.encode(body)), name)
        reply = document(raw, name)
        code, said = text(reply, "code"), text(reply, "stats")
        if said == "success" or code in _LIGHT_CODES:
            return f"{name}: {code} {text(reply, 'msg')}".strip()
        if said:
            raise Rejected(f"{name}: {said} {code} {text(reply, 'msg')}")
        raise ProtocolViolation(f"{name}: {raw[:80].decode('ascii', 'replace')!r} says neither yes nor no")

    async def aclose(self) -> None:
        await self._http.aclose()


def _path(name: str) -> str:
    return f"/cgi-bin/{name}.cgi"
