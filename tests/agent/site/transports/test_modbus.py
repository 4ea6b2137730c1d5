"""The Modbus transport against a gateway of our own on a real socket."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from agent.site.transports.bus import Priority
from agent.site.transports.modbus import Line, ModbusGateway, ModbusGateways, Span
from shared.errors import DeviceError, DeviceTimeout, ProtocolViolation, Rejected, Unreachable, Unsupported

from .modbus_device import Gateway, gateway

TWO = Span("input", 0x10, 2)
FAST = Line(timeout_s=0.3)


@pytest.fixture
async def device() -> AsyncIterator[Gateway]:
    async with gateway() as running:
        for unit in (1, 2):
            running.units[unit] = {"input": {0x10: 0x4366, 0x11: 0x8000}, "holding": {0x10: unit, 0x11: 7}}
        yield running


@pytest.fixture
async def gateways() -> AsyncIterator[ModbusGateways]:
    opened = ModbusGateways()
    yield opened
    await opened.aclose()


def at(device: Gateway, gateways: ModbusGateways, line: Line = FAST) -> ModbusGateway:
    return gateways.at("127.0.0.1", device.port, line)


async def test_tables_are_read_with_their_own_function(device: Gateway, gateways: ModbusGateways) -> None:
    registers = at(device, gateways)
    assert await registers.read(1, TWO) == (0x4366, 0x8000)
    assert await registers.read(2, Span("holding", 0x10, 2)) == (2, 7)
    assert device.asked == [(1, 4, 0x10), (2, 3, 0x10)]


async def test_units_behind_one_address_share_one_connection(device: Gateway, gateways: ModbusGateways) -> None:
    first, second = at(device, gateways), at(device, gateways)
    assert first is second
    await asyncio.gather(*(registers.read(unit, TWO) for registers in (first, second) for unit in (1, 2)))
    assert device.connections == 1
    await first.aclose()
    assert await second.read(1, TWO)  # one holder is left
    assert device.connections == 1
    await second.aclose()
    assert await second.read(1, TWO)  # a closed one opens again
    assert device.connections == 2


async def test_one_request_is_in_flight_and_a_command_goes_next(device: Gateway, gateways: ModbusGateways) -> None:
    registers = at(device, gateways, Line(timeout_s=1.0))
    device.hold = asyncio.Event()
    tasks = [asyncio.create_task(registers.read(1, TWO, Priority.SLOW))]
    while not device.asked:
        await asyncio.sleep(0)
    waiting = [(2, Priority.SLOW), (1, Priority.NORMAL), (2, Priority.FAST)]
    tasks += [asyncio.create_task(registers.read(unit, TWO, priority)) for unit, priority in waiting]
    tasks.append(asyncio.create_task(registers.write(2, 0x40, [1, 2])))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(device.asked) == 1
    device.hold.set()
    await asyncio.gather(*tasks)
    assert device.asked == [(1, 4, 0x10), (2, 16, 0x40), (2, 4, 0x10), (1, 4, 0x10), (2, 4, 0x10)]
    assert device.written == [bytes.fromhex("10 0040 0002 04 0001 0002")]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, Unsupported),
        (2, Unsupported),
        (3, Rejected),
        (4, Rejected),
        (5, DeviceTimeout),
        (6, DeviceTimeout),
        (0x0A, Unreachable),
        (0x0B, DeviceTimeout),
        (0x55, ProtocolViolation),
    ],
)
async def test_exceptions_are_typed(
    device: Gateway, gateways: ModbusGateways, code: int, kind: type[DeviceError]
) -> None:
    device.exceptions[1] = code
    with pytest.raises(kind, match=f"unit 1, input 0x0010\\+2.*exception {code}") as caught:
        await at(device, gateways).read(1, TWO)
    assert type(caught.value) is kind


async def test_a_silent_unit_costs_the_others_nothing_after_two_requests(
    device: Gateway, gateways: ModbusGateways
) -> None:
    device.silent.add(1)
    registers = at(device, gateways)
    for _ in range(3):
        with pytest.raises(DeviceTimeout, match=r"no answer within 0\.3 s"):
            await registers.read(1, TWO)
    asked = len(device.asked)
    with pytest.raises(DeviceTimeout, match="to spare the bus"):
        await registers.read(1, TWO)
    assert len(device.asked) == asked  # it was not on the wire
    assert await registers.read(2, TWO) == (0x4366, 0x8000)
    assert device.connections == 1  # the healthy unit kept its connection


async def test_a_unit_that_answers_again_is_asked_as_before(device: Gateway, gateways: ModbusGateways) -> None:
    device.exceptions[1] = 0x0B  # dead behind a live gateway
    registers = at(device, gateways)
    for _ in range(2):
        with pytest.raises(DeviceTimeout):
            await registers.read(1, TWO)
    del device.exceptions[1]
    for _ in range(5):
        assert await registers.read(1, TWO)


async def test_a_gateway_that_is_not_there_is_told_from_a_silent_unit(
    device: Gateway, gateways: ModbusGateways
) -> None:
    registers = at(device, gateways)
    await registers.read(1, TWO)
    await device.stop()
    with pytest.raises(Unreachable):
        await registers.read(1, TWO)
    with pytest.raises(Unreachable, match="tried again in"):
        await registers.read(2, TWO)  # without waiting for a connection that was just refused
    await device.start(device.port)
    for _ in range(200):
        try:
            assert await registers.read(1, TWO)
            break
        except Unreachable:
            await asyncio.sleep(0.01)
    else:
        pytest.fail("did not reconnect")


async def test_a_connection_on_which_nobody_answers_is_renewed(device: Gateway, gateways: ModbusGateways) -> None:
    device.silent |= {1, 2}
    registers = at(device, gateways)
    for unit in (1, 2, 1, 2):
        with pytest.raises(DeviceTimeout):
            await registers.read(unit, TWO)
    device.silent.clear()
    assert await registers.read(1, TWO)
    assert device.connections == 2


async def test_a_connection_lost_before_the_reply_is_the_gateways_fault(
    device: Gateway, gateways: ModbusGateways
) -> None:
    device.hang_up.add(1)
    with pytest.raises(Unreachable, match="the gateway"):
        await at(device, gateways).read(1, TWO)


async def test_too_few_registers_are_no_reading(device: Gateway, gateways: ModbusGateways) -> None:
    device.short.add(1)
    with pytest.raises(ProtocolViolation, match="1 registers came"):
        await at(device, gateways).read(1, TWO)


async def test_a_cancelled_request_leaves_the_bus_to_the_next(device: Gateway, gateways: ModbusGateways) -> None:
    registers = at(device, gateways, Line(timeout_s=1.0))
    device.hold = asyncio.Event()
    running = asyncio.create_task(registers.read(1, TWO))
    while not device.asked:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    device.hold.set()  # the late reply comes now, under its old transaction number
    assert await registers.read(2, Span("holding", 0x10, 2)) == (2, 7)


async def test_pauses_between_requests_are_kept(device: Gateway, gateways: ModbusGateways) -> None:
    registers = at(device, gateways, Line(timeout_s=0.3, pause_s=0.05))
    for _ in range(3):
        await registers.read(1, TWO)
    assert all(later - earlier >= 0.05 for earlier, later in zip(device.times_s, device.times_s[1:], strict=False))


async def test_rtu_frames_over_tcp(gateways: ModbusGateways) -> None:
    async with gateway(rtu=True) as device:
        device.units[1] = {"input": {0x10: 0x4366, 0x11: 0x8000}}
        registers = at(device, gateways, Line(mode="rtu_over_tcp", timeout_s=0.3))
        assert await registers.read(1, TWO) == (0x4366, 0x8000)
        device.silent.add(2)
        with pytest.raises(DeviceTimeout):
            await registers.read(2, TWO)
        assert await registers.read(1, TWO)
        assert device.connections == 2  # frames without numbers: a late reply must not pass for the next one


async def test_one_gateway_frames_in_one_way(gateways: ModbusGateways) -> None:
    gateways.at("127.0.0.1", 1502, Line())
    with pytest.raises(Unsupported, match="both tcp and rtu_over_tcp"):
        gateways.at("127.0.0.1", 1502, Line(mode="rtu_over_tcp"))


def test_the_most_patient_unit_sets_the_line() -> None:
    assert Line(timeout_s=0.3, pause_s=0.1).also(Line(timeout_s=1.0, settle_s=0.2)) == Line("tcp", 1.0, 0.1, 0.2)


async def test_the_library_says_the_same_thing_once_a_minute(
    device: Gateway, gateways: ModbusGateways, caplog: pytest.LogCaptureFixture
) -> None:
    device.silent |= {1, 2}
    with caplog.at_level(logging.ERROR, logger="pymodbus.logging"):
        for unit in (1, 2, 1):
            with pytest.raises(DeviceTimeout):
                await at(device, gateways).read(unit, TWO)
    assert sum("No response received" in record.getMessage() for record in caplog.records) <= 1
