"""The node's certificate as the doctor sees it: does it serve, is it this node's, how long will it last?"""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from agent.health.finding import Finding, Grade
from shared.errors import SettingInvalid
from shared.mqtt import MqttSettings

CHECK = "certificate"
RENEW_DAYS = 30
LAST_DAYS = 2


def certificate(broker: MqttSettings, node: str) -> Finding:
    """SettingInvalid where files do not fit each other."""
    tls = broker.tls
    if tls is None:
        mend = "set ca_file, cert_file and key_file of mqtt.tls; docs/tls.md tells how to make them"
        return Finding(CHECK, Grade.WEAK, "none: the broker is reached without TLS", mend)
    if tls.cert_file is None:
        mend = "set cert_file and key_file of mqtt.tls"
        return Finding(CHECK, Grade.WEAK, "none: the broker cannot know who this node is", mend)
    tls.context()
    shown = _read(tls.cert_file)
    name = _name(shown)
    if name != node:
        mend = f"issue one for {node}; the broker's rules go by the name in the certificate"
        return Finding(CHECK, Grade.BAD, f"it names {name or 'nobody'}, and this node is {node}", mend)
    return _lasting(shown, node)


def _lasting(shown: x509.Certificate, node: str) -> Finding:
    ends, now = shown.not_valid_after_utc, datetime.now(UTC)
    found = f"valid until {ends:%Y-%m-%d}, {max(0, (ends - now).days)} days left"
    if now < shown.not_valid_before_utc:
        starts = f"valid only from {shown.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return Finding(CHECK, Grade.BAD, starts, "set this machine's clock")
    mend = f"renew it: 'bes pki node {node}', copy node.pem here, restart the service"
    if ends <= now:
        return Finding(CHECK, Grade.BAD, f"expired on {ends:%Y-%m-%d}", mend)
    days = (ends - now).days
    if days < RENEW_DAYS:
        return Finding(CHECK, Grade.BAD if days < LAST_DAYS else Grade.WEAK, found, mend)
    return Finding(CHECK, Grade.GOOD, found)


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise SettingInvalid(f"mqtt.tls: {path}: {error}") from error


def _name(shown: x509.Certificate) -> str:
    names = shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
