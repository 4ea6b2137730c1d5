"""Why a TLS handshake with a broker failed, and what to do: in the words of whoever runs the site."""

import socket
import ssl
from typing import Final

from shared.errors import GatewayUnavailable, GatewayUntrusted
from shared.mqtt.settings import MqttSettings

_OTHER_NAME: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NOT_YET: Final = 9
_EXPIRED: Final = 10

# What the broker says of us. OpenSSL changes the beginning of these words between releases, not their end.
_OF_US: Final = {
    "CERTIFICATE_REQUIRED": "it asks for a certificate: set mqtt.tls.cert_file and mqtt.tls.key_file",
    "ALERT_UNKNOWN_CA": "it does not know the authority of our certificate: use one of the authority in its cafile",
    "CERTIFICATE_EXPIRED": "our certificate has expired: renew mqtt.tls.cert_file",
    "CERTIFICATE_REVOKED": "our certificate is revoked: this node was shut out on purpose, or enrol it anew",
    "BAD_CERTIFICATE": "it cannot use our certificate: is mqtt.tls.cert_file made for TLS clients?",
    "UNSUPPORTED_CERTIFICATE": "it cannot use our certificate: is mqtt.tls.cert_file made for TLS clients?",
    "PROTOCOL_VERSION": "it does not speak TLS 1.3: update the broker, or allow it there",
    "UNSUPPORTED_PROTOCOL": "it does not speak TLS 1.3: update the broker, or allow it there",
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port: correct mqtt.port, or give its listener a certificate",
    "UNEXPECTED_EOF_WHILE_READING": "it ended the TLS handshake: is mqtt.port its port for TLS?",
}


def knock(settings: MqttSettings, tls: ssl.SSLContext, patience_s: float) -> None:
    """Shake hands, say nothing, listen. Returns where the broker waits for us to go on for `patience_s`.

    GatewayUntrusted where one side does not take the other's certificate, GatewayUnavailable where nobody answers. With
    TLS 1.3 a broker judges our certificate after our part of the handshake: its alert is lost if we have gone on to
    talk and it hangs up on that. Here it is not.
    """
    place = f"broker {settings.host}:{settings.port}"
    try:
        address = settings.host, settings.port
        with (
            socket.create_connection(address, timeout=settings.answer_timeout_s) as plain,
            tls.wrap_socket(plain, server_hostname=settings.host) as line,
        ):
            line.settimeout(patience_s)
            try:
                line.recv(1)
            except TimeoutError:
                return
    except ssl.SSLError as error:
        raise GatewayUntrusted(f"{place}: {handshake_failure(error, settings)}") from error
    except OSError as error:
        raise GatewayUnavailable(f"{place}: {error}") from error


def handshake_failure(error: ssl.SSLError, settings: MqttSettings) -> str:
    """One sentence: what is wrong, and whose move it is."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_its_certificate(error, settings)
    reason = error.reason or "ended without a word"
    for ending, sentence in _OF_US.items():
        if reason.endswith(ending):
            return sentence
    return f"the TLS handshake failed: {reason.lower().replace('_', ' ')}"


def _of_its_certificate(error: ssl.SSLCertVerificationError, settings: MqttSettings) -> str:
    if error.verify_code in _OTHER_NAME:
        return f"its certificate is not for {settings.host!r}: set mqtt.host to a name in it, or issue one for it"
    if error.verify_code == _EXPIRED:
        return "its certificate has expired: renew it on the broker, unless this machine's clock is wrong"
    if error.verify_code == _NOT_YET:
        return "its certificate is not valid yet: set this machine's clock"
    ca_file = settings.tls.ca_file if settings.tls is not None else "mqtt.tls.ca_file"
    return f"its certificate is not of the authority in {ca_file} ({error.verify_message}): correct mqtt.tls.ca_file"
