"""`bes pki`: what it makes is accepted by TLS as we set it up, and it never loses an authority."""

import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from shared.cli import main
from shared.crypto.authority import Validity, issue_node, load, load_key, new_root
from shared.crypto.pki_cli import app
from shared.errors import SettingInvalid, SettingMissing
from shared.mqtt import TlsSettings


@pytest.fixture
def pki(tmp_path):
    """`pki("node", "n1")` runs the command on a folder of its own; its error is raised."""
    folder = tmp_path / "pki"

    def run(*arguments: str) -> Path:
        result = CliRunner().invoke(app, [*arguments, "--folder", str(folder)], catch_exceptions=True)
        if isinstance(result.exception, Exception):
            raise result.exception
        assert result.exit_code == 0, result.output
        return folder

    return run


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def days_left(found: x509.Certificate) -> float:
    return (found.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def shake_hands(server_files: Path, client: TlsSettings, name: str) -> ssl.SSLObject:
    """Both ends in memory, each asking the other for its certificate; the server's view."""
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(server_files / "ca.pem"))
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.load_cert_chain(server_files / "broker.pem", server_files / "broker.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.context().wrap_bio(to_client, to_server, server_hostname=name),
        server_context.wrap_bio(to_server, to_client, server_side=True),
    ]
    done: set[int] = set()
    while len(done) < 2:
        for number, end in enumerate(ends):
            try:
                end.do_handshake()
                done.add(number)
            except ssl.SSLWantReadError:
                pass
    return ends[1]


def test_broker_and_node_accept_each_other(pki):
    pki("ca")
    pki("broker", "broker.example", "192.0.2.10")
    folder = pki("node", "tx1-agent", "--site", "tx1")
    place = folder / "nodes" / "tx1-agent"
    tls = TlsSettings(ca_file=place / "ca.pem", cert_file=place / "node.pem", key_file=place / "node.key")
    for name in ("broker.example", "192.0.2.10"):
        seen = shake_hands(folder / "broker", tls, name).getpeercert()
        assert seen["subject"] == ((("commonName", "tx1-agent"),),)
        assert ("URI", "urn:bes:tx1:tx1-agent") in seen["subjectAltName"]
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(folder / "broker", tls, "other.example")


def test_a_node_cannot_pass_for_a_broker(pki):
    pki("ca")
    folder = pki("node", "n1")
    place = folder / "nodes" / "n1"
    (place / "broker.pem").write_bytes((place / "node.pem").read_bytes())
    (place / "broker.key").write_bytes((place / "node.key").read_bytes())
    tls = TlsSettings(ca_file=place / "ca.pem", cert_file=place / "node.pem", key_file=place / "node.key")
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake_hands(place, tls, "n1")


def test_keys_are_for_their_owner_only(pki):
    pki("ca")
    pki("broker", "b")
    folder = pki("node", "n1")
    for key in (folder / "ca.key", folder / "broker" / "broker.key", folder / "nodes" / "n1" / "node.key"):
        assert key.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o077 == 0
    assert not list(folder.rglob(".*"))


def test_a_renewal_keeps_the_key(pki):
    pki("ca")
    files = pki("node", "n1", "--days", "1") / "nodes" / "n1"
    key, first = (files / "node.key").read_bytes(), certificate(files / "node.pem")
    pki("node", "n1", "--days", "90")
    renewed = certificate(files / "node.pem")
    assert (files / "node.key").read_bytes() == key
    assert renewed.serial_number != first.serial_number
    assert days_left(first) < 1 < 89 < days_left(renewed) < 91


def test_an_authority_is_never_overwritten(pki):
    folder = pki("ca")
    before = (folder / "ca.key").read_bytes()
    with pytest.raises(SettingInvalid, match="holds an authority already"):
        pki("ca")
    assert (folder / "ca.key").read_bytes() == before


def test_it_issues_nothing_that_outlives_itself(pki):
    pki("ca", "--days", "30")
    with pytest.raises(SettingInvalid, match="the authority itself ends on"):
        pki("node", "n1")


def test_without_an_authority_the_word_that_makes_one_is_named(pki):
    with pytest.raises(SettingMissing, match="bes pki ca"):
        pki("node", "n1")


@pytest.mark.parametrize("name", ["Node", "a/b", "", "../x", "n_1"])
def test_a_name_that_topics_cannot_hold_is_refused(pki, name):
    pki("ca")
    with pytest.raises(SettingInvalid, match="a-z, 0-9"):
        pki("node", name)


def test_a_name_that_is_no_host_is_refused(pki):
    pki("ca")
    with pytest.raises(SettingInvalid, match="neither an address nor"):
        pki("broker", "bröker")


def test_what_is_no_key_is_named(pki, tmp_path):
    folder = pki("ca")
    (folder / "ca.key").write_bytes(b"nonsense")
    with pytest.raises(SettingInvalid, match=r"ca\.key: not an unencrypted private key"):
        pki("node", "n1")
    (folder / "ca.pem").write_bytes(b"nonsense")
    with pytest.raises(SettingInvalid, match=r"ca\.pem"):
        load(folder / "ca.pem", folder / "ca.key")
    with pytest.raises(FileNotFoundError):
        load_key(tmp_path / "nowhere")


def test_a_leaf_is_no_authority():
    root = new_root("root", Validity.of_days(9))
    leaf = issue_node(root, "n1", "north", Validity.of_days(1))
    assert not leaf.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    leaf.certificate.verify_directly_issued_by(root.certificate)


def test_it_is_a_word_of_bes(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bes"])
    main()
    assert "  pki " in capsys.readouterr().out
