"""One Whatsminer on port 4028: API v2 reads in plain text, writes through the encrypted handshake."""

import base64
import binascii
import random
from collections.abc import Callable
from typing import Any

import msgspec

from hardware_sims.miners.machine import Machine
from hardware_sims.miners.presence import answers
from hardware_sims.miners.whatsminer import reading, report
from hardware_sims.miners.whatsminer.firmware import Firmware
from hardware_sims.miners.whatsminer.order import OrderRefused, Orders
from hardware_sims.miners.whatsminer.token import TokenBook
from shared.errors import Unsupported

INVALID_COMMAND = 14
INVALID_JSON = 23
PERMISSION_DENIED = 45
COMMAND_OK = 131
COMMAND_ERROR = 132
TOKEN_OK = 134
TOKEN_CHECK_FAILED = 135
TOO_MANY_TOKENS = 136
BASE64_ERROR = 137
DEFAULT_PASSWORD = "admin"  # noqa: S105 - the vendor's own, which is why writes are off with it
WRITES_DISABLED_TEXT = "can't access write cmd"
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class WhatsminerDialect:
    """Writes are disabled while the password is the vendor's default or `api_enabled` is False."""

    def __init__(self, machine: Machine, firmware: Firmware, *, api_enabled: bool) -> None:
        self._machine = machine
        self._firmware = firmware
        self._api_enabled = api_enabled
        self._orders = Orders(machine)
        self._tokens = TokenBook(lambda: machine.wall_time_s, lambda: machine.uptime_s, random.Random(machine.serial))
        self._error_since_s: dict[int, float] = {}
        self._off_since_s: float | None = None
        self._tables: dict[str, Callable[[], bytes]] = {
            "summary": self._summary,
            "devs": self._devs,
            "edevs": self._devs,
            "pools": self._pools,
            "devdetails": self._devdetails,
        }
        self._reports: dict[str, Callable[[], dict[str, Any]]] = {
            "status": self._status,
            "get_miner_info": lambda: report.miner_info(machine),
            "get_version": lambda: report.version(machine, firmware),
            "get_psu": lambda: report.psu(machine),
            "get_error_code": self._error_code,
        }

    def serves(self) -> bool:
        return answers(self._machine)

    def refuse_garbage(self) -> bytes:
        return self._message("E", INVALID_JSON, "Invalid JSON message")

    def answer(self, request: dict[str, Any], client: str) -> bytes:
        if "enc" in request:
            return self._answer_encrypted(request, client)
        command = request.get("cmd", request.get("command"))
        if not isinstance(command, str):
            return self._message("E", INVALID_COMMAND, "invalid cmd")
        if command in self._orders.handlers:
            return self._message("E", PERMISSION_DENIED, WRITES_DISABLED_TEXT if self._locked else "permission denied")
        if command == "get_token":
            return self._get_token(client)
        return self._read(command)

    @property
    def _locked(self) -> bool:
        return not self._api_enabled or self._machine.password == DEFAULT_PASSWORD

    def _read(self, command: str) -> bytes:
        table = self._tables.get(command)
        if table is not None:
            return b"{" + table() + b',"id":1}'
        if command == "get_error_code" and self._firmware.error_codes == "dict_in_list":
            return self._invalid_error_list()
        make = self._reports.get(command)
        if make is not None:
            return self._message("S", COMMAND_OK, make())
        parts = command.split("+")
        if len(parts) > 1 and self._firmware.joins_commands and all(part in self._tables for part in parts):
            return b"{" + b",".join(b'"%b":[{%b}]' % (p.encode(), self._tables[p]()) for p in parts) + b',"id":1}'
        return self._message("E", INVALID_COMMAND, "invalid cmd")

    # Tables: cgminer's form, STATUS is a list.

    def _table(self, name: str, code: int, text: str, rows: list[dict[str, Any]]) -> bytes:
        status = {"STATUS": "S", "When": int(self._machine.wall_time_s), "Code": code, "Msg": text}
        status["Description"] = "btminer"
        return _encode({"STATUS": [status], name: rows})[1:-1]

    def _summary(self) -> bytes:
        row = reading.summary(self._machine, self._orders.power_limit_w, measures_power=self._firmware.measures_power)
        row["Firmware Version"] = f"'{self._firmware.version}'"
        return self._table("SUMMARY", 11, "Summary", [row])

    def _devs(self) -> bytes:
        rows = reading.devs(self._machine)
        return self._table("DEVS", 9, f"{len(rows)} ASC(s)", rows)

    def _pools(self) -> bytes:
        rows = reading.pools(self._machine)
        return self._table("POOLS", 7, f"{len(rows)} Pool(s)", rows)

    def _devdetails(self) -> bytes:
        return self._table("DEVDETAILS", 69, "Device Details", reading.devdetails(self._machine))

    # Messages: STATUS is a letter, the data stand under Msg.

    def _message(self, status: str, code: int, message: object) -> bytes:
        when = int(self._machine.wall_time_s)
        return _encode({"STATUS": status, "When": when, "Code": code, "Msg": message, "Description": ""})

    def _status(self) -> dict[str, Any]:
        if self._machine.state not in report.STOPPED:
            self._off_since_s = None
        elif self._off_since_s is None:
            self._off_since_s = self._machine.wall_time_s
        return report.status(self._machine, self._firmware, self._orders.percent, self._off_since_s)

    def _error_code(self) -> dict[str, Any]:
        return {"error_code": report.error_list(self._present_errors(), self._firmware)}

    def _present_errors(self) -> dict[int, float]:
        """When each error that is there now was first read."""
        now_s, before = self._machine.wall_time_s, self._error_since_s
        self._error_since_s = {code: before.get(code, now_s) for code in report.present_errors(self._machine)}
        return self._error_since_s

    def _invalid_error_list(self) -> bytes:
        """API 2.0.4 writes the members of an object between the brackets of a list."""
        members = b",".join(_encode(entry)[1:-1] for entry in report.error_list(self._present_errors(), self._firmware))
        return self._message("S", COMMAND_OK, {"error_code": []}).replace(b"[]", b"[" + members + b"]")

    # The handshake.

    def _get_token(self, client: str) -> bytes:
        if self._locked:
            return self._message("E", PERMISSION_DENIED, WRITES_DISABLED_TEXT)
        token = self._tokens.issue(client, self._machine.password)
        if token is None:
            return self._message("E", TOO_MANY_TOKENS, "token over max times")
        salts = {"time": token.time, "salt": self._tokens.salt, "newsalt": token.newsalt}
        return self._message("S", TOKEN_OK, salts)

    def _answer_encrypted(self, request: dict[str, Any], client: str) -> bytes:
        """Plain refusals until the token has been accepted, encrypted replies after."""
        if self._locked:
            return self._message("E", PERMISSION_DENIED, WRITES_DISABLED_TEXT)
        try:
            data = base64.b64decode(request.get("data", ""), validate=True)
        except (binascii.Error, TypeError, ValueError):
            return self._message("E", BASE64_ERROR, "base64 decode error")
        secret = self._tokens.secret(self._machine.password)
        try:
            order = _decode(secret.decrypt(data))
        except ValueError:  # msgspec's errors are ValueErrors too
            return self._message("E", INVALID_JSON, "enc json load err")
        if not self._tokens.accepts(client, str(order.get("token")), self._machine.password):
            return self._message("E", TOKEN_CHECK_FAILED, "token check error")
        reply = self._carry_out(order)
        return _encode({"enc": base64.b64encode(secret.encrypt(reply)).decode()})

    def _carry_out(self, order: dict[str, Any]) -> bytes:
        command = str(order.get("cmd", order.get("command")))
        handler = self._orders.handlers.get(command)
        if handler is None:
            return self._read(command)
        try:
            handler(order)
        except (OrderRefused, Unsupported) as error:
            return self._message("E", COMMAND_ERROR, f"Command error: {error}")
        return self._message("S", COMMAND_OK, "API command OK")
