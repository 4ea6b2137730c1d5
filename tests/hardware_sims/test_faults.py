"""Every fault of delivery, seen by a client that knows nothing but bytes."""

import asyncio

import pytest

from hardware_sims import faults as faults_module
from hardware_sims.faults import Fault, FaultDetail, FaultState, deliver
from hardware_sims.tcp import AddressTaken, TcpServer

REPLY = b'{"STATUS":"S","value":[1,2,3,4,5,6,7,8]}\0'


@pytest.fixture
def faults() -> FaultState:
    return FaultState()


@pytest.fixture
async def port(faults, stopping) -> int:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        await deliver(writer, REPLY, faults)

    server = TcpServer(converse)
    await server.start("127.0.0.1", 0)
    stopping.push_async_callback(server.stop)
    return server.port


async def test_without_faults_the_reply_arrives_whole(port, exchange):
    assert await exchange("127.0.0.1", port, b"?") == REPLY


async def test_truncated(port, faults, exchange):
    faults.set(Fault.TRUNCATED)
    assert await exchange("127.0.0.1", port, b"?") == REPLY[: len(REPLY) // 2]


async def test_garbage_is_as_long_and_always_the_same(port, faults, exchange):
    faults.set(Fault.GARBAGE)
    first = await exchange("127.0.0.1", port, b"?")
    assert len(first) == len(REPLY)
    assert first != REPLY
    assert await exchange("127.0.0.1", port, b"?") == first


async def test_endless_goes_on_and_never_ends_its_json(port, faults, exchange):
    faults.set(Fault.ENDLESS)
    begun = await exchange("127.0.0.1", port, b"?", 300_000)
    assert begun.startswith(REPLY[:-2])
    assert begun[len(REPLY) :].strip() == b""


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DEAD])
async def test_no_byte_arrives(port, faults, exchange, monkeypatch, fault):
    monkeypatch.setattr(faults_module, "SILENCE_S", 0.05)
    faults.set(fault)
    assert await exchange("127.0.0.1", port, b"?") == b""


async def test_a_device_that_was_cut_off_answers_no_more(port, faults, exchange):
    faults.cut = True
    assert await exchange("127.0.0.1", port, b"?") == b""


async def test_slow(port, faults, exchange):
    faults.set(Fault.SLOW, FaultDetail(delay_s=0.1))
    began = asyncio.get_running_loop().time()
    assert await exchange("127.0.0.1", port, b"?") == REPLY
    assert asyncio.get_running_loop().time() - began >= 0.1


async def test_stopping_drops_conversations_and_frees_the_port(faults, exchange):
    entered = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        entered.set()
        await reader.read()

    server = TcpServer(converse)
    await server.start("127.0.0.1", 0)
    port = server.port
    conversation = asyncio.create_task(exchange("127.0.0.1", port, b""))
    await entered.wait()
    await server.stop()
    await server.stop()
    assert await conversation == b""
    with pytest.raises(ConnectionRefusedError):
        await exchange("127.0.0.1", port, b"")
    await server.start("127.0.0.1", port)
    await server.stop()


async def test_an_address_in_use_is_named(port):
    async def converse(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None: ...

    with pytest.raises(AddressTaken, match=f"127.0.0.1:{port}"):
        await TcpServer(converse).start("127.0.0.1", port)


def test_watchers_hear_every_change(faults):
    heard: list[list[str]] = []
    faults.watch(lambda: heard.append(faults.names()))
    faults.set(Fault.SLOW)
    faults.set(Fault.FROZEN)
    faults.clear(Fault.SLOW)
    faults.clear()
    assert heard == [["slow"], ["frozen", "slow"], ["frozen"], []]


def test_parameters_of_a_fault_that_is_not_active_are_the_defaults(faults):
    assert faults.unit_factor == 1.0
    assert faults.detail(Fault.SLOW) == FaultDetail()
    faults.set(Fault.WRONG_UNIT, FaultDetail(factor=5.0))
    assert faults.unit_factor == 5.0
