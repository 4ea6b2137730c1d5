"""`HeaderClock`: the box believes work, not senders.

Who withholds headers freezes the box's time and so only delays; who wants to advance it has to pay for the work. The
machine's own clocks are used in one direction only, to refuse: a clock that anybody can set never moves time forward.
"""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from agent.signer.clock.header import Header, display, parse
from agent.signer.clock.header_file import HeaderFile
from agent.signer.clock.kernel_chain import KernelChain
from agent.signer.clock.model import ChainTime, Checkpoint, Taken
from shared.bitcoin.network import Network
from shared.clock import Clock
from shared.errors import BitcoinMalformed, Denied, SettingInvalid
from shared.log import get_logger

FUTURE_S = 2 * 3600  # Bitcoin Core, MAX_FUTURE_BLOCK_TIME
_STALE = "clock.stale"

log = get_logger(__name__)


class ClockSettings(msgspec.Struct, frozen=True):
    """`silent_s` is how long no better tip may come, `behind_s` how far the tip's time may lie behind the machine's."""

    network: Network
    checkpoint: Checkpoint
    silent_s: float = 6 * 3600
    behind_s: float = 24 * 3600


class HeaderClock:
    """Calls block for as long as the headers take; safe from several threads."""

    def __init__(self, folder: Path, settings: ClockSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._file = HeaderFile(folder / "headers.dat")
        self._kernel_folder = folder / "kernel"
        self._chain: KernelChain | None = None
        self._better_s = 0.0
        self._lock = threading.Lock()

    def open(self) -> ChainTime:
        """Replay the stored headers. The first one that does not fit ends them: it and what follows is forgotten.

        SettingInvalid where the checkpoint is of another chain than the network's.
        """
        with self._lock:
            self._file.open()
            self._chain = KernelChain(self._kernel_folder, self._settings.network)
            accepted, refused = self._replay(self._chain, self._file)
            if refused:
                log.warning("clock.headers-cut", kept=len(accepted), reason=refused)
                self._file.cut(len(accepted))
            _require_checkpoint(self._chain, self._settings.checkpoint)
            self._better_s = self._clock.monotonic_s()
            return self._chain.tip.time

    def close(self) -> None:
        with self._lock:
            self._chain = None

    def take(self, headers: Sequence[bytes]) -> Taken:
        """Consecutive headers, oldest first; those that were new and valid are on the disk when it returns."""
        with self._lock:
            chain = self._opened()
            before = chain.tip.block_hash
            accepted, refused = self._replay(chain, headers)
            if accepted:
                self._file.append(accepted)
            if chain.tip.block_hash != before:
                self._better_s = self._clock.monotonic_s()
            return Taken(len(accepted), refused)

    def tip(self) -> ChainTime:
        """What the headers say, believable or not."""
        return self._opened().tip.time

    def time(self) -> ChainTime:
        """Denied `clock.stale` where the headers are too old to be believed."""
        reason = self.stale()
        if reason:
            raise Denied(_STALE, reason)
        return self._opened().tip.time

    def bits_at(self, height: int) -> int | None:
        """The compact target of the block at a height of the best chain; None where no header of it is known."""
        with self._lock:
            return self._opened().bits_at(height)

    def stale(self) -> str:
        """Why the clock is not believed; empty where it is."""
        settings, tip = self._settings, self._opened().tip
        if tip.time.height < settings.checkpoint.height:
            return f"the headers end at height {tip.time.height}, below the checkpoint {settings.checkpoint.height}"
        silent_s = self._clock.monotonic_s() - self._better_s
        if silent_s > settings.silent_s:
            return f"no better header came for {silent_s / 3600:.1f} hours; send the headers that are missing"
        behind_s = self._clock.now_ms() / 1000 - tip.header_time_s
        if behind_s > settings.behind_s:
            return (
                f"the newest header is {behind_s / 3600:.1f} hours older than this machine's clock; send the headers "
                "that are missing, or set the clock right"
            )
        return ""

    def _replay(self, chain: KernelChain, headers: Iterable[bytes]) -> tuple[list[bytes], str]:
        """Those that were new, and why the first was refused that did not fit."""
        accepted: list[bytes] = []
        refused = ""
        for raw in headers:
            refused = self._offer(chain, raw, accepted)
            if refused:
                break
        chain.settle()
        return accepted, refused

    def _offer(self, chain: KernelChain, raw: bytes, accepted: list[bytes]) -> str:
        """Why the header is refused; one that is new joins those accepted."""
        try:
            header = parse(raw)
        except BitcoinMalformed as error:
            return error.detail
        if chain.height_of(header.hash) is not None:
            return ""
        refused = self._objection(chain, header)
        if not refused and not chain.accept(header):
            refused = self._guess(header)
        if not refused:
            accepted.append(raw)
        return refused

    def _objection(self, chain: KernelChain, header: Header) -> str:
        """What the kernel does not check, and what need not reach it."""
        name, checkpoint = display(header.hash), self._settings.checkpoint
        if not header.has_work:
            return f"header {name} has not the work that it claims"
        parent_height = chain.height_of(header.previous)
        if parent_height is None:
            return f"header {name} follows block {display(header.previous)}, which is not known here"
        if parent_height < checkpoint.height <= chain.height:
            return f"header {name} leaves the chain below the checkpoint at height {checkpoint.height}"
        if parent_height + 1 == checkpoint.height and name != checkpoint.block_hash:
            return f"header {name} stands where the checkpoint has {checkpoint.block_hash}"
        return ""

    def _guess(self, header: Header) -> str:
        ahead_s = header.time_s - self._clock.now_ms() / 1000
        if ahead_s > FUTURE_S:
            return (
                f"header {display(header.hash)} lies {ahead_s / 3600:.1f} hours ahead of this machine's clock; "
                "if the header is right, the clock is late: set it"
            )
        return f"header {display(header.hash)} breaks a rule of the chain: version, difficulty or time"

    def _opened(self) -> KernelChain:
        assert self._chain is not None, "a clock is opened before it is asked"
        return self._chain


def _require_checkpoint(chain: KernelChain, checkpoint: Checkpoint) -> None:
    """Above the checkpoint every header was compared with it; only genesis was there before."""
    if checkpoint.height == 0 and display(chain.ancestor(0)) != checkpoint.block_hash:
        raise SettingInvalid(f"checkpoint {checkpoint.block_hash}: the chain begins with {display(chain.ancestor(0))}")
