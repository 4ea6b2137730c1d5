"""Certificates for deployments without an authority of their own: one root, and what it issues to brokers and nodes.

P-256 throughout. A node's common name is its name in topics, because the broker takes it for the user name; a URI also
tells the site. Keys are written readable by their owner only.
"""

import ipaddress
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import SettingInvalid, SettingMissing

_BACKDATED: Final = timedelta(minutes=10)  # the clocks of small machines are slow at their first start
_OWNER_ONLY: Final = 0o600
_NOTHING: Final = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


class Credential(NamedTuple):
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Validity(NamedTuple):
    starts: datetime
    ends: datetime

    @classmethod
    def of_days(cls, days: int) -> "Validity":
        """From now, and a little before it."""
        now = datetime.now(UTC)
        return cls(now - _BACKDATED, now + timedelta(days=days))


def new_root(name: str, validity: Validity) -> Credential:
    """An authority that signs itself and may issue leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    builder = (
        _builder(subject, subject, key, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**_NOTHING | {"key_cert_sign": True, "crl_sign": True}), critical=True)
    )
    return Credential(builder.sign(key, hashes.SHA256()), key)


def issue_node(
    root: Credential, node: str, site: str, validity: Validity, key: ec.EllipticCurvePrivateKey | None = None
) -> Credential:
    """What a node or a controller shows the broker; a renewal passes the key that it keeps."""
    names = [x509.UniformResourceIdentifier(f"urn:bes:{site}:{node}")]
    return _issue(root, node, names, ExtendedKeyUsageOID.CLIENT_AUTH, validity, key)


def issue_broker(
    root: Credential, names: Sequence[str], validity: Validity, key: ec.EllipticCurvePrivateKey | None = None
) -> Credential:
    """What a broker shows; `names` are all DNS names and addresses that `mqtt.host` may hold."""
    return _issue(root, names[0], [_host(name) for name in names], ExtendedKeyUsageOID.SERVER_AUTH, validity, key)


def store(credential: Credential, certificate_file: Path, key_file: Path) -> None:
    """Each file is replaced whole. The key first: until its certificate follows, a reader finds a pair that does not
    fit and says so.
    """
    certificate_file.parent.mkdir(parents=True, exist_ok=True)
    key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = credential.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(key_file, pem, _OWNER_ONLY)
    _replace(certificate_file, credential.certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def load(certificate_file: Path, key_file: Path) -> Credential:
    """SettingMissing or SettingInvalid name the file."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        return Credential(certificate, load_key(key_file))
    except FileNotFoundError as error:
        raise SettingMissing(f"{error.filename}: no such file; 'bes pki ca' makes an authority") from error
    except ValueError as error:
        raise SettingInvalid(f"{certificate_file}: {error}") from error


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """FileNotFoundError where there is none, SettingInvalid where it is no key of ours."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise SettingInvalid(f"{path}: not an unencrypted private key in PEM: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SettingInvalid(f"{path}: not a key on an elliptic curve")
    return key


def _issue(
    root: Credential,
    name: str,
    names: Sequence[x509.GeneralName],
    usage: x509.ObjectIdentifier,
    validity: Validity,
    key: ec.EllipticCurvePrivateKey | None,
) -> Credential:
    ends = root.certificate.not_valid_after_utc
    if validity.ends > ends:
        raise SettingInvalid(f"the authority itself ends on {ends:%Y-%m-%d}; ask for less, or make a new one first")
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_named(name), root.certificate.subject, key, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**_NOTHING | {"digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()),
            critical=False,
        )
    )
    return Credential(builder.sign(root.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, validity: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.starts)
        .not_valid_after(validity.ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    except ValueError as error:
        raise SettingInvalid(f"{name!r} cannot be the name of a certificate: {error}") from error


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise SettingInvalid(f"{name!r} is neither an address nor an ASCII host name") from error


def _replace(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
