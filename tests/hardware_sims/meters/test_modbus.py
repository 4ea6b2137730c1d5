"""The server on raw sockets: framing, exceptions, several units, faults."""

import asyncio
import struct

import pytest

from hardware_sims.faults import Fault, FaultDetail, FaultState
from hardware_sims.meters import ModbusServer
from hardware_sims.meters.registers import ModbusRefusal


class Ramp:
    """Register n holds n; none above 999."""

    def __init__(self) -> None:
        self.faults = FaultState()

    def read(self, function: int, address: int, count: int) -> bytes:
        if address + count > 1000:
            raise ModbusRefusal(2)
        return struct.pack(f">{count}H", *range(address, address + count))


def request(transaction: int, unit: int, function: int, address: int, count: int) -> bytes:
    return struct.pack(">HHHBBHH", transaction, 0, 6, unit, function, address, count)


@pytest.fixture
def units() -> dict[int, Ramp]:
    return {1: Ramp(), 7: Ramp()}


@pytest.fixture
async def port(units, stopping) -> int:
    server = ModbusServer(units)
    await server.start("127.0.0.1", lambda _standard: 0)
    stopping.push_async_callback(server.stop)
    return server.ports[502]


async def test_a_read_carries_transaction_and_unit(port, exchange):
    reply = await exchange("127.0.0.1", port, request(0xBEEF, 7, 3, 10, 2), 13)
    assert reply == struct.pack(">HHHBBBHH", 0xBEEF, 0, 7, 7, 3, 4, 10, 11)


async def test_one_segment_may_hold_several_requests(port, exchange):
    three = request(1, 1, 3, 0, 1) + request(2, 7, 4, 5, 1) + request(3, 1, 3, 9, 1)
    reply = await exchange("127.0.0.1", port, three, 33)
    assert [struct.unpack_from(">H", reply, 11 * at)[0] for at in range(3)] == [1, 2, 3]
    assert [struct.unpack_from(">H", reply, 11 * at + 9)[0] for at in range(3)] == [0, 5, 9]


async def test_one_request_may_come_in_pieces(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for byte in request(5, 1, 3, 0, 1):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(reader.readexactly(11), 5))[:2] == b"\0\x05"
    writer.close()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (request(1, 1, 6, 0, 1), 1),
        (request(1, 1, 3, 999, 2), 2),
        (request(1, 1, 3, 0, 0), 3),
        (request(1, 1, 3, 0, 126), 3),
        (struct.pack(">HHHBBH", 1, 0, 4, 1, 3, 0), 3),
        (request(1, 9, 3, 0, 1), 0x0B),
    ],
)
async def test_exceptions(port, exchange, sent, code):
    reply = await exchange("127.0.0.1", port, sent, 9)
    assert reply[7] == sent[7] | 0x80
    assert reply[8] == code


async def test_125_registers_are_allowed(port, exchange):
    assert len(await exchange("127.0.0.1", port, request(1, 1, 3, 0, 125), 259)) == 259


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", struct.pack(">HHHB", 1, 0, 1, 1), b"\0" * 7])
async def test_bytes_that_are_no_modbus_end_the_connection(port, exchange, nonsense):
    assert await exchange("127.0.0.1", port, nonsense) == b""


async def test_a_dead_unit_behind_a_live_gateway(port, units, exchange):
    units[7].faults.set(Fault.DEAD)
    assert (await exchange("127.0.0.1", port, request(1, 7, 3, 0, 1), 9))[8] == 0x0B
    assert (await exchange("127.0.0.1", port, request(1, 1, 3, 0, 1), 11))[7] == 3


async def test_truncated_and_garbled_replies(port, units, exchange):
    units[1].faults.set(Fault.TRUNCATED)
    assert len(await exchange("127.0.0.1", port, request(1, 1, 3, 0, 10))) == 14
    units[1].faults.clear()
    units[1].faults.set(Fault.GARBAGE)
    garbled = await exchange("127.0.0.1", port, request(1, 1, 3, 0, 10))
    assert len(garbled) == 29
    assert garbled[:2] != b"\0\x01"


async def test_a_slow_unit_answers_in_the_end(port, units, exchange):
    units[1].faults.set(Fault.SLOW, FaultDetail(delay_s=0.15))
    began = asyncio.get_running_loop().time()
    await exchange("127.0.0.1", port, request(1, 1, 3, 0, 1), 11)
    assert asyncio.get_running_loop().time() - began >= 0.15
