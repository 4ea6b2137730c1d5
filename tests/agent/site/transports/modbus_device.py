"""A Modbus gateway on a free loopback port, written from the protocol's specification, with faults to order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self


class Gateway:
    """`units` holds registers by unit and table. Units in `silent` never answer; `exceptions` maps units to codes."""

    def __init__(self, *, rtu: bool = False) -> None:
        self.units: dict[int, dict[str, dict[int, int]]] = {}
        self.silent: set[int] = set()
        self.exceptions: dict[int, int] = {}
        self.short: set[int] = set()
        self.hang_up: set[int] = set()
        self.asked: list[tuple[int, int, int]] = []  # unit, function, address
        self.written: list[bytes] = []
        self.times_s: list[float] = []
        self.connections = 0
        self.hold: asyncio.Event | None = None
        self.port = 0
        self._rtu = rtu
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        await self._server.wait_closed()
        while self._writers:  # until every conversation has noticed
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                await (self._rtu_frame if self._rtu else self._mbap_frame)(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _mbap_frame(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(7)
        pdu = await reader.readexactly(int.from_bytes(head[4:6], "big") - 1)
        answer = await self._answer(head[6], pdu, writer)
        if answer is not None:
            writer.write(head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:7] + answer)
            await writer.drain()

    async def _rtu_frame(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frame = await reader.readexactly(8)  # a read request
        assert crc(frame[:6]) == frame[6:]
        answer = await self._answer(frame[0], frame[1:6], writer)
        if answer is not None:
            body = frame[:1] + answer
            writer.write(body + crc(body))
            await writer.drain()

    async def _answer(self, unit: int, pdu: bytes, writer: asyncio.StreamWriter) -> bytes | None:
        function, address = pdu[0], int.from_bytes(pdu[1:3], "big")
        self.asked.append((unit, function, address))
        self.times_s.append(asyncio.get_running_loop().time())
        if self.hold is not None:
            await self.hold.wait()
        if unit in self.hang_up:
            writer.close()
            return None
        if unit in self.silent:
            return None
        if unit in self.exceptions:
            return bytes([function | 0x80, self.exceptions[unit]])
        if function == 16:
            self.written.append(pdu)
            return pdu[:5]
        count = int.from_bytes(pdu[3:5], "big") - (unit in self.short)
        table = self.units[unit]["input" if function == 4 else "holding"]
        data = b"".join(table[address + i].to_bytes(2, "big") for i in range(count))
        return bytes([function, len(data)]) + data


def crc(frame: bytes) -> bytes:
    """Modbus CRC-16, low byte first."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


@asynccontextmanager
async def gateway(*, rtu: bool = False) -> AsyncIterator[Gateway]:
    running = await Gateway(rtu=rtu).start()
    try:
        yield running
    finally:
        await running.stop()
