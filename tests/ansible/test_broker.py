"""The broker's role: its defaults fill its templates, and its words are those of the access rules."""

from pathlib import Path

import yaml

from tests.certificates import rendered

ROLE = Path("ansible/roles/bes_broker")
VARIABLES = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text()) | {"bes_broker_port": 8883}


def test_nobody_gets_in_without_a_certificate():
    lines = rendered("bes.conf.j2", VARIABLES).splitlines()
    settings = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert settings["listener"] == "8883"
    assert settings["allow_anonymous"] == "false"
    assert settings["require_certificate"] == settings["use_identity_as_username"] == "true"
    assert settings["acl_file"] == f"{VARIABLES['bes_broker_directory']}/acl"


def test_only_the_controller_has_rules_for_all():
    lines = rendered("acl.j2", VARIABLES).splitlines()
    user = lines.index("user controller")
    everybody = [line for line in lines[:user] if line and not line.startswith("#")]
    assert all(line.startswith("pattern ") and "/%u/" in line for line in everybody)


def test_every_variable_is_described():
    described = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert set(described) == set(VARIABLES)
