"""The socket itself: framing, limits, faults of delivery, and a machine that is not there."""

import asyncio
import errno
import json
import socket as stdlib_socket

import pytest

from hardware_sims.faults import Fault, FaultDetail
from hardware_sims.miners import cgminer
from hardware_sims.miners.cgminer import MAX_REQUEST_BYTES, CgminerSocket
from hardware_sims.tcp import AddressTaken

ECHO = b'{"command":"echo"}'


class Echo:
    """Answers with what it was asked."""

    def __init__(self) -> None:
        self.up = True
        self.clients: list[str] = []

    def serves(self) -> bool:
        return self.up

    def answer(self, request: dict, client: str) -> bytes:
        self.clients.append(client)
        return json.dumps(request).encode()

    def refuse_garbage(self) -> bytes:
        return b"garbage"


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def socket(echo, faults):
    socket = CgminerSocket(echo, faults, idle_s=0.2, max_clients=2)
    await socket.start("127.0.0.1", 0)
    yield socket
    await socket.stop()


async def test_one_reply_ends_with_nul_and_the_connection(socket, exchange):
    assert await exchange(socket.port, ECHO) == b'{"command": "echo"}\0'


@pytest.mark.parametrize("end", [b"\0", b"\n", b"\r\n"])
async def test_a_request_may_carry_a_terminator(socket, exchange, end):
    assert await exchange(socket.port, ECHO + end) == b'{"command": "echo"}\0'


async def test_a_request_may_arrive_in_pieces(socket):
    reader, writer = await asyncio.open_connection("127.0.0.1", socket.port)
    for piece in (b" ", b'{"command"', b':"echo"}'):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    assert await reader.read() == b'{"command": "echo"}\0'
    writer.close()


@pytest.mark.parametrize("garbage", [b"summary|", b"{broken}", b'["summary"]', b'{"a":1]\n', b"\xff\xfe"])
async def test_garbage_is_refused_at_once(socket, exchange, garbage):
    assert await exchange(socket.port, garbage) == b"garbage\0"


async def test_half_a_request_is_garbage_when_the_client_closes_its_half(socket, exchange):
    assert await exchange(socket.port, b'{"command":', eof=True) == b"garbage\0"


async def test_half_a_request_waits_until_the_deadline(socket, exchange):
    assert await exchange(socket.port, b'{"command":') == b""


async def test_an_oversized_request_is_cut(socket, exchange):
    assert await exchange(socket.port, b'{"command":"' + b"x" * 2 * MAX_REQUEST_BYTES) == b""


async def test_only_so_many_addresses_at_once(socket, exchange):
    held = [await asyncio.open_connection("127.0.0.1", socket.port, local_addr=(f"127.0.0.{n}", 0)) for n in (2, 3)]
    assert await exchange(socket.port, ECHO, client="127.0.0.2") == b'{"command": "echo"}\0'
    assert await exchange(socket.port, ECHO, client="127.0.0.4") == b""
    for _reader, writer in held:
        writer.close()


async def test_nobody_home(socket, echo, exchange):
    echo.up = False
    assert await exchange(socket.port, ECHO) == b""
    assert echo.clients == []


async def test_a_taken_address_says_so(socket, echo, faults):
    with pytest.raises(AddressTaken, match=str(socket.port)):
        await CgminerSocket(echo, faults).start("127.0.0.1", socket.port)


async def test_stop_drops_connections(socket):
    reader, writer = await asyncio.open_connection("127.0.0.1", socket.port)
    while not socket.open:
        await asyncio.sleep(0)
    await socket.stop()
    await socket.stop()
    assert await reader.read() == b""
    writer.close()


async def test_cut_drops_without_an_answer(socket, faults, echo, exchange):
    """The device goes down while it carries the order out: no answer leaves."""
    echo.answer = lambda _request, _client: setattr(faults, "cut", True) or b"never"
    assert await exchange(socket.port, ECHO) == b""


async def test_truncated(socket, faults, exchange):
    faults.set(Fault.TRUNCATED)
    assert await exchange(socket.port, ECHO) == b'{"command": "echo"}\0'[:10]


async def test_garbage_reply_has_the_same_length(socket, faults, exchange):
    faults.set(Fault.GARBAGE)
    reply = await exchange(socket.port, ECHO)
    assert len(reply) == 20
    assert not reply.startswith(b"{")


async def test_slow(socket, faults, exchange):
    faults.set(Fault.SLOW, FaultDetail(delay_s=0.3))
    started = asyncio.get_running_loop().time()
    assert await exchange(socket.port, ECHO) == b'{"command": "echo"}\0'
    assert asyncio.get_running_loop().time() - started >= 0.3


async def test_silent_accepts_and_never_answers(socket, faults):
    faults.set(Fault.SILENT)
    reader, writer = await asyncio.open_connection("127.0.0.1", socket.port)
    writer.write(ECHO)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await reader.read()
    await socket.stop()
    writer.close()


async def test_endless_sends_more_than_any_client_wants(socket, faults):
    faults.set(Fault.ENDLESS)
    reader, writer = await asyncio.open_connection("127.0.0.1", socket.port)
    writer.write(ECHO)
    assert len(await reader.readexactly(1 << 20)) == 1 << 20
    writer.transport.abort()


async def test_a_reply_larger_than_the_buffers(socket, echo, exchange):
    echo.answer = lambda _request, _client: b"x" * (8 << 20)
    assert len(await exchange(socket.port, ECHO)) == (8 << 20) + 1


async def test_a_broken_dialect_costs_one_connection(socket, echo, exchange):
    working, echo.answer = echo.answer, lambda _request, _client: 1 / 0
    assert await exchange(socket.port, ECHO) == b""
    echo.answer = working
    assert await exchange(socket.port, ECHO) == b'{"command": "echo"}\0'


async def test_out_of_descriptors_is_a_pause(socket, exchange, monkeypatch):
    calls = []

    def accept(listener):
        calls.append(listener)
        if len(calls) == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return accept_for_real(listener)

    accept_for_real = stdlib_socket.socket.accept
    monkeypatch.setattr(stdlib_socket.socket, "accept", accept)
    monkeypatch.setattr(cgminer, "PAUSE_S", 0.05)
    assert await exchange(socket.port, ECHO) == b'{"command": "echo"}\0'
    assert len(calls) >= 2


async def test_a_fault_ends_with_its_clearing(socket, faults, exchange):
    faults.set(Fault.TRUNCATED)
    await exchange(socket.port, ECHO)
    faults.clear()
    assert await exchange(socket.port, ECHO) == b'{"command": "echo"}\0'
