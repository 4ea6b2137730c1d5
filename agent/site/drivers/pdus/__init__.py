"""PDUs: `pdu` is the driver, `xerus` and `shelly` are dialects, `document` decodes, `proof` judges."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from agent.site.drivers.nameplate import Nameplate, nameplate
from agent.site.drivers.pdus.dialect import Dialect, Http
from agent.site.drivers.pdus.pdu import OutletPdu
from agent.site.drivers.pdus.shelly import Shelly
from agent.site.drivers.pdus.xerus import Xerus
from agent.site.transports.http import BasicAuth, DigestAuth, HttpTransport
from agent.site.transports.tls import Trust
from shared.profiles import Profile, load
from shared.site import Instrument
from shared.states import DeviceKind

__all__ = ["Credentials", "OutletPdu", "driver", "pdu"]


class Credentials(Protocol):
    @property
    def user(self) -> str: ...

    @property
    def password(self) -> str: ...


HTTPS_PORT: Final = 443
_DIALECTS: Final[dict[str, Callable[[Http, Profile], Dialect]]] = {"xerus": Xerus, "shelly": Shelly}


def pdu(
    instrument: Instrument, credentials: Credentials | None, ports: Mapping[int, int], trust: Trust | None = None
) -> OutletPdu:
    """The driver of a PDU in the site's file, by HTTPS where there is `trust`. `ports` maps standard ports to those in
    use here.
    """
    profile = load(DeviceKind.PDU, instrument.profile)
    settings = profile.transport.http
    assert settings is not None
    auth: BasicAuth | DigestAuth | None = None
    if credentials is not None and settings.auth != "none":
        scheme = BasicAuth if settings.auth == "basic" else DigestAuth
        auth = scheme(credentials.user, credentials.password)
    standard = settings.port if trust is None else HTTPS_PORT
    port = instrument.port or ports.get(standard, standard)
    return driver(HttpTransport(instrument.address, port, auth=auth, trust=trust), profile, nameplate(instrument))


def driver(http: Http, profile: Profile, expected: Nameplate | None = None) -> OutletPdu:
    """A PDU of this profile over `http`."""
    settings = profile.transport.http
    assert settings is not None
    return OutletPdu(http, _DIALECTS[settings.dialect](http, profile), profile, expected)
