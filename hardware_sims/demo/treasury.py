"""The treasury of a demo: a regtest node, three signing boxes with tokens of their own, and the people of a vault."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import msgspec
from nacl.signing import SigningKey

from hardware_sims.chain.caller import RpcCaller
from hardware_sims.chain.purse import Purse
from hardware_sims.demo.cast import BES, Actor
from hardware_sims.demo.scene import SITE
from shared.bitcoin.signature import public_key_of
from shared.crypto.keys import load_or_create
from shared.errors import GatewayUnavailable

BOXES = ("box-houston", "box-reykjavik", "box-container-7")
OWNERS = ("Olga", "Omar")
APPROVERS = ("Anna", "Ben")
PROPOSER = "Paul"
RECOVERERS = ("Rosa", "Ruth")
PIN = "24681357"
_OFFICER_PIN = "13572468"
REGTEST_GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
_SERIAL = re.compile(r"Serial number:\s+([0-9a-f]{16})")


class Node(RpcCaller):
    """The demo's Bitcoin node, asked as anybody asks one."""

    def __init__(self, url: str, cookie: Path) -> None:
        super().__init__(url, cookie)
        self.cookie = cookie

    def mine(self, blocks: int, purse: Purse) -> None:
        self.call("generatetoaddress", blocks, purse.address)


class Box(msgspec.Struct):
    """A signing box: its process, its id and public key, and the key of its token (hex)."""

    name: str
    actor: Actor
    box_id: str
    public_key: str
    token_key: str


class People:
    """Keys of people in files, as each would keep his own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def key(self, name: str) -> SigningKey:
        return load_or_create(self._folder / f"{name.lower()}.key")

    def recovery_secret(self) -> bytes:
        """32 bytes of Rosa's offline key, in no box."""
        return self.key("rosa-offline").encode()

    @property
    def recovery_key(self) -> str:
        return public_key_of(self.recovery_secret()).hex()


class Treasury(msgspec.Struct):
    """Who takes part in the treasury's part of the story. `vault_id` is the id of the vault, once there is one;
    `operator_key` is the file of the controller's key, which boxes obey. `taproot_keys` are the boxes', in their order.
    """

    node: Node
    boxes: tuple[Box, ...]
    people: People
    purse: Purse
    broker_port: int
    operator_key: Path
    taproot_keys: tuple[str, ...]
    vault_id: str = ""


def node_of(stack: ExitStack, folder: Path) -> Node:
    """A node that runs, with no block but the first: the program that BITCOIND names, or the simulated one, which
    has an estimate of fees as well.
    """
    kind = [] if os.environ.get("BITCOIND") else ["--estimate=5"]
    arguments = ["sims", "chain", "--memory", f"--datadir={folder / 'chain'}", "--port=0", *kind]
    actor = Actor("chain", arguments, folder / "log/chain.log", answers=True)
    stack.callback(actor.stop)
    actor.start()
    return Node(actor.ready["url"], Path(actor.ready["cookie_file"]))


def box_of(folder: Path, name: str, broker_port: int, operator: str, people: People) -> Box:
    """A box that was set up as a person would: a token, keys in it, settings that pin them. Not started."""
    home = folder / name
    environment = _token_home(home)
    serial = _init_token(name, environment)
    config = home / "signer.toml"
    config.write_text(_signer_toml(home, name, broker_port, operator, people, serial), encoding="utf-8")
    box_id, public_key = _bes(environment, "box", "identity", "--config", str(config)).split()
    pinned = _bes(environment, "box", "new-keys", "--config", str(config))
    config.write_text(config.read_text(encoding="utf-8") + "\n" + pinned, encoding="utf-8")
    token_key = re.findall(r'public_key = "([0-9a-f]{66})"', pinned)[0]
    actor = Actor(name, ["signer", "--config", str(config)], folder / f"log/{name}.log", environment=environment)
    return Box(name, actor, box_id, public_key, token_key)


def taproot_key_of(folder: Path, box: Box) -> str:
    """A key (hex) for Taproot and MuSig2, wrapped by the box's token: a person makes it before the box starts."""
    home = folder / box.name
    environment, config = _softhsm(home), home / "signer.toml"
    wrap_key = _bes(environment, "box", "new-wrap-key", "--config", str(config))
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[signing]\n", f"[signing]\n{wrap_key}", 1), encoding="utf-8")
    return _bes(environment, "box", "new-taproot-key", "--config", str(config)).strip()


def controller_toml(node: Node, boxes: Iterable[Box]) -> str:
    """The section of the controller's settings."""
    listed = "".join(
        f'\n[[treasury.boxes]]\nsite = "{SITE}"\nnode = "{box.name}"\npublic_key = "{box.public_key}"\n'
        for box in boxes
    )
    return f"""
[treasury]
network = "regtest"
node_url = "{node.url}"
cookie_file = {json.dumps(str(node.cookie))}
{listed}"""


def _token_home(home: Path) -> dict[str, str]:
    tokens = home / "tokens"
    tokens.mkdir(parents=True)
    configuration = home / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    pin = home / "token-pin"
    pin.touch(mode=0o600)
    pin.write_text(PIN, encoding="utf-8")
    return _softhsm(home)


def _softhsm(home: Path) -> dict[str, str]:
    return {"SOFTHSM2_CONF": str(home / "softhsm2.conf")}


def _init_token(label: str, environment: dict[str, str]) -> str:
    """Its serial number."""
    pins = ["--so-pin", _OFFICER_PIN, "--pin", PIN]
    _run(["softhsm2-util", "--init-token", "--free", "--label", label, *pins], environment)
    serials: list[str] = _SERIAL.findall(_run(["softhsm2-util", "--show-slots"], environment))
    return serials[0]


def _bes(environment: dict[str, str], *words: str) -> str:
    return _run([sys.executable, "-c", BES, *words], environment)


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise GatewayUnavailable(f"{' '.join(command[:4])}: {done.stderr.strip()[-300:]}")
    return done.stdout


def _module() -> str:
    found = next((module for module in _MODULES if Path(module).is_file()), None)
    if found is None:
        raise GatewayUnavailable(f"none of {', '.join(_MODULES)} is there; install SoftHSM2 (package softhsm2)")
    return found


def _signer_toml(home: Path, name: str, broker_port: int, operator: str, people: People, serial: str) -> str:
    owners = json.dumps([people.key(owner).verify_key.encode().hex() for owner in OWNERS])
    return f"""\
site = "{SITE}"
node = "{name}"
state_directory = {json.dumps(str(home / "state"))}
operators = ["{operator}"]

[mqtt]
host = "127.0.0.1"
port = {broker_port}
backoff_max_s = 2.0

[signing]
network = "regtest"
owners = {owners}
owners_needed = 2
checkpoint_height = 0
checkpoint_hash = "{REGTEST_GENESIS}"

[signing.token]
module = "{_module()}"
label = "{name}"
serial = "{serial}"
pin = {json.dumps(str(home / "token-pin"))}
"""
