"""The doctor on certificates and on brokers with TLS."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.health.certificate import RENEW_DAYS, certificate
from agent.health.doctor import examine
from agent.health.finding import Grade
from agent.settings import NodeSettings
from shared.crypto.authority import Validity, issue_node, new_root, store
from shared.errors import SettingInvalid
from shared.mqtt import MqttSettings, TlsSettings
from tests.certificates import Authority, expired, not_yet, settings_for


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path / "ours")


def lasting(folder, days: float) -> MqttSettings:
    """Settings with a certificate of n1 that ends in so many days."""
    root = new_root("root", Validity.of_days(400))
    now = datetime.now(UTC)
    issued = issue_node(root, "n1", "north", Validity(now - timedelta(days=500), now + timedelta(days=days)))
    store(issued, folder / "node.pem", folder / "node.key")
    store(root, folder / "ca.pem", folder / "ca.key")
    tls = TlsSettings(ca_file=folder / "ca.pem", cert_file=folder / "node.pem", key_file=folder / "node.key")
    return MqttSettings(tls=tls)


@pytest.mark.parametrize(
    ("days", "grade"),
    [
        (RENEW_DAYS + 0.1, Grade.GOOD),
        (RENEW_DAYS - 0.1, Grade.WEAK),
        (2.1, Grade.WEAK),
        (1.9, Grade.BAD),
        (-1, Grade.BAD),
    ],
)
def test_its_end_is_told_a_month_before(tmp_path, days, grade):
    found = certificate(lasting(tmp_path, days), "n1")
    assert found.grade is grade
    assert f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" in found.found
    assert ("bes pki node n1" in found.mend) is (grade is not Grade.GOOD)


def test_a_certificate_of_another_node_is_named(authority):
    found = certificate(MqttSettings(tls=authority.node("n2")), "n1")
    assert (found.grade, found.found) == (Grade.BAD, "it names n2, and this node is n1")


def test_one_of_tomorrow_points_to_the_clock(authority):
    found = certificate(MqttSettings(tls=authority.node("n1", not_yet())), "n1")
    assert found.grade is Grade.BAD
    assert "clock" in found.mend


def test_no_tls_and_no_certificate_are_two_things(authority):
    assert "without TLS" in certificate(MqttSettings(), "n1").found
    known_broker = MqttSettings(tls=TlsSettings(ca_file=authority.ca_file))
    assert "who this node is" in certificate(known_broker, "n1").found


def test_a_file_that_is_no_certificate_is_named(authority):
    tls = authority.node("n1")
    tls.cert_file.write_bytes(b"nonsense")
    with pytest.raises(SettingInvalid, match=r"n1\.pem"):
        certificate(MqttSettings(tls=tls), "n1")


def finding(authority, mqtt: MqttSettings, check: str):
    settings = NodeSettings(
        site="north", node="n1", state_directory=authority.folder, operators=("ab" * 32,), mqtt=mqtt
    )
    return next(found for found in examine(settings) if found.check == check)


@pytest.mark.broker
def test_a_broker_that_takes_the_certificate_is_good(authority):
    with authority.broker() as broker:
        found = finding(authority, settings_for(broker, authority.node("n1")), "broker")
    assert found.grade is Grade.GOOD, found


@pytest.mark.broker
def test_a_broker_that_does_not_is_asked_why(authority, tmp_path):
    with authority.broker() as broker:
        stranger = Authority(tmp_path / "theirs").node("n1", trusts=authority.ca_file)
        found = finding(authority, settings_for(broker, stranger), "broker")
        assert found.grade is Grade.BAD
        assert "does not know the authority of our certificate" in found.found
        old = finding(authority, settings_for(broker, authority.node("n1", expired())), "broker")
        assert "renew mqtt.tls.cert_file" in old.found
