"""Headers of a regression-test chain, and a clock that stands where it is told to."""

import hashlib
import struct

from agent.signer.clock.header import parse

GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"  # Bitcoin Core, chainparams
GENESIS_TIME_S = 1_296_688_602
BITS = 0x207FFFFF
_TARGET = 0x7FFFFF << 232


def header(previous: bytes, time_s: int, *, bits: int = BITS, mark: int = 0, version: int = 0x20000000) -> bytes:
    """A header with enough work for the easiest target. `mark` makes it another one."""
    for nonce in range(1 << 32):
        raw = struct.pack("<i32s32sIII", version, previous, mark.to_bytes(32, "big"), time_s, bits, nonce)
        if parse(raw).has_work:
            return raw
    raise AssertionError


def without_work(raw: bytes) -> bytes:
    """The same header with a nonce that misses the target."""
    for nonce in range(1 << 32):
        changed = raw[:76] + struct.pack("<I", nonce)
        digest = hashlib.sha256(hashlib.sha256(changed).digest()).digest()
        if int.from_bytes(digest, "little") > _TARGET:
            return changed
    raise AssertionError


def headers(count: int, *, previous: bytes | None = None, time_s: int = GENESIS_TIME_S, mark: int = 0) -> list[bytes]:
    """A chain of headers ten minutes apart; on genesis where nothing else is said."""
    chain = []
    parent = previous or bytes.fromhex(GENESIS)[::-1]
    for number in range(count):
        raw = header(parent, time_s + 600 * (number + 1), mark=mark)
        chain.append(raw)
        parent = parse(raw).hash
    return chain


class StandingClock:
    """Both clocks of the machine."""

    def __init__(self, wall_s: float) -> None:
        self.wall_s = wall_s
        self.mono_s = 0.0

    def now_ms(self) -> int:
        return int(self.wall_s * 1000)

    def monotonic_s(self) -> float:
        return self.mono_s
