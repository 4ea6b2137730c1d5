"""The roles as ansible-lint sees them, and what their templates write as our own programs read it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

from agent.settings import SignerSettings, SiteSettings
from controller.settings import ControllerSettings
from shared.errors import SettingInvalid

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


SIGNING = {
    "network": "signet",
    "owners": [KEY, "cd" * 32],
    "owners_needed": 2,
    "checkpoint_height": 100,
    "checkpoint_hash": "00" * 32,
    "wrap_key": "f0",
    "token": {"module": "/usr/lib/softhsm/libsofthsm2.so", "label": 'a "box"', "serial": "0a1b"},
    "keys": [{"id": "a1", "public_key": "02" + KEY}, {"id": "a2", "public_key": "03" + KEY}],
}


def signer_file(folder, **variables):
    defaults = yaml.safe_load((ROLES / "bes_signer" / "defaults" / "main.yml").read_text())
    places = {"bes_signer_site": "treasury", "bes_signer_node": "box-a"}
    file = folder / "signer.toml"
    file.write_text(rendered("signer", "signer.toml.j2", **defaults | places | variables))
    return file


def test_the_signer_reads_what_its_role_writes(tmp_path):
    settings = SignerSettings.load(signer_file(tmp_path))
    assert settings.node == "box-a"
    assert settings.signing is None


def test_a_box_that_signs_reads_what_its_role_writes(tmp_path):
    signing = SignerSettings.load(signer_file(tmp_path, bes_signer_signing=SIGNING)).signing
    assert signing is not None
    assert signing.model_dump(mode="json", include=set(SIGNING)) == SIGNING | {
        "token": SIGNING["token"] | {"pin": "token-pin"}
    }


def test_a_box_without_taproot_and_keys_is_one_that_can_make_them(tmp_path):
    bare = {name: value for name, value in SIGNING.items() if name not in ("wrap_key", "keys")}
    signing = SignerSettings.load(signer_file(tmp_path, bes_signer_signing=bare)).signing
    assert signing is not None
    assert (signing.wrap_key, signing.keys) == ("", ())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"owners_needed": 3}, "owners"),
        ({"network": "mainnet"}, "network"),
        ({"keys": [{"id": "a1", "public_key": KEY}]}, "public_key"),
    ],
)
def test_a_box_refuses_what_an_inventory_has_wrong(tmp_path, wrong, named):
    with pytest.raises(SettingInvalid, match=named):
        SignerSettings.load(signer_file(tmp_path, bes_signer_signing=SIGNING | wrong))


def test_no_inventory_can_write_a_pin(tmp_path):
    """The file names the credential by its default, whatever the inventory says."""
    token = SIGNING["token"] | {"pin": "864201"}
    text = signer_file(tmp_path, bes_signer_signing=SIGNING | {"token": token}).read_text()
    assert "864201" not in text
    assert "pin" not in text


@pytest.mark.parametrize("softhsm", [True, False])
def test_only_a_box_with_a_software_token_is_told_of_one(softhsm):
    text = rendered("signer", "drop-in.conf.j2", bes_signer_tls=True, bes_signer_softhsm=softhsm,
                    bes_signer_broker_addresses=["192.0.2.10"])  # fmt: skip
    assert ("SOFTHSM2_CONF" in text) is softhsm


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


TREASURY = {
    "network": "signet",
    "node_url": "http://127.0.0.1:38332",
    "cookie_file": "/var/lib/bitcoind/signet/.cookie",
    "cookie_group": "bitcoin",
    "boxes": [{"site": "treasury", "node": "box-a", "public_key": KEY}],
}


def test_a_controller_with_a_treasury_reads_what_its_role_writes(tmp_path):
    assert controller_settings(tmp_path).treasury is None
    treasury = controller_settings(tmp_path, bes_controller_treasury=TREASURY).treasury
    assert treasury is not None
    assert treasury.cookie_file == Path(str(TREASURY["cookie_file"]))
    assert [(box.site, box.node, box.public_key) for box in treasury.boxes] == [("treasury", "box-a", KEY)]


def test_a_controller_refuses_a_box_without_a_whole_key(tmp_path):
    boxes = [{"site": "treasury", "node": "box-a", "public_key": "ab"}]
    with pytest.raises(SettingInvalid, match="public_key"):
        controller_settings(tmp_path, bes_controller_treasury=TREASURY | {"boxes": boxes})


def test_only_a_controller_with_a_treasury_joins_the_nodes_group():
    joined = rendered("controller", "drop-in.conf.j2", bes_controller_tls=True, bes_controller_treasury=TREASURY)
    alone = rendered("controller", "drop-in.conf.j2", bes_controller_tls=True, bes_controller_treasury={})
    assert "SupplementaryGroups=bitcoin\n" in joined
    assert "SupplementaryGroups" not in alone
