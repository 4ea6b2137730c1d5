"""Instruments of a site's file become drivers, over real sockets."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from agent.site.drivers.meters import meter
from agent.site.drivers.pdus import pdu
from agent.site.transports.http import BasicAuth
from agent.site.transports.modbus import ModbusGateways
from shared.errors import AuthFailed, ProfileInvalid, SettingInvalid, Unreachable
from shared.site import Instrument

from .pdus.devices import Wire, XerusDevice


def instrument(profile: str, **more: object) -> Instrument:
    return Instrument(id="i-1", profile=profile, address="127.0.0.1", **more)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A Xerus PDU that lets `agent` in with `secret`."""
    device = Wire(XerusDevice())
    expected = b"Basic " + base64.b64encode(b"agent:secret")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request, *fields = head.split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(b":") for field in fields)}
        body = await reader.readexactly(int(headers[b"content-length"]))
        method, path, _ = request.decode().split(" ")
        status, raw = 401, b""
        if headers.get(b"authorization") == expected:
            reply = await device.request(method, path, body=body)
            status, raw = reply.status, reply.body
        writer.write(b"HTTP/1.1 %d x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (status, len(raw), raw))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_a_pdu_is_reached_with_its_login(port: int) -> None:
    driver = pdu(instrument("raritan.xerus"), BasicAuth("agent", "secret"), {80: port})
    assert len((await driver.read()).outlets) == 4
    await driver.aclose()
    stranger = pdu(instrument("raritan.xerus", port=port), BasicAuth("agent", "wrong"), {})
    with pytest.raises(AuthFailed):
        await stranger.read()
    await stranger.aclose()


async def test_meters_behind_one_gateway_share_it() -> None:
    gateways = ModbusGateways()
    first = meter(instrument("eastron.sdm630", unit=1), {502: 1}, gateways)
    second = meter(instrument("abb.b23", unit=2), {502: 1}, gateways)
    assert first._registers is second._registers
    with pytest.raises(Unreachable):
        await first.read()
    await gateways.aclose()


async def test_what_the_file_says_wrongly_is_named() -> None:
    gateways = ModbusGateways()
    with pytest.raises(ProfileInvalid, match=r"eastron\.sdm630"):
        meter(instrument("eastron.sdm63"), {}, gateways)
    with pytest.raises(SettingInvalid, match="meter 'i-1': mode must be one of tcp, not 'serial'"):
        meter(instrument("janitza.umg96rm-e", mode="serial"), {}, gateways)
    with pytest.raises(ProfileInvalid, match="no pdu profile"):
        pdu(instrument("apc.rpdu2"), None, {})
