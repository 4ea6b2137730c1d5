"""A scripted machine, and clients that know nothing but sockets.

`ScriptedMachine` is the shortest thing that fills the port `hardware_sims.miners.machine.Machine`: a test sets its
figures, moves its clock by hand and finds every order that arrived in `orders`.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from hardware_sims.faults import FaultState
from hardware_sims.miners.machine import MachineState, Pool

REPLY_LIMIT = 1 << 20


@dataclass
class ScriptedBoard:
    slot: int
    serial: str = ""
    alive: bool = True
    chips: int = 126
    chips_good: int = 126
    hashrate_ths: float = 33.5
    hashrate_expected_ths: float = 34.0
    frequency_mhz: float = 525.4
    voltage_v: float = 1.15
    hardware_errors: int = 7
    pcb_temps_c: Sequence[float] = (45.4, 46.0, 55.2, 56.0)
    chip_temps_c: Sequence[float] = (60.0, 61.0, 70.4, 71.0)

    def __post_init__(self) -> None:
        self.serial = self.serial or f"SNB{self.slot}"


@dataclass
class ScriptedMachine:
    model: str = "Antminer S19j Pro"
    mac: str = "aa:bb:cc:00:11:22"
    serial: str = "SN0001"
    hostname: str = "miner"
    address: str = "127.0.0.9"
    nameplate_ths: float = 100.0
    nameplate_w: int = 3000
    password: str = "k33p1t"
    power_mode: str = "normal"
    power_limit_w: int | None = None
    asleep_by_order: bool = False
    blinking: bool = False
    state: MachineState = MachineState.HASHING
    power_w: float = 2950.0
    dc_power_w: float = 2790.0
    fan_rpm: Sequence[float] = (6000.0, 6010.0, 5990.0, 6005.0)
    inlet_c: float = 26.0
    environment_c: float = 25.5
    accepted_shares: int = 4000
    rejected_shares: int = 8
    stale_shares: int = 2
    hashrate_expected_ths: float = 102.0
    uptime_s: float = 100_000.0
    elapsed_s: float = 3_600.0
    wall_time_s: float = 1_750_005_626.0
    boards: list[ScriptedBoard] = field(default_factory=lambda: [ScriptedBoard(slot) for slot in range(3)])
    pools: list[Pool] = field(
        default_factory=lambda: [
            Pool("stratum+tcp://pool-a.example:3333", "farm.1", "x"),
            Pool("stratum+tcp://pool-b.example:25", "farm.1", "y"),
        ]
    )
    rates_ths: dict[float, float] = field(
        default_factory=lambda: {5: 101.0, 60: 100.0, 300: 99.0, 900: 98.0, 1800: 97.0, math.inf: 96.0}
    )
    orders: list[object] = field(default_factory=list)

    def hashrate_ths(self, window_s: float) -> float:
        return self.rates_ths[window_s]

    def pass_time(self, seconds: float) -> None:
        self.wall_time_s += seconds
        self.uptime_s += seconds
        self.elapsed_s += seconds

    def sleep(self) -> None:
        self.orders.append("sleep")
        self.asleep_by_order, self.state = True, MachineState.SLEEPING

    def wake(self) -> None:
        self.orders.append("wake")
        self.asleep_by_order, self.state = False, MachineState.STARTING

    def set_power_limit(self, limit_w: int | None) -> None:
        self.orders.append(("limit", limit_w))
        self.power_limit_w = limit_w

    def set_power_mode(self, mode: str) -> None:
        self.orders.append(("mode", mode))
        self.power_mode = mode

    def set_pools(self, pools: Sequence[Pool]) -> None:
        self.orders.append("pools")
        self.pools = list(pools)

    def restart_mining(self) -> None:
        self.orders.append("restart")

    def reboot(self) -> None:
        self.orders.append("reboot")
        self.state = MachineState.BOOTING

    def blink(self, on: bool) -> None:
        self.orders.append(("blink", on))
        self.blinking = on


@pytest.fixture
def faults() -> FaultState:
    return FaultState()


@pytest.fixture
def machine() -> ScriptedMachine:
    return ScriptedMachine()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[dict[int, int]]]]:
    """Start a server on free ports; gives the port behind each standard port."""
    async with AsyncExitStack() as stack:

        async def start(server) -> dict[int, int]:
            await server.start("127.0.0.1", lambda _standard: 0)
            stack.push_async_callback(server.stop)
            return server.ports

        yield start


@pytest.fixture
def exchange() -> Callable[..., Awaitable[bytes]]:
    """Send bytes to a port and read until the device closes; nothing where it drops the connection."""

    async def exchange(port: int, request: bytes, *, eof: bool = False, client: str | None = None) -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=REPLY_LIMIT, local_addr=None if client is None else (client, 0)
        )
        try:
            writer.write(request)
            if eof:
                writer.write_eof()
            async with asyncio.timeout(5):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    return exchange


@pytest.fixture
def ask(exchange) -> Callable[..., Awaitable[dict]]:
    """One cgminer command: the decoded reply, which must end with one NUL."""

    async def ask(port: int, command: str | dict, *, key: str = "command", client: str | None = None) -> dict:
        request = {key: command} if isinstance(command, str) else command
        reply = await exchange(port, json.dumps(request).encode(), client=client)
        assert reply.endswith(b"\0")
        assert reply.count(b"\0") == 1
        return json.loads(reply[:-1])

    return ask


@dataclass
class WebReply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class WebConnection:
    """One kept HTTP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> WebReply:
        """IncompleteReadError where the device drops the connection instead of answering."""
        lines = [f"{method} {target} HTTP/1.1", "Host: device", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        async with asyncio.timeout(5):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            given = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
            return WebReply(
                int(head[0].split()[1]), given, await self._reader.readexactly(int(given["content-length"]))
            )


@pytest.fixture
def web() -> Callable[[int], object]:
    @asynccontextmanager
    async def connect(port: int) -> AsyncIterator[WebConnection]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield WebConnection(reader, writer)
        finally:
            writer.close()

    return connect
