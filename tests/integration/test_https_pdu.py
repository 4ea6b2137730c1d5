"""A Xerus PDU by HTTPS, as delivered: its own certificate, Basic login, and a plain port that only sends there."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from agent.site.devices.ports import Effect
from agent.site.drivers.pdus import pdu
from agent.site.transports.http import BasicAuth
from agent.site.transports.tls import Trust
from hardware_sims.faults import FaultState
from hardware_sims.pdus import DeviceCertificate, OutletBank, XerusPdu, XerusServer
from shared.actions import SwitchOutlet
from shared.errors import AuthFailed, DeviceUntrusted, Unsupported
from shared.site import Instrument

LOGIN = BasicAuth("admin", "raritan")
XERUS = Instrument(id="pdu-1", profile="raritan.xerus", address="127.0.0.1")


class Lamp:
    """Draws a kilowatt while its outlet is on."""

    drawn_w, drawn_wh = 1_000.0, 0.0

    def set_outlet(self, on: bool) -> None:
        self.drawn_w = 1_000.0 if on else 0.0


@pytest.fixture
def certificate() -> DeviceCertificate:
    return DeviceCertificate()


@pytest.fixture
async def ports(certificate):
    """Those of a PDU with four lamps."""
    bank = OutletBank(
        [Lamp() for _ in range(4)], FaultState(), now_s=lambda: 0.0, voltage_v=lambda _outlet: 240.0, seed=1
    )
    device = XerusPdu(bank, mac="02:b5:ff:00:00:01", serial="PX1", start_unix_s=1_750_000_000.0)
    server = XerusServer(device, FaultState(), certificate)
    await server.start("127.0.0.1", lambda _standard: 0)
    yield server.ports
    await server.stop()


@asynccontextmanager
async def driven(*arguments):
    driver = pdu(XERUS, *arguments)
    try:
        yield driver
    finally:
        await driver.aclose()
        await asyncio.sleep(0)


async def test_it_is_read_switched_and_proven(ports, certificate):
    trust = Trust("device_tls.pdu-1", fingerprints=(certificate.fingerprint,))
    async with driven(LOGIN, ports, trust) as driver:
        assert (await driver.identify()).serial == "PX1"
        order = SwitchOutlet(outlet=2, on=False)
        before = await driver.prepare(order)
        assert before.power_w == pytest.approx(1_000, rel=0.02)
        await driver.apply(order)
        assert (await driver.read_back(order, before)).effect is Effect.SHOWN


async def test_another_certificate_is_told_apart(ports):
    stranger = Trust("device_tls.pdu-1", fingerprints=(DeviceCertificate().fingerprint,))
    async with driven(LOGIN, ports, stranger) as driver:
        with pytest.raises(DeviceUntrusted, match="is not pinned"):
            await driver.read()


async def test_a_wrong_password_is_still_one(ports, certificate):
    trust = Trust("device_tls.pdu-1", fingerprints=(certificate.fingerprint,))
    async with driven(BasicAuth("admin", "wrong"), ports, trust) as driver:
        with pytest.raises(AuthFailed):
            await driver.read()


async def test_plain_http_is_sent_away_and_the_setting_named(ports):
    async with driven(LOGIN, ports) as driver:
        with pytest.raises(Unsupported, match="set device_tls for it"):
            await driver.read()
