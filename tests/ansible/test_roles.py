"""The roles as ansible-lint sees them, and what their templates write as our own programs read it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

from agent.settings import NodeSettings, SiteSettings
from controller.settings import ControllerSettings

BIN = Path(sys.executable).parent
ROLES = Path("ansible/roles")
KEY = "ab" * 32

COMMON = {
    "bes_broker_host": "broker.example",
    "bes_broker_port": 8883,
    "bes_operators": [KEY],
    "bes_approvers": [],
}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ANSIBLE_CONFIG": "ansible/ansible.cfg", "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]], capture_output=True, text=True, check=False, timeout=110, env=environment
    )


def rendered(role: str, template: str, **variables: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLES / f"bes_{role}" / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        autoescape=False,
        keep_trailing_newline=True,
    )
    environment.filters["to_json"] = json.dumps
    return environment.get_template(template).render(**COMMON, **variables)


def test_ansible_lint_finds_nothing_at_production_level():
    linted = run("ansible-lint", "-q", "--offline", "-c", ".ansible-lint.yml", "ansible/playbooks", "ansible/roles")
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_example_inventory_and_playbook_fit_together():
    checked = run("ansible-playbook", "--syntax-check", "ansible/playbooks/site.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("tls", [True, False])
def test_the_agent_reads_what_its_role_writes(tmp_path, tls):
    text = rendered(
        "agent",
        "agent.toml.j2",
        bes_agent_site="tx1",
        bes_agent_node="tx1-agent",
        bes_agent_state_directory="/var/lib/bes-agent",
        bes_agent_log_level="info",
        bes_agent_tls=tls,
        bes_agent_logins={
            "antminer": {"user": "root", "password": 'quote " and \\ backslash'},
            "raritan.xerus": {"user": "admin", "password": "of the PDU"},
        },
        bes_agent_device_tls={
            "raritan.xerus": {"fingerprints": ["ab" * 32]},
            "pdu-7": {"ca_file": "/etc/ssl/certs/site.pem"},
        },
    )
    file = tmp_path / "agent.toml"
    file.write_text(text)
    settings = SiteSettings.load(file)
    assert settings.operators == (KEY,)
    assert settings.logins["antminer"].password.get_secret_value() == 'quote " and \\ backslash'
    assert settings.logins["raritan.xerus"].user == "admin"
    assert settings.device_tls["raritan.xerus"].fingerprints == ("ab" * 32,)
    assert settings.device_tls["pdu-7"].ca_file == Path("/etc/ssl/certs/site.pem")
    assert (settings.mqtt.tls is not None) is tls


def test_the_signer_reads_what_its_role_writes(tmp_path):
    file = tmp_path / "signer.toml"
    file.write_text(
        rendered(
            "signer",
            "signer.toml.j2",
            bes_signer_site="treasury",
            bes_signer_node="box-a",
            bes_signer_state_directory="/var/lib/bes-signer",
            bes_signer_log_level="info",
            bes_signer_tls=True,
        )
    )
    assert NodeSettings.load(file).node == "box-a"


def controller_settings(folder, **variables):
    defaults = yaml.safe_load((ROLES / "bes_controller" / "defaults" / "main.yml").read_text())
    file = folder / "controller.toml"
    file.write_text(rendered("controller", "controller.toml.j2", **defaults | variables))
    return ControllerSettings.load(file)


def test_the_controller_reads_what_its_role_writes(tmp_path):
    settings = controller_settings(
        tmp_path,
        bes_controller_sites=["tx1"],
        bes_controller_prices_file="/etc/bes/prices.csv",
        bes_controller_prices_time_zone="America/Chicago",
        bes_controller_dispatch_automatic=True,
    )
    assert settings.sites == ("tx1",)
    assert settings.prices.file == Path("/etc/bes/prices.csv")
    assert settings.prices.time_zone == "America/Chicago"
    assert settings.dispatch.automatic


def test_a_controller_as_rolled_out_orders_nothing_by_itself(tmp_path):
    settings = controller_settings(tmp_path)
    assert not settings.dispatch.automatic
    assert settings.prices.file is None
    assert settings.web.https
