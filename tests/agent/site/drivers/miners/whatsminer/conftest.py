"""A Whatsminer that deciphers its writes and obeys them."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from agent.site.drivers.miners import Credentials, miner_profiles
from agent.site.drivers.miners.whatsminer import WhatsminerV2

OK = {"STATUS": "S", "When": 1, "Code": 131, "Msg": "API command OK", "Description": ""}
SALT = {"time": "5626", "salt": "Zk3vQp1x", "newsalt": "m8TyRw2c"}


class Whatsminer:
    """Deciphers writes by itself and does what they say, unless `obeys` is off."""

    def __init__(self, socket_device, recorded):
        self.socket = socket_device
        self.row = recorded("whatsminer_summary")["SUMMARY"][0]
        self.state = recorded("whatsminer_status")
        self.info = recorded("whatsminer_get_miner_info")
        self.pools = recorded("whatsminer_pools")
        self.obeys = True
        self.encrypted = True
        self.writes = []
        self.tokens = 0
        self.replies = []
        socket_device.answers.update(
            summary=lambda _: {"STATUS": [{"STATUS": "S", "Msg": "Summary"}], "SUMMARY": [self.row]},
            status=lambda _: self.state,
            pools=lambda _: self.pools,
            get_miner_info=lambda _: self.info,
            get_token=self.give_token,
            enc=self.write,
        )
        for name in ("devs", "get_version", "devdetails", "get_error_code"):
            socket_device.answers[name] = recorded(f"whatsminer_{name}")

    def give_token(self, _request):
        self.tokens += 1
        return {"STATUS": "S", "When": 1, "Code": 134, "Msg": SALT, "Description": ""}

    def write(self, request):
        key = hashlib.sha256(b"PUrHAtHUhfqvthzb1Kva20").digest()
        cipher = Cipher(AES(key), ECB())
        command = json.loads(cipher.decryptor().update(base64.b64decode(request["data"])).rstrip(b"\0"))
        assert command["token"] == "vZFrXIkWPZ9WlVI4OzT8q0"
        self.writes.append(command)
        reply = self.replies.pop(0) if self.replies else OK
        if reply is OK and self.obeys:
            self.obey(command)
        if isinstance(reply, bytes) or not self.encrypted:
            return reply
        raw = json.dumps(reply).encode()
        sealed = cipher.encryptor().update(raw + b"\0" * (-len(raw) % 16))
        return {"enc": base64.b64encode(sealed).decode()}

    def obey(self, command):
        match command["cmd"]:
            case "power_off":
                self.state["Msg"]["mineroff"] = "true"
                self.row |= {"MHS 5s": 0.0, "HS RT": 0.0, "MHS 1m": 0.0, "Power": 22, "Power_RT": 21}
            case "power_on":
                self.state["Msg"]["mineroff"] = "false"
                self.row |= {"MHS 5s": 1.2e8, "Elapsed": 4, "Power_RT": 3300}
            case "adjust_power_limit":
                limit_w = int(command["power_limit"])
                self.row |= {"Power Limit": limit_w, "Power_RT": limit_w - 20, "Elapsed": 3}
            case "set_low_power" | "set_normal_power" | "set_high_power":
                self.row |= {"Power Mode": command["cmd"].split("_")[1].title(), "Elapsed": 3}
            case "update_pools":
                self.pools = {
                    "POOLS": [{"POOL": n, "URL": command[f"pool{n}"], "User": command[f"worker{n}"]} for n in (1, 2, 3)]
                }
            case "restart_btminer":
                self.row["Elapsed"] = 2
            case "reboot":
                self.row |= {"Elapsed": 2, "Uptime": 30}
            case "set_led":
                self.info["Msg"]["ledstat"] = command.get("param", "manual")


@pytest.fixture
def machine(socket_device, recorded):
    return Whatsminer(socket_device, recorded)


@pytest.fixture
def driver(machine, ports):
    return WhatsminerV2("127.0.0.1", ports, Credentials("admin", "admin"), miner_profiles()["whatsminer-v2"])
