"""An authority for tests, and the broker exactly as our Ansible role sets it up."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import jinja2
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from hardware_sims.broker import Mosquitto, free_port
from shared.crypto.authority import Credential, Validity, issue_broker, issue_node, new_root, store
from shared.mqtt import MqttSettings, TlsSettings

TEMPLATES = Path("ansible/roles/bes_broker/templates")
HOST = "127.0.0.1"


def expired() -> Validity:
    return _around(-2)


def not_yet() -> Validity:
    return _around(1)


def _around(first_day: int) -> Validity:
    starts = datetime.now(UTC) + timedelta(days=first_day)
    return Validity(starts, starts + timedelta(days=1))


class Authority:
    """Writes what it issues below its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root: Credential = new_root(f"test authority {folder.name}", Validity.of_days(9))
        store(self.root, self.ca_file, folder / "ca.key")

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def node(self, name: str, validity: Validity | None = None, *, trusts: Path | None = None) -> TlsSettings:
        """What a node of this name needs; `trusts` is the authority that it expects of the broker."""
        issued = issue_node(self.root, name, "north", validity or Validity.of_days(1))
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        store(issued, *files)
        return TlsSettings(ca_file=trusts or self.ca_file, cert_file=files[0], key_file=files[1])

    def encrypted_key(self) -> bytes:
        return self.root.key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a passphrase of a person")
        )

    def broker(self, *names: str, validity: Validity | None = None) -> Mosquitto:
        """mosquitto as the role `bes_broker` configures it; `names` stand in its certificate."""
        place = self.folder / "broker"
        issued = issue_broker(self.root, names or (HOST,), validity or Validity.of_days(1))
        store(issued, place / "broker.pem", place / "broker.key")
        (place / "ca.pem").write_bytes(self.ca_file.read_bytes())
        port = free_port(HOST)
        variables = {
            "bes_broker_port": port,
            "bes_broker_directory": str(place),
            "bes_broker_controller": "controller",
            "bes_broker_max_connections": 100,
        }
        (place / "acl").write_text(rendered("acl.j2", variables))
        # Started by root, mosquitto becomes a user who cannot see the tests' folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        return Mosquitto(host=HOST, port=port, config=user + rendered("bes.conf.j2", variables))


def rendered(template: str, variables: dict[str, object]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters["to_json"] = json.dumps
    return environment.get_template(template).render(**variables)


def settings_for(broker: Mosquitto, tls: TlsSettings | None, version: Literal["3.1.1", "5"] = "3.1.1") -> MqttSettings:
    return MqttSettings(
        host=broker.host, port=broker.port, tls=tls, version=version, backoff_first_s=0.05, backoff_max_s=0.2
    )
