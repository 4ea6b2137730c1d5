"""Which of our families answers at an address (reference: section 2). Every probe only reads.

A model name proves the hardware, not the firmware: an Antminer counts as stock only where its web interface does not
say that it is something else.
"""

from collections.abc import Mapping

import msgspec

from agent.site.devices.reading import DeviceIdentity
from agent.site.drivers.miners.credential import Credentials
from agent.site.drivers.miners.family import FAMILIES
from agent.site.drivers.miners.field import text
from agent.site.drivers.miners.link import Ports
from agent.site.drivers.miners.profile import miner_profiles
from agent.site.drivers.miners.reply import Row, document, rows
from agent.site.transports.cgminer import CgminerTransport
from agent.site.transports.http import HttpReply, HttpTransport
from shared.errors import AuthFailed, DeviceError, DeviceTimeout, ProtocolViolation
from shared.states import DeviceKind

ANTMINER, WHATSMINER, AXEOS = "antminer-stock", "whatsminer-v2", "axeos"
_OTHER_FIRMWARE = ("boser", "bosminer", "luxminer", "avalon", "bdminer", "gcminer", "fluxos", "kaonsu")
_OTHER_PAGES = ("anthillos", "braiins os", "luxor firmware", "miner web dashboard", "miner ui", "avalon")
_WHATSMINER_DRIVERS = ("btminer", "bitmicro")


class Guess(msgspec.Struct, frozen=True):
    """`certain` ends the search; a family of None that is certain belongs to somebody else's driver."""

    family: str | None = None
    certain: bool = False
    model: str = ""


_UNKNOWN = Guess()
_FOREIGN = Guess(certain=True)


async def identify(
    address: str, ports: Ports, credentials: Mapping[str, Credentials]
) -> tuple[str, DeviceIdentity] | None:
    """Family and identity; None where no driver of ours fits. `credentials` are by family.

    An identity without MAC means that the device wants a login that we do not have. Other errors of the device pass.
    """
    guess = await _by_socket(CgminerTransport(address, ports(4028)))
    if not guess.certain:
        guess = await _by_web(address, ports, guess)
    if guess.family is None:
        return None
    profile = miner_profiles()[guess.family]
    driver = FAMILIES[guess.family](address, ports, credentials.get(guess.family), profile)
    try:
        return guess.family, await driver.identify()
    except AuthFailed:
        kind = DeviceKind.MINER
        return guess.family, DeviceIdentity(kind=kind, family=guess.family, vendor=profile.vendor, model=guess.model)
    finally:
        await driver.aclose()


async def _by_socket(socket: CgminerTransport) -> Guess:
    try:
        version = document(await socket.ask(b'{"command":"version"}'), "version")
    except DeviceTimeout:
        return _UNKNOWN
    except DeviceError:
        version = {}  # a Whatsminer may refuse this one without a word
    said = str(version).lower()
    if any(word in said for word in _OTHER_FIRMWARE):
        return _FOREIGN
    model = next((text(row, "Type") for row in rows(version, "VERSION")), "")
    if "antminer" in model.lower():
        return Guess(ANTMINER, model=model)
    details = str(await _asked(socket, b'{"command":"devdetails"}')).lower()
    if any(word in details for word in _WHATSMINER_DRIVERS):
        return Guess(WHATSMINER, certain=True)
    versions = rows(await _asked(socket, b'{"cmd":"get_version"}') or {}, "Msg")
    api = next((text(row, "api_ver") for row in versions), "").lower().removeprefix("whatsminer v")
    return Guess(WHATSMINER, certain=True) if api.startswith(("1.", "2.")) else _UNKNOWN


async def _by_web(address: str, ports: Ports, guess: Guess) -> Guess:
    http = HttpTransport(address, ports(80))
    try:
        page = await _page(http, "/")
        if page is not None:
            if page.status == 401 and "antminer" in page.header("www-authenticate").lower():
                return Guess(ANTMINER, certain=True, model=guess.model)
            said = page.body[:65_536].decode("utf-8", "replace").lower()
            if any(word in said for word in _OTHER_PAGES) or (300 <= page.status < 400):
                return _FOREIGN
        if guess.family is None and _is_axeos(await _page(http, "/api/system/info")):
            return Guess(AXEOS, certain=True)
    finally:
        await http.aclose()
    return guess


async def _asked(socket: CgminerTransport, request: bytes) -> Row | None:
    """The reply, or None where the socket is closed, silent or speaks something else."""
    try:
        return document(await socket.ask(request), request.decode())
    except DeviceError:
        return None


async def _page(http: HttpTransport, path: str) -> HttpReply | None:
    try:
        return await http.request("GET", path)
    except DeviceError:
        return None


def _is_axeos(reply: HttpReply | None) -> bool:
    if reply is None or reply.status != 200:
        return False
    try:
        info = document(reply.body, "/api/system/info")
    except ProtocolViolation:
        return False
    return "hashRate" in info and "stratumURL" in info
