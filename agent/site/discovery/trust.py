"""Which instruments speak HTTPS, and how they are known: from the settings, checked against the site's file."""

from collections.abc import Mapping, Sequence

from agent.settings import DeviceTls
from agent.site.transports.tls import Trust
from shared.errors import SettingInvalid
from shared.site import Instrument


class Trusts:
    """SettingInvalid at once: a misspelt name would otherwise mean a password over plain HTTP."""

    def __init__(self, settings: Mapping[str, DeviceTls], pdus: Sequence[Instrument]) -> None:
        known = {name for pdu in pdus for name in (pdu.id, pdu.profile)}
        for name in settings:
            if name not in known:
                raise SettingInvalid(f"device_tls.{name}: no PDU of the site's file has this id or profile")
        self._trusts = {
            name: Trust(f"device_tls.{name}", ca_file=tls.ca_file, fingerprints=tls.fingerprints)
            for name, tls in settings.items()
        }

    def of(self, instrument: Instrument) -> Trust | None:
        """That of the instrument, else of its profile; None where it speaks plain HTTP."""
        return self._trusts.get(instrument.id) or self._trusts.get(instrument.profile)
