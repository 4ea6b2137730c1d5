"""Modbus over TCP: registers of many units behind one gateway address, through one connection (pymodbus 3.16).

A gateway that cannot be reached is `Unreachable`; a unit that is silent behind a live gateway is `DeviceTimeout`.
Exception answers become `Unsupported` (function, address), `Rejected` (value, failure) or `DeviceTimeout` (busy, no
answer from the target). Nothing is retried here.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from agent.site.transports.bus import Bus, Priority, SilentUnits
from shared.errors import DeviceError, DeviceTimeout, ProtocolViolation, Rejected, Unreachable, Unsupported
from shared.profiles.model import ModbusMode, ModbusSettings
from shared.profiles.point import Table

TIMEOUT_S: Final = (0.3, 1.0)  # a lost reply holds up every unit of the bus
RECONNECT_FIRST_S: Final = 0.1
RECONNECT_MAX_S: Final = 5.0
_NEVER: Final = 1_000_000_000  # silent units must not cost the others their connection
_DEAD_AFTER: Final = 4  # requests in a row, of whatever unit: the connection itself may be dead without having said so
_FRAMERS: Final[dict[ModbusMode, FramerType]] = {"tcp": FramerType.SOCKET, "rtu_over_tcp": FramerType.RTU}


class Span(msgspec.Struct, frozen=True):
    """`count` registers from protocol address `address`."""

    table: Table
    address: int
    count: int

    def __str__(self) -> str:
        return f"{self.table} {self.address:#06x}+{self.count}"


class RegisterTransport(Protocol):
    """Registers of the units behind one address; words are 16 bits, as they travel."""

    async def read(self, unit: int, span: Span, priority: Priority = Priority.NORMAL) -> tuple[int, ...]:
        """Exactly `span.count` words."""
        ...

    async def write(self, unit: int, address: int, words: Sequence[int]) -> None:
        """Holding registers, in one request (function 16), before anything that waits."""
        ...

    async def aclose(self) -> None: ...


class Line(msgspec.Struct, frozen=True):
    """How a gateway wants to be talked to; where its units differ, the most patient wins."""

    mode: ModbusMode = "tcp"
    timeout_s: float = 0.5
    pause_s: float = 0.0
    settle_s: float = 0.0

    @classmethod
    def of(cls, settings: ModbusSettings, mode: ModbusMode) -> "Line":
        shortest, longest = TIMEOUT_S
        timeout_s = min(max(settings.timeout_ms / 1000, shortest), longest)
        return cls(mode, timeout_s, settings.inter_request_ms / 1000, settings.connect_settle_ms / 1000)

    def also(self, other: "Line") -> "Line":
        return Line(
            self.mode,
            max(self.timeout_s, other.timeout_s),
            max(self.pause_s, other.pause_s),
            max(self.settle_s, other.settle_s),
        )


class ModbusGateways:
    """One connection for each address, however many units are behind it. Take all before the first read."""

    def __init__(self) -> None:
        self._gateways: dict[tuple[str, int], ModbusGateway] = {}
        library = logging.getLogger("pymodbus.logging")
        if not any(isinstance(present, _Sparse) for present in library.filters):
            library.addFilter(_Sparse())

    def at(self, host: str, port: int, line: Line) -> "ModbusGateway":
        """The gateway there, shared; each holder closes it once."""
        gateway = self._gateways.setdefault((host, port), ModbusGateway(host, port, line))
        gateway.share(line)
        return gateway

    async def aclose(self) -> None:
        for gateway in self._gateways.values():
            gateway.disconnect()
        self._gateways.clear()


class ModbusGateway:
    """A `RegisterTransport`. Reconnects when a request finds it disconnected, at most every `RECONNECT_MAX_S`."""

    def __init__(self, host: str, port: int, line: Line) -> None:
        self._host, self._port = host, port
        self._line = line
        self._place = f"{host}:{port}"
        self._client: AsyncModbusTcpClient | None = None
        self._holders = 0
        self._bus = Bus()
        self._silent = SilentUnits()
        self._unanswered = 0
        self._reconnect_at_s = 0.0
        self._reconnect_wait_s = 0.0
        self._free_at_s = 0.0

    def share(self, line: Line) -> None:
        if line.mode != self._line.mode:
            raise Unsupported(f"{self._place}: one gateway cannot speak both {self._line.mode} and {line.mode}")
        self._holders += 1
        self._line = self._line.also(line)

    async def read(self, unit: int, span: Span, priority: Priority = Priority.NORMAL) -> tuple[int, ...]:
        where = f"{self._place} unit {unit}, {span}"

        def ask(client: AsyncModbusTcpClient) -> Awaitable[ModbusPDU]:
            function = client.read_input_registers if span.table == "input" else client.read_holding_registers
            return function(span.address, count=span.count, device_id=unit)

        reply = await self._exchange(unit, where, priority, ask)
        if len(reply.registers) != span.count:
            raise ProtocolViolation(f"{where}: {len(reply.registers)} registers came")
        return tuple(reply.registers)

    async def write(self, unit: int, address: int, words: Sequence[int]) -> None:
        def order(client: AsyncModbusTcpClient) -> Awaitable[ModbusPDU]:
            return client.write_registers(address, list(words), device_id=unit)

        await self._exchange(unit, f"{self._place} unit {unit}, write {address:#06x}", Priority.COMMAND, order)

    async def aclose(self) -> None:
        self._holders -= 1
        if self._holders <= 0:
            self.disconnect()

    def disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _exchange(
        self, unit: int, where: str, priority: Priority, ask: Callable[[AsyncModbusTcpClient], Awaitable[ModbusPDU]]
    ) -> ModbusPDU:
        self._spare_the_bus(unit, where)
        async with self._bus.turn(Priority.PROBE if unit in self._silent else priority):
            self._spare_the_bus(unit, where)  # it may have fallen silent while we waited
            client = await self._connected()
            await self._pause()
            began_s = _now_s()
            try:
                reply = await ask(client)
            except asyncio.CancelledError:
                self._distrust_late_replies()
                raise
            except ConnectionException as error:
                raise self._lost(where) from error
            except ModbusException as error:
                raise self._no_answer(unit, where, _now_s() - began_s) from error
            finally:
                self._free_at_s = _now_s() + self._line.pause_s
        self._unanswered = 0
        if not isinstance(reply, ExceptionResponse):
            self._silent.answered(unit)
            return reply
        if reply.exception_code == _TARGET_SILENT:
            self._silent.unanswered(unit, _now_s(), _now_s() - began_s)
        else:
            self._silent.answered(unit)
        raise _refusal(where, reply.exception_code)

    def _spare_the_bus(self, unit: int, where: str) -> None:
        wait_s = self._silent.wait_s(unit, _now_s())
        if wait_s > 0:
            raise DeviceTimeout(f"{where}: silent, and not asked again for {wait_s:.1f} s to spare the bus")

    def _no_answer(self, unit: int, where: str, cost_s: float) -> DeviceError:
        if self._client is None or not self._client.connected:
            return self._lost(where)
        self._silent.unanswered(unit, _now_s(), cost_s)
        self._unanswered += 1
        if self._unanswered % _DEAD_AFTER == 0:
            self.disconnect()  # a gateway that lost its power is then told from units that are silent
        self._distrust_late_replies()
        return DeviceTimeout(f"{where}: no answer within {self._line.timeout_s:g} s")

    def _distrust_late_replies(self) -> None:
        if self._line.mode == "rtu_over_tcp":  # no transaction numbers: a late reply would pass for the next one
            self.disconnect()

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        wait_s = self._reconnect_at_s - _now_s()
        if wait_s > 0:
            raise Unreachable(f"{self._place}: not connected; tried again in {wait_s:.1f} s")
        self.disconnect()
        client = AsyncModbusTcpClient(
            self._host,
            port=self._port,
            framer=_FRAMERS[self._line.mode],
            timeout=self._line.timeout_s,
            retries=0,
            reconnect_delay=0,  # we reconnect when somebody asks, so that a refusal is seen by who asked
            reconnect_delay_max=RECONNECT_MAX_S,
        )
        client.set_max_no_responses(_NEVER)
        if not await client.connect():
            client.close()
            raise self._lost(f"{self._place}: cannot connect")
        self._client, self._reconnect_wait_s = client, 0.0
        await asyncio.sleep(self._line.settle_s)
        return client

    def _lost(self, where: str) -> Unreachable:
        self.disconnect()
        self._reconnect_wait_s = min(max(RECONNECT_FIRST_S, 2 * self._reconnect_wait_s), RECONNECT_MAX_S)
        self._reconnect_at_s = _now_s() + self._reconnect_wait_s
        return Unreachable(f"{where}: the gateway {self._place} is not there")

    async def _pause(self) -> None:
        wait_s = self._free_at_s - _now_s()
        if wait_s > 0:
            await asyncio.sleep(wait_s)


_TARGET_SILENT: Final = 0x0B
_EXCEPTIONS: Final[dict[int, tuple[type[DeviceError], str]]] = {
    1: (Unsupported, "does not know this function"),
    2: (Unsupported, "has no such registers; the profile does not fit it"),
    3: (Rejected, "refuses this count or value"),
    4: (Rejected, "failed to carry it out"),
    5: (DeviceTimeout, "took the order and has not finished"),
    6: (DeviceTimeout, "is busy"),
    0x0A: (Unreachable, "lies behind a gateway that has no path to it"),
    _TARGET_SILENT: (DeviceTimeout, "does not answer its gateway"),
}


def _refusal(where: str, code: int) -> DeviceError:
    kind, text = _EXCEPTIONS.get(code, (ProtocolViolation, "answers with an exception that Modbus does not know"))
    return kind(f"{where}: the device {text} (exception {code})")


def _now_s() -> float:
    return asyncio.get_running_loop().time()


class _Sparse(logging.Filter):
    """Lets the same words of pymodbus through once a minute: a dead unit would fill the disk."""

    _EVERY_S: Final = 60.0
    _DIFFERENT: Final = 64

    def __init__(self) -> None:
        super().__init__()
        self._next_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        words, now_s = record.getMessage()[:40], time.monotonic()
        if now_s < self._next_s.get(words, 0.0):
            return False
        if len(self._next_s) >= self._DIFFERENT:
            self._next_s.clear()
        self._next_s[words] = now_s + self._EVERY_S
        return True
