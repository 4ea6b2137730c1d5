"""The ports that drivers fill. A driver turns protocol into meaning; it never retries and never decides.

Errors are those below `DeviceError`; every call ends within the deadline of its transport.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import msgspec

from agent.site.devices.reading import DeviceIdentity, Evidence, MeterReading, MinerReading, PduReading
from shared.actions import Action


class Acknowledgement(msgspec.Struct, frozen=True):
    """The device said yes. That proves nothing; only a read-back does."""

    text: str
    evidence: tuple[Evidence, ...] = ()


class Effect(Enum):
    """What an independent read says of an order."""

    SHOWN = "shown"
    NOT_SHOWN = "not shown"  # read well, and the device is not as ordered (perhaps not yet)
    UNSEEN = "unseen"  # the read does not tell


class ReadBack(msgspec.Struct, frozen=True):
    """`observed` is what the read saw, in a few words a person understands; `reading` all of it, where it was one.

    `stored`: the device keeps the setting that was ordered, read back from it, and only the effect is unseen.
    """

    effect: Effect
    observed: str
    evidence: tuple[Evidence, ...] = ()
    reading: MinerReading | None = None
    stored: bool = False


class Commandable(Protocol):
    """A device that takes orders."""

    @property
    def verbs(self) -> frozenset[str]:
        """The actions that this firmware can carry out (`Action.verb`)."""
        ...

    async def prepare(self, action: Action) -> object:
        """Read what `read_back` needs for a comparison with before (uptime, for instance). May return None."""
        ...

    async def apply(self, action: Action) -> Acknowledgement:
        """Order it, once. `Unsupported`, `WritesDisabled`, `Rejected` and `IncompleteRead` mean that nothing changed;
        `DeviceTimeout`, `Unreachable` and `ProtocolViolation` mean that nobody knows.
        """
        ...

    async def read_back(self, action: Action, before: object) -> ReadBack:
        """Look independently whether the effect is there."""
        ...


class Miner(Commandable, Protocol):
    family: str

    async def identify(self) -> DeviceIdentity:
        """Who answers at this address; `mac` is what everything else hangs on."""
        ...

    async def read_hot(self) -> MinerReading:
        """The few values that matter each second, in as few bytes as the protocol allows."""
        ...

    async def read_full(self) -> MinerReading:
        """Everything, boards included."""
        ...

    async def aclose(self) -> None: ...


class Meter(Protocol):
    async def identify(self) -> DeviceIdentity: ...
    async def read(self) -> MeterReading: ...
    async def aclose(self) -> None: ...


class Pdu(Commandable, Protocol):
    async def switch_many(self, outlets: Sequence[int], on: bool) -> Acknowledgement:
        """As `apply`, in as few requests as the device takes."""
        ...

    def holds_s(self, *, on: bool) -> float:
        """For how long an outlet that was switched on or off should stay so."""
        ...

    async def identify(self) -> DeviceIdentity: ...
    async def read(self) -> PduReading: ...
    async def aclose(self) -> None: ...
