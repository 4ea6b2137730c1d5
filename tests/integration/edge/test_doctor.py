"""`bes doctor` on nodes that are well and on nodes that are not: what it finds, what it says to do, how it ends."""

import socket
import subprocess
from contextlib import ExitStack
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from hardware_sims.layout import LayoutOrder, draw_up
from hardware_sims.site_file import write_site
from shared.crypto.keys import load_or_create
from shared.site import Site
from tests.integration.edge.simulators import BES, own_network

pytestmark = pytest.mark.broker


@pytest.fixture
def miners_listen():
    """`miners_listen(site)` opens one port on the address of each miner and answers its number."""
    with ExitStack() as stack:

        def listen(site: Site) -> int:
            port = 0
            for placed in site.placement:
                assert placed.address is not None
                heard = stack.enter_context(socket.create_server((placed.address, port)))
                port = heard.getsockname()[1]
            return port

        yield listen


@pytest.fixture
def node(tmp_path: Path, broker, miners_listen):
    """A well node; `node(**changes)` writes its file with other lines and asks the doctor."""
    site = draw_up(LayoutOrder(miners=3, network=IPv4Network(own_network())))
    write_site(tmp_path / "site.toml", site)
    (tmp_path / "state").mkdir(mode=0o700)
    keys = [load_or_create(tmp_path / name).verify_key.encode().hex() for name in ("operator.key", "approver.key")]
    lines = {
        "site": '"demo"',
        "node": '"demo-agent"',
        "state_directory": f'"{tmp_path}/state"',
        "site_file": f'"{tmp_path}/site.toml"',
        "operators": f'["{keys[0]}"]',
        "approvers": f'["{keys[1]}"]',
        "ports": f"{{ 4028 = {miners_listen(site)} }}",
        "mqtt": f'{{ host = "{broker.host}", port = {broker.port} }}',
    }

    def ask(**changes: str | None) -> tuple[int, str]:
        text = "\n".join(f"{key} = {value}" for key, value in (lines | changes).items() if value is not None)
        (tmp_path / "agent.toml").write_text(text, encoding="utf-8")
        return doctor(tmp_path / "agent.toml")

    return ask


def doctor(config: Path) -> tuple[int, str]:
    done = subprocess.run([*BES, "doctor", "-c", str(config)], capture_output=True, text=True, timeout=30)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_well_node_is_told_so(node):
    code, said = node()
    assert code == 0, said
    assert "bad " not in said
    assert "3 answer; 3 miners" in said
    assert "broker" in said
    assert "site file" in said


def test_a_missing_file_is_named(tmp_path):
    code, said = doctor(tmp_path / "nowhere.toml")
    assert code == 1
    assert "nowhere.toml" in said


CASES = (
    ({"mqtt": '{ host = "127.0.0.1", port = 1 }'}, "broker", "mosquitto"),
    ({"operators": '["abcd"]'}, "operators", "64 hex"),
    ({"operators": "[]"}, "operators", "operators"),
    ({"state_directory": '"/proc/nowhere/state"'}, "state directory", "mkdir"),
    ({"state_directory": '"/proc/sys"'}, "state directory", "service"),
    ({"site_file": '"nowhere.toml"'}, "site file", "nowhere.toml"),
    ({"site": '"elsewhere"'}, "site file", "correct the one that is wrong"),
)


@pytest.mark.parametrize(("changes", "check", "mend"), CASES, ids=[f"{c}-{i}" for i, (_, c, _m) in enumerate(CASES)])
def test_what_is_wrong_is_named_with_its_mend(node, changes, check, mend):
    code, said = node(**changes)
    assert code == 1, said
    bad = [line for line in said.splitlines() if line.startswith("bad")]
    assert any(check in line for line in bad), said
    assert mend in said


def test_a_misspelt_setting_is_named(node):
    code, said = node(opperators='["x"]')
    assert code == 1
    assert "opperators" in said
