"""HTTPS to devices: pins, authorities, and peers that are slow, endless or no TLS at all."""

import asyncio
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent.site.transports.deadline import Deadlines
from agent.site.transports.http import BasicAuth, HttpTransport
from agent.site.transports.tls import Trust, normal_fingerprint
from shared.crypto.authority import Credential, Validity, issue_broker, new_root, store
from shared.errors import DeviceTimeout, DeviceUntrusted, ProtocolViolation, SettingInvalid, Unreachable
from tests.certificates import Authority, expired

QUICK = Deadlines(connect_s=0.3, handshake_s=0.5, first_byte_s=0.5, total_s=2.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Device:
    """An HTTPS server with this certificate that answers every request; `heard` are the bytes of requests."""

    def __init__(self, credential: Credential, folder: Path) -> None:
        self.credential = credential
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        store(credential, folder / "device.pem", folder / "device.key")
        self._context.load_cert_chain(folder / "device.pem", folder / "device.key")
        self.heard = b""
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.credential.certificate.public_bytes(Encoding.DER)).hexdigest()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                self.heard += await reader.readuntil(b"\r\n\r\n")
                writer.write(OK)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()


@pytest.fixture
async def device_of(tmp_path):
    """`device, port = await device_of(credential)`"""
    started: list[Device] = []

    async def start(credential: Credential) -> tuple[Device, int]:
        device = Device(credential, tmp_path / f"device-{len(started)}")
        started.append(device)
        return device, await device.start()

    yield start
    for device in started:
        await device.stop()


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path / "ours")


def self_signed() -> Credential:
    return new_root("pdu from the factory", Validity.of_days(1))


def client(port: int, trust: Trust, **options) -> HttpTransport:
    return HttpTransport("127.0.0.1", port, trust=trust, deadlines=QUICK, **options)


async def failure(kind: type[Exception], port: int, trust: Trust) -> str:
    http = client(port, trust, auth=BasicAuth("admin", "secret"))
    with pytest.raises(kind) as caught:
        await http.request("GET", "/")
    await http.aclose()
    return caught.value.detail


async def test_a_pinned_certificate_is_taken_and_its_connection_kept(device_of):
    device, port = await device_of(self_signed())
    http = client(port, Trust("t", fingerprints=(device.fingerprint,)), auth=BasicAuth("admin", "secret"))
    for _ in range(3):
        assert (await http.request("GET", "/x")).body == b"hi"
    assert device.connections == 1
    assert b"Basic " in device.heard
    await http.aclose()


async def test_one_of_several_pins_is_enough_whatever_its_dates(device_of, authority):
    device, port = await device_of(issue_broker(authority.root, ["factory"], expired()))
    http = client(port, Trust("t", fingerprints=("00" * 32, device.fingerprint)))
    assert (await http.request("GET", "/")).status == 200
    await http.aclose()


async def test_another_certificate_gets_no_byte_of_a_request(device_of):
    device, port = await device_of(self_signed())
    said = await failure(DeviceUntrusted, port, Trust("t", fingerprints=("ab" * 32,)))
    assert device.fingerprint in said
    assert "compare it with the device's own page" in said
    assert device.heard == b""


async def test_a_certificate_of_the_authority_for_this_address_is_taken(device_of, authority):
    _, port = await device_of(issue_broker(authority.root, ["127.0.0.1"], Validity.of_days(1)))
    http = client(port, Trust("t", ca_file=authority.ca_file))
    assert (await http.request("GET", "/")).status == 200
    await http.aclose()


async def test_one_for_another_address_is_not(device_of, authority):
    device, port = await device_of(issue_broker(authority.root, ["127.0.0.2"], Validity.of_days(1)))
    said = await failure(DeviceUntrusted, port, Trust("t", ca_file=authority.ca_file))
    assert "for the address in the site's file" in said
    assert device.heard == b""


@pytest.mark.parametrize("kind", ["self-signed", "other authority", "expired"])
async def test_what_the_authority_does_not_vouch_for_is_refused(device_of, authority, tmp_path, kind):
    shown = {
        "self-signed": self_signed,
        "other authority": lambda: issue_broker(
            Authority(tmp_path / "theirs").root, ["127.0.0.1"], Validity.of_days(1)
        ),
        "expired": lambda: issue_broker(authority.root, ["127.0.0.1"], expired()),
    }[kind]()
    device, port = await device_of(shown)
    assert "pin its fingerprint" in await failure(DeviceUntrusted, port, Trust("t", ca_file=authority.ca_file))
    assert device.heard == b""


async def test_a_peer_that_never_shakes_hands_is_given_up(serve):
    async def mute(reader, writer):
        await reader.read()

    server = await serve(mute)
    said = await failure(DeviceTimeout, server.port, Trust("t", fingerprints=("ab" * 32,)))
    assert "no connection within 0.8 s" in said


async def test_a_handshake_that_trickles_is_given_up(serve):
    async def trickle(reader, writer):
        writer.write(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # a handshake record of 16 kB, a server hello
        while True:
            writer.write(b"\x00")
            await writer.drain()
            await asyncio.sleep(0.05)

    server = await serve(trickle)
    await failure(DeviceTimeout, server.port, Trust("t", fingerprints=("ab" * 32,)))


async def test_what_is_no_tls_is_told_at_once(serve):
    async def plain(reader, writer):
        await reader.read(100)
        writer.write(OK)
        await writer.drain()

    server = await serve(plain)
    said = await failure(ProtocolViolation, server.port, Trust("t", fingerprints=("ab" * 32,)))
    assert "does the device offer HTTPS on this port?" in said


async def test_a_peer_that_hangs_up_is_unreachable(serve):
    async def hang_up(reader, writer):
        await reader.read(100)

    server = await serve(hang_up)
    await failure(Unreachable, server.port, Trust("t", fingerprints=("ab" * 32,)))


async def test_an_endless_certificate_is_not_swallowed(device_of):
    device, port = await device_of(bloated())
    said = await failure(ProtocolViolation, port, Trust("t", fingerprints=(device.fingerprint,)))
    assert "excessive message size" in said


def bloated() -> Credential:
    """A certificate of 200 kB."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bloated")])
    now = datetime.now(UTC)
    junk = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(200_000))
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return Credential(dated.add_extension(junk, critical=False).sign(key, hashes.SHA256()), key)


@pytest.mark.parametrize(
    "text", ["AB" * 32, ":".join(["ab"] * 32), "sha256:" + "ab" * 32, "SHA256 " + " ".join(["Ab"] * 32)]
)
def test_fingerprints_are_read_as_people_find_them(text):
    assert normal_fingerprint("t", text) == "ab" * 32


@pytest.mark.parametrize("text", ["", "ab" * 20, "xy" * 32, "ab" * 33, "sha1:" + "ab" * 20])
def test_what_is_no_sha_256_is_named(text):
    with pytest.raises(SettingInvalid, match=r"device_tls\.pdu-1: fingerprint"):
        Trust("device_tls.pdu-1", fingerprints=(text,))


def test_exactly_one_way_to_know_a_device(tmp_path, authority):
    for both in ({}, {"ca_file": authority.ca_file, "fingerprints": ("ab" * 32,)}):
        with pytest.raises(SettingInvalid, match=r"device_tls\.x: set either ca_file or fingerprints"):
            Trust("device_tls.x", **both)
    with pytest.raises(SettingInvalid, match=r"nowhere\.pem"):
        Trust("device_tls.x", ca_file=tmp_path / "nowhere.pem")
