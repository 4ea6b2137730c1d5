"""The certificate that a device makes for itself in the factory: signed by its own key, for a name nobody uses."""

import hashlib
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_MADE = datetime(2020, 1, 1, tzinfo=UTC)
_LIFE = timedelta(days=20 * 365)


class DeviceCertificate:
    """`fingerprint` is what the device's own page shows: SHA-256, in hex with colons."""

    def __init__(self, name: str = "raritan-pdu") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_MADE)
            .not_valid_after(_MADE + _LIFE)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def fingerprint(self) -> str:
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        return hashlib.sha256(der).digest().hex(":").upper()

    def context(self) -> ssl.SSLContext:
        """For a server; the key is on the disk only while OpenSSL reads it."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "device.pem"
            file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM) + key)
            context.load_cert_chain(file)
        return context
