"""HTTPS to devices: their certificate is pinned, or signed by an authority that the settings name; never just taken.

Devices on a site's network mostly show a certificate that they signed themselves, often for a name of the factory. For
those a pin (SHA-256 of the certificate) is the stronger check: name and dates do not matter then.
"""

import hashlib
import re
import ssl
from collections.abc import Sequence
from pathlib import Path

from shared.errors import DeviceUntrusted, ProtocolViolation, SettingInvalid

_DIGITS = re.compile(r"[0-9a-f]{64}")
_NAME_MISMATCHES = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


class Trust:
    """How to know the devices of a class: by `fingerprints` or by `ca_file`, one of the two. TLS 1.2 is the least.

    `name` is where that is written, for SettingInvalid, which names what does not serve. OpenSSL itself ends a
    handshake whose messages grow beyond about 100 kB.
    """

    def __init__(self, name: str, *, ca_file: Path | None = None, fingerprints: Sequence[str] = ()) -> None:
        if (ca_file is None) == (not fingerprints):
            raise SettingInvalid(f"{name}: set either ca_file or fingerprints")
        self._pins = frozenset(normal_fingerprint(name, text) for text in fingerprints)
        self.context = _verifying(name, ca_file) if ca_file is not None else _pinning()

    def check(self, place: str, shown: bytes | None) -> None:
        """DeviceUntrusted where the certificate (DER) is not a pinned one; with an authority OpenSSL has judged."""
        if not self._pins:
            return
        found = hashlib.sha256(shown or b"").hexdigest()
        if found not in self._pins:
            raise DeviceUntrusted(
                f"{place}: its certificate has the SHA-256 {found}, which is not pinned: compare it with the device's "
                "own page, then put it into fingerprints"
            )


def normal_fingerprint(name: str, text: str) -> str:
    """64 lower-case hex digits, from the forms that browsers and openssl show; SettingInvalid for anything else."""
    digits = text.lower().removeprefix("sha256").strip(" :=").replace(":", "").replace(" ", "")
    if not _DIGITS.fullmatch(digits):
        raise SettingInvalid(f"{name}: fingerprint {text[:20]!r}… must be a SHA-256: 64 hex digits, colons or not")
    return digits


def handshake_failed(place: str, error: ssl.SSLError) -> DeviceUntrusted | ProtocolViolation:
    """The error of a handshake that OpenSSL ended."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or "ended without a word").lower().replace("_", " ")
        return ProtocolViolation(f"{place}: no TLS: {reason}; does the device offer HTTPS on this port?")
    if error.verify_code in _NAME_MISMATCHES:
        mend = "give the device a certificate for the address in the site's file, or pin its fingerprint instead"
    else:
        mend = "have it signed by the authority in ca_file, or pin its fingerprint instead"
    return DeviceUntrusted(f"{place}: its certificate does not serve ({error.verify_message}): {mend}")


def _verifying(name: str, ca_file: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        raise SettingInvalid(f"{name}: {ca_file}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _pinning() -> ssl.SSLContext:
    """OpenSSL proves that the peer holds the key of the certificate it shows; `Trust.check` judges which that is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
