import asyncio
from collections.abc import Callable

import pytest

from hardware_sims.faults import Fault, FaultDetail, FaultState
from hardware_sims.host import DeviceHost, port_plan


class RecordingServer:
    def __init__(self) -> None:
        self.listening_at: str | None = None
        self.starts = 0

    async def start(self, host: str, port_of: Callable[[int], int]) -> None:
        assert self.listening_at is None
        await asyncio.sleep(0)
        self.listening_at = host
        self.starts += 1

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.listening_at = None

    @property
    def ports(self) -> dict[int, int]:
        return {}


class Device:
    def __init__(self, faults: tuple[FaultState, ...]) -> None:
        self.up = True
        self.moved_to: list[str] = []
        self.server = RecordingServer()
        self.host = DeviceHost(
            self.server,
            "127.9.9.9",
            faults,
            port_of=lambda port: port,
            answering=lambda: self.up,
            moved=self.moved_to.append,
        )


@pytest.fixture
def faults() -> FaultState:
    return FaultState()


@pytest.fixture
async def device(faults) -> Device:
    made = Device((faults,))
    await made.host.open()
    return made


async def test_a_dead_device_does_not_listen_and_comes_back(device, faults):
    faults.set(Fault.DEAD)
    await device.host.settle()
    assert device.server.listening_at is None
    faults.clear()
    await device.host.settle()
    assert device.server.listening_at == "127.9.9.9"


async def test_a_device_that_moves_listens_elsewhere_and_returns(device, faults):
    faults.set(Fault.MOVED, FaultDetail(address="127.9.9.10"))
    await device.host.settle()
    assert device.server.listening_at == device.host.address == "127.9.9.10"
    faults.clear(Fault.MOVED)
    await device.host.settle()
    assert device.moved_to == ["127.9.9.9", "127.9.9.10", "127.9.9.9"]


async def test_a_device_without_power_does_not_listen(device, faults):
    device.up = False
    await device.host.settle()
    assert device.server.listening_at is None
    faults.cut = True
    device.up = True
    await device.host.settle()
    assert device.server.listening_at == "127.9.9.9"
    assert not faults.cut


async def test_a_device_that_was_cut_off_and_is_up_again_starts_afresh(device, faults):
    faults.cut = True
    await device.host.settle()
    assert device.server.starts == 2
    assert not faults.cut


async def test_other_faults_leave_the_listener_alone(device, faults):
    faults.set(Fault.SLOW)
    faults.set(Fault.FROZEN)
    await device.host.settle()
    assert device.server.starts == 1


async def test_many_changes_at_once_end_in_the_last_state(device, faults):
    for _ in range(10):
        faults.set(Fault.DEAD)
        faults.clear(Fault.DEAD)
    await device.host.settle()
    assert device.server.listening_at == "127.9.9.9"


async def test_a_gateway_closes_only_when_all_its_units_are_dead():
    first, second = FaultState(), FaultState()
    gateway = Device((first, second))
    await gateway.host.open()
    first.set(Fault.DEAD)
    await gateway.host.settle()
    assert gateway.server.listening_at
    second.set(Fault.DEAD)
    await gateway.host.settle()
    assert gateway.server.listening_at is None


async def test_closing_is_for_good(device, faults):
    await device.host.close()
    faults.set(Fault.DEAD)
    faults.clear()
    await device.host.settle()
    assert device.server.listening_at is None


def test_ports_are_offset_where_the_system_does_not_give_them(monkeypatch):
    def refuse(*_args: object) -> None:
        raise PermissionError

    monkeypatch.setattr("socket.socket.bind", refuse)
    port_of = port_plan("127.0.0.1")
    assert [port_of(port) for port in (80, 502, 4028)] == [10_080, 10_502, 4028]
