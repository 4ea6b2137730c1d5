import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.signer.clock import Checkpoint, ClockSettings, HeaderClock
from agent.signer.clock.header import display, parse, target_of
from shared.bitcoin.network import Network
from shared.errors import Denied, SettingInvalid
from tests.agent.signer.clock.scene import (
    GENESIS,
    GENESIS_TIME_S,
    StandingClock,
    header,
    headers,
    without_work,
)

CHAIN = headers(30)
FROM_GENESIS = Checkpoint(0, GENESIS)


def tip_time_s(chain: list[bytes]) -> int:
    return parse(chain[-1]).time_s


@pytest.fixture
def machine() -> StandingClock:
    return StandingClock(tip_time_s(CHAIN) + 60)


@pytest.fixture
def new_clock(tmp_path: Path, machine: StandingClock) -> Iterator[Callable[..., HeaderClock]]:
    opened: list[HeaderClock] = []

    def make(checkpoint: Checkpoint = FROM_GENESIS) -> HeaderClock:
        for earlier in opened:
            earlier.close()
        clock = HeaderClock(tmp_path / "clock", ClockSettings(Network.REGTEST, checkpoint), machine)
        clock.open()
        opened.append(clock)
        return clock

    yield make
    for clock in opened:
        clock.close()


def stale(clock: HeaderClock) -> str:
    with pytest.raises(Denied) as caught:
        clock.time()
    assert caught.value.rule == "clock.stale"
    return caught.value.detail


def test_height_and_median_time_follow_the_headers(new_clock: Callable[..., HeaderClock]) -> None:
    clock = new_clock()
    assert clock.tip() == (0, GENESIS_TIME_S)
    times = [GENESIS_TIME_S]
    for height, raw in enumerate(CHAIN, start=1):
        assert clock.take([raw]) == (1, "")
        times.append(parse(raw).time_s)
        expected = statistics.median_high(times[-11:])
        assert clock.tip() == (height, expected)
    assert clock.time() == clock.tip()


def test_headers_survive_a_restart(new_clock: Callable[..., HeaderClock]) -> None:
    clock = new_clock()
    assert clock.take(CHAIN) == (30, "")
    before = clock.tip()
    assert new_clock().tip() == before


def test_known_headers_are_not_new(new_clock: Callable[..., HeaderClock], tmp_path: Path) -> None:
    clock = new_clock()
    clock.take(CHAIN[:20])
    assert clock.take(CHAIN) == (10, "")
    assert clock.take(CHAIN) == (0, "")
    assert (tmp_path / "clock" / "headers.dat").stat().st_size == 30 * 80


@pytest.mark.parametrize("left", [0, 1, 79, 80, 81, 30 * 80 - 1])
def test_a_torn_file_gives_what_is_whole(new_clock: Callable[..., HeaderClock], tmp_path: Path, left: int) -> None:
    new_clock().take(CHAIN)
    file = tmp_path / "clock" / "headers.dat"
    file.write_bytes(file.read_bytes()[:left])
    clock = new_clock()
    assert clock.tip().height == left // 80
    assert clock.take(CHAIN) == (30 - left // 80, "")
    assert new_clock().tip().height == 30


@pytest.mark.parametrize("byte", [0, 5 * 80 + 10, 5 * 80 + 70, 29 * 80 + 79])
def test_a_changed_header_in_the_file_ends_it(new_clock: Callable[..., HeaderClock], tmp_path: Path, byte: int) -> None:
    new_clock().take(CHAIN)
    file = tmp_path / "clock" / "headers.dat"
    content = bytearray(file.read_bytes())
    content[byte] ^= 0x40
    file.write_bytes(bytes(content))
    height = new_clock().tip().height
    assert height <= byte // 80 + 1
    assert file.stat().st_size == height * 80


def test_more_work_wins_and_equal_work_does_not(new_clock: Callable[..., HeaderClock]) -> None:
    clock = new_clock()
    clock.take(CHAIN)
    fork = headers(6, previous=parse(CHAIN[25]).hash, time_s=parse(CHAIN[25]).time_s + 1, mark=1)
    assert clock.take(fork[:4]) == (4, "")
    assert clock.tip() == (30, parse(CHAIN[24]).time_s)
    clock.take(fork[4:])
    assert clock.tip().height == 32


def test_what_breaks_a_rule_is_refused_and_what_came_before_is_kept(new_clock: Callable[..., HeaderClock]) -> None:
    clock = new_clock()
    parent, tip_s = parse(CHAIN[9]).hash, parse(CHAIN[9]).time_s
    clock.take(CHAIN[:10])
    before = clock.tip()
    good = header(parent, tip_s + 600)
    bad = (
        (without_work(good), "work"),
        (header(parent, tip_s + 600, bits=0x207FFFFE), "rule"),
        (header(parent, before.mtp_s), "rule"),  # not above the median of the last eleven
        (header(parent, tip_s + 600, version=1), "rule"),
        (header(b"\x01" * 32, tip_s + 600), "not known"),
        (good[:79], "79 bytes"),
    )
    for raw, reason in bad:
        taken = clock.take([raw])
        assert taken.accepted == 0
        assert reason in taken.refused
    assert clock.tip() == before
    assert clock.take([good, *(raw for raw, _ in bad)]).accepted == 1


def test_a_header_from_the_future_is_refused_by_the_kernels_rule(
    new_clock: Callable[..., HeaderClock], machine: StandingClock
) -> None:
    """The kernel looks at the system clock itself, so this one must be the real one."""
    machine.wall_s = time.time()
    clock = new_clock()
    parent = bytes.fromhex(GENESIS)[::-1]
    assert "set it" in clock.take([header(parent, int(time.time()) + 3 * 3600)]).refused
    assert clock.take([header(parent, int(time.time()) + 3600)]).accepted == 1


def test_the_checkpoint_must_be_reached(new_clock: Callable[..., HeaderClock]) -> None:
    clock = new_clock(Checkpoint(20, display(parse(CHAIN[19]).hash)))
    clock.take(CHAIN[:19])
    assert "checkpoint" in stale(clock)
    clock.take(CHAIN)
    assert clock.time().height == 30


def test_a_chain_beside_the_checkpoint_is_refused(new_clock: Callable[..., HeaderClock]) -> None:
    """Longer, and cheap to make from before the checkpoint: neither instead of it nor after it."""
    false = headers(40, mark=2)
    clock = new_clock(Checkpoint(20, display(parse(CHAIN[19]).hash)))
    taken = clock.take(false)
    assert taken.accepted == 19
    assert "checkpoint" in taken.refused
    clock.take(CHAIN)
    assert clock.take(false).accepted == 0
    assert clock.time().height == 30


def test_a_checkpoint_of_another_network_is_a_wrong_setting(new_clock: Callable[..., HeaderClock]) -> None:
    with pytest.raises(SettingInvalid):
        new_clock(Checkpoint(0, "00" * 32))


def test_silence_makes_it_stale(new_clock: Callable[..., HeaderClock], machine: StandingClock) -> None:
    clock = new_clock()
    clock.take(CHAIN[:29])
    machine.mono_s += 6 * 3600 + 1
    assert "no better header" in stale(clock)
    clock.take(CHAIN[:29])
    assert "no better header" in stale(clock)  # known ones are no news
    clock.take(CHAIN)
    assert clock.time().height == 30


def test_a_tip_far_behind_the_machines_clock_is_stale(
    new_clock: Callable[..., HeaderClock], machine: StandingClock
) -> None:
    """Set forward, the machine's clock makes the box refuse; set back, it moves no time at all."""
    clock = new_clock()
    clock.take(CHAIN)
    before = clock.time()
    machine.wall_s += 24 * 3600
    assert "older than this machine's clock" in stale(clock)
    machine.wall_s = 0
    assert clock.time() == before


@pytest.mark.parametrize(
    ("bits", "target"),
    [
        (0x1D00FFFF, 0xFFFF << 208),  # genesis
        (0x207FFFFF, 0x7FFFFF << 232),
        (0x01003456, 0x00),  # below: Bitcoin Core, arith_uint256_tests
        (0x01123456, 0x12),
        (0x02123456, 0x1234),
        (0x03123456, 0x123456),
        (0x04123456, 0x12345600),
        (0x04923456, 0),  # negative
        (0x20123456, 0x123456 << 232),
        (0xFF123456, 0),  # overflow
    ],
)
def test_compact_targets(bits: int, target: int) -> None:
    assert target_of(bits) == target


def test_the_difficulty_at_a_height_is_read_from_its_header(new_clock):
    clock = new_clock()
    clock.take(CHAIN)
    assert clock.bits_at(7) == int.from_bytes(CHAIN[6][72:76], "little")
    assert clock.bits_at(len(CHAIN) + 1) is None
