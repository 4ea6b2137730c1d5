"""A Modbus TCP server: reads only, any number of units behind one address, frames cut by their length alone."""

import asyncio
import struct
from collections.abc import Callable, Mapping
from typing import Protocol

from hardware_sims.faults import Fault, FaultState, deliver
from hardware_sims.meters.registers import GATEWAY_NO_RESPONSE, ILLEGAL_FUNCTION, ILLEGAL_VALUE, ModbusRefusal
from hardware_sims.tcp import TcpServer

PORT = 502
MAX_REGISTERS = 125
_READS = (3, 4)
_MBAP = struct.Struct(">HHHB")
_REQUEST = struct.Struct(">BHH")
_LENGTHS = range(2, 255)  # unit id and PDU


class ModbusUnit(Protocol):
    @property
    def faults(self) -> FaultState: ...

    def read(self, function: int, address: int, count: int) -> bytes:
        """Registers as bytes, or a ModbusRefusal."""
        ...


class ModbusServer:
    """`units` by their id. A unit that is dead or not there is answered for by the gateway with exception 0x0B."""

    def __init__(self, units: Mapping[int, ModbusUnit]) -> None:
        self._units = units
        self._no_faults = FaultState()
        self._tcp = TcpServer(self._converse)

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        await self._tcp.start(host, port_of(PORT))

    async def stop(self) -> None:
        await self._tcp.stop()

    @property
    def ports(self) -> dict[int, int]:
        return {PORT: self._tcp.port}

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                transaction, protocol, length, unit = _MBAP.unpack(await reader.readexactly(_MBAP.size))
                if protocol != 0 or length not in _LENGTHS:
                    return
                request = await reader.readexactly(length - 1)
            except asyncio.IncompleteReadError:
                return
            answer = self._answer(unit, request)
            frame = _MBAP.pack(transaction, 0, len(answer) + 1, unit) + answer
            await deliver(writer, frame, self._units[unit].faults if self._lives(unit) else self._no_faults)

    def _lives(self, unit: int) -> bool:
        return unit in self._units and not self._units[unit].faults.active(Fault.DEAD)

    def _answer(self, unit: int, request: bytes) -> bytes:
        function = request[0]
        try:
            if not self._lives(unit):
                raise ModbusRefusal(GATEWAY_NO_RESPONSE)
            if function not in _READS:
                raise ModbusRefusal(ILLEGAL_FUNCTION)
            if len(request) != _REQUEST.size:
                raise ModbusRefusal(ILLEGAL_VALUE)
            _, address, count = _REQUEST.unpack(request)
            if not 1 <= count <= MAX_REGISTERS:
                raise ModbusRefusal(ILLEGAL_VALUE)
            data = self._units[unit].read(function, address, count)
        except ModbusRefusal as refusal:
            return bytes([function | 0x80, refusal.code])
        return bytes([function, len(data)]) + data
