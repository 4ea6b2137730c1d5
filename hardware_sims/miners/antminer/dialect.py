"""An Antminer's mining process on port 4028: cgminer's reads, nothing privileged."""

from collections.abc import Callable
from typing import Any

import msgspec

from hardware_sims.miners.antminer import table
from hardware_sims.miners.antminer.firmware import Firmware
from hardware_sims.miners.machine import Machine, MachineState
from hardware_sims.miners.presence import answers

INVALID_COMMAND = 14
INVALID_JSON = 23
MISSING_COMMAND = 24
DESCRIPTION = "cgminer 1.0.0"
_encode = msgspec.json.encode

Rows = Callable[[], list[dict[str, Any]]]


class AntminerDialect:
    def __init__(self, machine: Machine, firmware: Firmware) -> None:
        self._machine = machine
        self._firmware = firmware
        # command → name of its section, code and text of its status, rows
        self._reads: dict[str, tuple[str, int, str, Rows]] = {
            "version": ("VERSION", 22, "CGMiner versions", lambda: [table.version(machine, firmware)]),
            "summary": ("SUMMARY", 11, "Summary", lambda: [table.summary(machine)]),
            "stats": ("STATS", 70, "CGMiner stats", lambda: table.stats(machine, firmware)),
            "devs": ("DEVS", 9, "1 ASC(s)", lambda: table.devs(machine)),
            "pools": ("POOLS", 7, "Pool(s)", lambda: table.pools(machine)),
            "config": ("CONFIG", 33, "CGMiner config", lambda: [table.config(machine)]),
        }

    def serves(self) -> bool:
        asleep = self._firmware.rpc_sleeps and self._machine.state is MachineState.SLEEPING
        return answers(self._machine) and not asleep

    def refuse_garbage(self) -> bytes:
        return self._refusal(INVALID_JSON, "Invalid JSON")

    def answer(self, request: dict[str, Any], client: str) -> bytes:  # noqa: ARG002 - every client gets the same
        command = request.get("command")
        if not isinstance(command, str):
            return self._refusal(MISSING_COMMAND, "Missing JSON 'command'")
        if command in self._reads:
            return b"{" + self._section(command) + b',"id":1}'
        parts = command.split("+")
        if len(parts) > 1 and self._firmware.joins_commands and all(part in self._reads for part in parts):
            sections = [b'"%b":[{%b}]' % (part.encode(), self._section(part)) for part in parts]
            return b"{" + b",".join(sections) + b',"id":1}'
        return self._refusal(INVALID_COMMAND, "Invalid command")

    def _section(self, command: str) -> bytes:
        name, code, text, rows = self._reads[command]
        return _encode({"STATUS": [self._status("S", code, text)], name: rows()})[1:-1]

    def _refusal(self, code: int, text: str) -> bytes:
        return _encode({"STATUS": [self._status("E", code, text)], "id": 1})

    def _status(self, letter: str, code: int, text: str) -> dict[str, Any]:
        when = int(self._machine.wall_time_s)
        return {"STATUS": letter, "When": when, "Code": code, "Msg": text, "Description": DESCRIPTION}
