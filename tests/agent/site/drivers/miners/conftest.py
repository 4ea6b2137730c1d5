"""Scripted miners: replies written by hand from the protocol reference, with faults that a test can set."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.site.transports import cgminer, http
from agent.site.transports.deadline import Deadlines

REPLIES = Path(__file__).parent / "replies"
QUICK = Deadlines(connect_s=0.3, first_byte_s=0.3, total_s=0.8)
HANG = "hang"
Reply = bytes | str | dict[str, Any]


@pytest.fixture(autouse=True)
def _quick_deadlines(monkeypatch):
    for transport in (cgminer, http):
        monkeypatch.setattr(transport, "Deadlines", lambda: QUICK)


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], dict[str, Any]]:
    """A fresh copy of a hand-written reply."""
    return lambda name: json.loads((REPLIES / f"{name}.json").read_text())


class ScriptedDevice:
    """One listening port. `asked` holds every request in order; `answers` what it answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class SocketDevice(ScriptedDevice):
    """cgminer's socket: `answers` by command; bytes as they are, objects as JSON with a NUL; a callable is asked."""

    async def converse(self, reader, writer):
        raw = await reader.read(65_536)
        request = json.loads(raw)
        self.asked.append(request)
        command = request.get("command") or request.get("cmd") or "enc"
        answer = self.answers.get(command, {"STATUS": "E", "Code": 14, "Msg": "invalid cmd"})
        if callable(answer):
            answer = answer(request)
        if answer == HANG:
            await asyncio.sleep(30)
        writer.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\0")
        await writer.drain()


class WebDevice(ScriptedDevice):
    """HTTP without login: `answers` by `GET /path`; a callable gets the body; (status, body) sets the status."""

    async def converse(self, reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(found[1])) if found else b""
            asked = b" ".join(head.split()[:2]).decode()
            self.asked.append((asked, body))
            answer = self.answers.get(asked, (404, b"no such page"))
            if callable(answer):
                answer = answer(body)
            if answer == HANG:
                await asyncio.sleep(30)
            if answer is None:  # drop the connection without a word
                return
            status, content = answer if isinstance(answer, tuple) else (200, answer)
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            extra = b"".join(b"%s\r\n" % line for line in self.answers.get("headers", ()))
            writer.write(b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (status, extra, len(content), content))
            await writer.drain()

    def posts(self) -> list[tuple[str, Any]]:
        """Every write, its body parsed."""
        return [
            (asked, json.loads(body) if body else None) for asked, body in self.asked if not asked.startswith("GET")
        ]


@pytest.fixture
async def socket_device() -> AsyncIterator[SocketDevice]:
    device = SocketDevice()
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
async def web_device() -> AsyncIterator[WebDevice]:
    device = WebDevice()
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
def ports(socket_device, web_device) -> Callable[[int], int]:
    """The scripted device's ports by the standard ones."""
    return {4028: socket_device.port, 80: web_device.port}.__getitem__
