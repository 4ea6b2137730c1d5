import asyncio
import socket

import pytest

from agent.site.transports.cgminer import CgminerTransport
from agent.site.transports.deadline import Deadlines, connect_failed
from shared.errors import DeviceTimeout, ProtocolViolation, SettingInvalid, Unreachable

QUICK = Deadlines(connect_s=0.3, first_byte_s=0.3, total_s=0.6)
ASK = b'{"command":"summary"}'


def replying(*pieces, pause_s=0.0):
    async def script(reader, writer):
        await reader.read(4096)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return script


def client(server, **options):
    return CgminerTransport("127.0.0.1", server.port, **{"deadlines": QUICK, **options})


@pytest.mark.parametrize(
    "pieces",
    [(b'{"a":1}',), (b'{"a":1}\0',), (b'{"a"', b":1}\0"), (b'{"a":1}\0{"never":"read"}',), (b'{"a":1}', b"\0")],
)
async def test_reply_ends_at_nul_or_end_of_file(serve, pieces):
    server = await serve(replying(*pieces, pause_s=0.01))
    assert await client(server).ask(ASK) == b'{"a":1}'


async def test_nul_ends_the_reply_although_the_connection_stays_open(serve):
    server = await serve(replying(b'{"a":1}\0', pause_s=30))
    assert await client(server).ask(ASK) == b'{"a":1}'


async def test_one_connection_per_request(serve):
    server = await serve(replying(b"{}\0"))
    transport = client(server)
    await asyncio.gather(*(transport.ask(ASK) for _ in range(5)))
    assert server.connections == 5


async def test_long_request_and_long_reply_arrive_whole(serve):
    async def script(reader, writer):
        size = len(await reader.readexactly(3_000_002))
        writer.write(b"%d:" % size + b"x" * 200_000 + b"\0")
        await writer.drain()

    server = await serve(script)
    reply = await client(server).ask(b"{" + b"y" * 3_000_000 + b"}")
    assert reply == b"3000002:" + b"x" * 200_000


async def _silent(reader, writer):
    await asyncio.sleep(30)


async def _endless(reader, writer):
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def _reset(reader, writer):
    await reader.read(4096)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01" + b"\0" * 7)
    writer.transport.abort()


async def _reset_midway(reader, writer):
    writer.write(b'{"a":')
    await writer.drain()
    await asyncio.sleep(0.05)
    await _reset(reader, writer)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (_silent, DeviceTimeout),
        (replying(*[b"x"] * 100, pause_s=0.02), DeviceTimeout),
        (_endless, ProtocolViolation),
        (_reset, Unreachable),
        (_reset_midway, ProtocolViolation),
        (replying(), Unreachable),
        (replying(b"\0"), Unreachable),
    ],
)
async def test_hostile_devices_cost_one_deadline(serve, script, error):
    server = await serve(script)
    started_s = asyncio.get_running_loop().time()
    with pytest.raises(error):
        await client(server).ask(ASK)
    assert asyncio.get_running_loop().time() - started_s < QUICK.total_s + 0.3


async def test_nothing_listens():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Unreachable, match="refused"):
        await CgminerTransport("127.0.0.1", port, deadlines=QUICK).ask(ASK)


async def test_no_answer_to_the_connection():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address), pytest.raises(DeviceTimeout, match="no connection"):
            await CgminerTransport(*address, deadlines=QUICK).ask(ASK)


async def test_cancelling_leaves_no_socket(serve):
    entered = asyncio.Event()

    async def script(reader, writer):
        await reader.read(4096)
        entered.set()
        assert await reader.read() == b""

    server = await serve(script)
    asking = asyncio.create_task(client(server).ask(ASK))
    await entered.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


def test_a_name_is_refused():
    with pytest.raises(SettingInvalid, match="IP address"):
        CgminerTransport("miner-7.example", 4028)


@pytest.mark.parametrize(("number", "word"), [(99, "source port"), (24, "file descriptor"), (111, "refused")])
def test_what_an_operating_system_error_means(number, word):
    assert word in connect_failed("10.0.0.1:4028", OSError(number, "")).detail
