"""Mutual TLS against a real mosquitto as our role sets it up: who gets in, who does not, and what is said."""

import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from shared.errors import GatewayUnavailable, GatewayUntrusted, SettingInvalid
from shared.mqtt import Endpoint, MqttSession, MqttSettings, TlsSettings
from shared.mqtt.connection import Connection
from tests.certificates import HOST, Authority, expired, not_yet, settings_for

pytestmark = pytest.mark.broker


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def stranger(tmp_path) -> Authority:
    return Authority(tmp_path / "theirs")


def open_once(settings: MqttSettings) -> Connection:
    tls = settings.tls.context() if settings.tls is not None else None
    connection = Connection(settings, Endpoint("n1"), 1, lambda _message: None, tls)
    try:
        connection.open()
    except BaseException:
        connection.close()
        raise
    return connection


def refusal(settings: MqttSettings) -> str:
    """What is said of a certificate."""
    with pytest.raises(GatewayUntrusted) as caught:
        open_once(settings)
    return caught.value.detail


@contextmanager
def session_of(settings: MqttSettings):
    """(session, event that is set when it is up)"""
    up = threading.Event()
    session = MqttSession(settings, Endpoint("n1"), lambda _message: None)
    session.on_up = up.set
    session.start()
    try:
        yield session, up
    finally:
        session.stop()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_node_of_the_authority_gets_in(authority, version):
    with authority.broker() as broker:
        connection = open_once(settings_for(broker, authority.node("n1"), version=version))
        assert connection.deliver("bes/v1/north/n1/up/event", b"x", False)
        assert connection._socket.version() == "TLSv1.3"
        connection.close()


def test_without_a_certificate_nobody_gets_in(authority):
    with authority.broker() as broker:
        said = refusal(settings_for(broker, TlsSettings(ca_file=authority.ca_file)))
    assert "set mqtt.tls.cert_file and mqtt.tls.key_file" in said


def test_a_certificate_of_another_authority_is_refused(authority, stranger):
    with authority.broker() as broker:
        said = refusal(settings_for(broker, stranger.node("n1", trusts=authority.ca_file)))
    assert "does not know the authority of our certificate" in said


def test_an_expired_certificate_is_refused(authority):
    with authority.broker() as broker:
        said = refusal(settings_for(broker, authority.node("n1", expired())))
    assert "our certificate has expired: renew mqtt.tls.cert_file" in said


def test_a_broker_of_another_name_is_refused(authority):
    with authority.broker("broker.example") as broker:
        said = refusal(settings_for(broker, authority.node("n1")))
    assert f"its certificate is not for '{HOST}'" in said
    assert "set mqtt.host" in said


def test_a_broker_of_another_authority_is_refused(authority, stranger):
    with stranger.broker() as broker:
        said = refusal(settings_for(broker, authority.node("n1")))
    assert f"not of the authority in {authority.ca_file}" in said
    assert "correct mqtt.tls.ca_file" in said


def test_a_broker_with_an_expired_certificate_is_refused(authority):
    with authority.broker(validity=expired()) as broker:
        said = refusal(settings_for(broker, authority.node("n1")))
    assert "renew it on the broker" in said


def test_a_broker_certificate_of_tomorrow_points_to_the_clock(authority):
    with authority.broker(validity=not_yet()) as broker:
        assert "set this machine's clock" in refusal(settings_for(broker, authority.node("n1")))


def test_tls_on_a_port_without_it_is_named(authority, broker):
    with pytest.raises((GatewayUntrusted, GatewayUnavailable)) as caught:
        open_once(settings_for(broker, authority.node("n1")))
    assert "127.0.0.1" in caught.value.detail


def test_no_tls_on_a_port_with_it_is_named(authority):
    with authority.broker() as broker, pytest.raises(GatewayUnavailable, match=r"if it wants TLS, set mqtt\.tls"):
        open_once(settings_for(broker, None))


def test_a_peer_that_never_answers_the_handshake_is_given_up(authority):
    with socket.create_server((HOST, 0)) as mute:
        settings = MqttSettings(port=mute.getsockname()[1], tls=authority.node("n1"), answer_timeout_s=0.2)
        started_s = time.monotonic()
        with pytest.raises(GatewayUnavailable, match="timed out"):
            open_once(settings)
        assert time.monotonic() - started_s < 5


def test_a_session_says_why_and_comes_up_once_the_certificate_is_renewed(authority):
    with authority.broker() as broker:
        settings = settings_for(broker, authority.node("n1", expired()))
        failed = threading.Event()

        def note(_logger: object, _method: str, event: dict) -> dict:
            if event.get("code") == "gateway.untrusted" and "renew mqtt.tls.cert_file" in event["detail"]:
                failed.set()
            raise structlog.DropEvent

        structlog.configure(processors=[note])
        with session_of(settings) as (session, up):
            assert failed.wait(20)
            assert not session.connected
            authority.node("n1")  # writes the same files
            assert up.wait(20)


def test_a_half_written_renewal_does_not_cost_the_connection(authority):
    with authority.broker() as broker:
        tls = authority.node("n1")
        with session_of(settings_for(broker, tls)) as (_session, up):
            assert up.wait(10)
            up.clear()
            tls.cert_file.write_bytes(b"-----BEGIN CERTIFICATE-----\nMIIB")
            with structlog.testing.capture_logs() as lines:
                broker.restart()
                assert up.wait(20)
    unusable = [line for line in lines if line["event"] == "mqtt.certificate-unusable"]
    assert "n1.pem" in unusable[0]["detail"]


def test_files_that_do_not_serve_are_named(authority, stranger, tmp_path):
    tls = authority.node("n1")
    other_key = TlsSettings(ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=stranger.node("n1").key_file)
    with pytest.raises(SettingInvalid, match="mismatch"):
        other_key.context()
    with pytest.raises(SettingInvalid, match=r"nowhere\.key"):
        TlsSettings(ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tmp_path / "nowhere.key").context()
    tls.key_file.chmod(0o604)
    with pytest.raises(SettingInvalid, match=r"chmod 600 .*n1\.key"):
        tls.context()
    with pytest.raises(ValueError, match="key_file needs cert_file"):
        TlsSettings(ca_file=tls.ca_file, key_file=Path("x"))


def test_a_key_with_a_passphrase_is_refused_instead_of_asked_for(authority):
    tls = authority.node("n1")
    tls.key_file.write_bytes(authority.encrypted_key())
    with pytest.raises(SettingInvalid, match="without a passphrase"):
        tls.context()
