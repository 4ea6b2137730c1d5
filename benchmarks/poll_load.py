"""Polls as fast as one core lets it, in a process of its own: by the agent's poller and drivers, or by pyasic.

`python -m benchmarks.poll_load ORDER`, where ORDER is a `LoadOrder` as JSON; prints a `LoadResult` as JSON.
"""

import asyncio
import importlib
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent.site.drivers.miners import FAMILIES, Credentials, miner_profiles
from agent.site.roster import Known, Roster
from agent.site.telemetry.live import Live
from agent.site.telemetry.poller import Poller
from agent.site.telemetry.schedule import Periods
from benchmarks.agent_process import LOGINS
from shared import log
from shared.clock import SystemClock
from shared.site import Placement, load_site, miner_id
from shared.states import DeviceKind
from shared.wire.event import DeviceRecord

FAMILY_BY_MODEL = {"Antminer": "antminer-stock", "M": "whatsminer-v2", "BitAxe": "axeos"}
HOT, FULL, PYASIC = "hot", "full", "pyasic"
_AT_ONCE = 128
_PYASIC_AT_ONCE = 16
_DRAIN_S = 0.5
_WARM_UP_S = 30.0
_NEVER_S = 1e9
_NO_PAUSE_S = 1e-3


class LoadOrder(msgspec.Struct, frozen=True, kw_only=True):
    """`reader` is hot, full or pyasic; `families` empty takes all; `miners` at most, drawn by a fixed seed."""

    site_file: str
    ports: Mapping[int, int]
    reader: str
    families: tuple[str, ...] = ()
    miners: int
    seconds: float


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """`cpu_s` is that of this process, `sys_s` the share of it that the kernel took for sockets."""

    polls: int
    failures: int
    wall_s: float
    cpu_s: float
    sys_s: float
    by_family: Mapping[str, int]

    @property
    def per_cpu_s(self) -> float:
        return self.polls / self.cpu_s if self.cpu_s else 0.0


class Meter:
    """Wall and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._wall_s, self._times = time.perf_counter(), os.times()

    def result(self, polls: int, failures: int, by_family: Mapping[str, int]) -> LoadResult:
        now = os.times()
        user_s, sys_s = now.user - self._times.user, now.system - self._times.system
        return LoadResult(
            polls=polls,
            failures=failures,
            wall_s=time.perf_counter() - self._wall_s,
            cpu_s=user_s + sys_s,
            sys_s=sys_s,
            by_family=by_family,
        )


def family_of(placed: Placement) -> str:
    """By the first letters of the model; a digit must follow the single letter of MicroBT's models."""
    model = placed.model or ""
    for start, family in FAMILY_BY_MODEL.items():
        if model.startswith(start) and (len(start) > 1 or model[1:2].isdigit()):
            return family
    raise ValueError(f"model {model!r} belongs to no family that this benchmark knows")


def chosen(order: LoadOrder) -> list[Placement]:
    site = load_site(Path(order.site_file))
    wanted = [placed for placed in site.placement if not order.families or family_of(placed) in order.families]
    random.Random(1).shuffle(wanted)  # a site file lists its models one after the other
    return wanted[: order.miners]


async def poll_by_agent(order: LoadOrder) -> LoadResult:
    """The agent's own poller over its own drivers; every device is read once before the clock runs."""
    clock, live = SystemClock(), Live()
    roster = Roster(lambda _record: None)
    always_full = order.reader == FULL
    periods = Periods(hot_s=_NO_PAUSE_S, warm_s=_NO_PAUSE_S, full_every_s=0.0 if always_full else _NEVER_S)
    poller = Poller(roster, live, clock, periods, in_flight=_AT_ONCE)
    for placed in chosen(order):
        roster.put_miner(known_miner(placed, order.ports))
        poller.add(miner_id(placed.mac))
    running = asyncio.create_task(poller.run())
    try:
        deadline_s = time.monotonic() + _WARM_UP_S
        seen: set[str] = set()
        while len(seen) < len(roster) and time.monotonic() < deadline_s:
            await asyncio.sleep(_DRAIN_S / 10)
            seen.update(live.take_tables()[0].device_id)
        polls, failures, meter = poller.polls, poller.failures, Meter()
        by_family: Counter[str] = Counter()
        end_s = time.monotonic() + order.seconds
        while time.monotonic() < end_s:
            await asyncio.sleep(min(_DRAIN_S, max(end_s - time.monotonic(), 0)))
            by_family.update(roster.miners[name].record.family for name in live.take_tables()[0].device_id)
        return meter.result(poller.polls - polls, poller.failures - failures, by_family)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await roster.aclose()


def known_miner(placed: Placement, ports: Mapping[int, int]) -> Known[Any]:
    family, profile = family_of(placed), miner_profiles()[family_of(placed)]
    login = Credentials(*LOGINS[family]) if family in LOGINS else None
    address = placed.address or ""
    driver = FAMILIES[family](address, lambda port: ports.get(port, port), login, profile, placed.mac)
    record = DeviceRecord(
        miner_id(placed.mac), DeviceKind.MINER, family, model=placed.model or "", mac=placed.mac, address=address
    )
    return Known(record, driver, placement=placed)


async def poll_by_pyasic(order: LoadOrder) -> LoadResult:
    """`get_data` of pyasic over miners that it has identified before the clock runs."""
    factory: Any = importlib.import_module("pyasic").get_miner
    placements = chosen(order)
    miners = await asyncio.gather(*(factory(placed.address) for placed in placements))
    found = [(family_of(placed), miner) for placed, miner in zip(placements, miners, strict=True) if miner is not None]
    if not found:
        return Meter().result(0, len(placements), {})
    polled: Counter[str] = Counter()
    failed = 0
    turn = 0
    end_s = time.monotonic() + order.seconds

    async def reader() -> None:
        nonlocal turn, failed
        while time.monotonic() < end_s:
            family, miner = found[turn % len(found)]
            turn += 1
            try:
                data = await asyncio.wait_for(miner.get_data(), 10)
                failed += data.hashrate is None
            except Exception:
                failed += 1
            polled[family] += 1

    meter = Meter()
    await asyncio.gather(*(reader() for _ in range(_PYASIC_AT_ONCE)))
    return meter.result(polled.total(), failed, polled)


def main() -> None:
    log.configure(level="error")
    order = msgspec.json.decode(sys.argv[1], type=LoadOrder)
    result = asyncio.run(poll_by_pyasic(order) if order.reader == PYASIC else poll_by_agent(order))
    print(msgspec.json.encode(result).decode(), flush=True)


if __name__ == "__main__":
    main()
