"""States that travel on the wire and stand in stored rows: append only, never renumber."""

from enum import IntEnum, StrEnum


class Reach(IntEnum):
    """How the last attempt to read a device ended."""

    UP = 0
    TIMEOUT = 1
    REFUSED = 2  # nothing listens there, or the network says unreachable
    AUTH = 3
    MALFORMED = 4
    SKIPPED = 5  # the breaker is open, so it was not asked
    NEVER = 6  # known from the site's file, never read
    OTHER = 7  # another device answers at its address


class OpState(IntEnum):
    """What a miner does, computed by us from several readings, never copied from one flag."""

    UNKNOWN = 0
    HASHING = 1
    STARTING = 2
    TUNING = 3
    SLEEPING = 4  # by order
    STOPPED_USER = 5
    STOPPED_THERMAL = 6
    STOPPED_FAULT = 7


class PowerSource(IntEnum):
    """Where a miner's watts come from."""

    NONE = 0
    MEASURED_INPUT = 1
    MEASURED_OUTPUT = 2
    ESTIMATED = 3
    NAMEPLATE = 4
    OUTLET = 5


class ClockQuality(IntEnum):
    UNKNOWN = 0
    SYNCHRONISED = 1
    UNSYNCHRONISED = 2
    STEPPED = 3  # wall and monotonic time disagree since the last cycle


class OutcomeState(StrEnum):
    """Where one order to one device stands. The last four are terminal."""

    ACCEPTED = "accepted"  # journaled by the agent, passed its checks
    ACKNOWLEDGED = "acknowledged"  # the device said yes; proves nothing
    CONFIRMED = "confirmed"  # an independent read shows the effect
    CONTRADICTED = "contradicted"  # an independent read shows something else at the deadline
    REFUSED = "refused"  # by a rule of ours or by the device; nothing was changed
    UNKNOWN = "unknown"  # nobody could see at the deadline


TERMINAL = frozenset({OutcomeState.CONFIRMED, OutcomeState.CONTRADICTED, OutcomeState.REFUSED, OutcomeState.UNKNOWN})


class DeviceKind(StrEnum):
    MINER = "miner"
    METER = "meter"
    PDU = "pdu"


class Severity(IntEnum):
    """Alarm priority: 1 act now, 2 act soon, 3 act when there is time; 0 is a notice that needs nobody."""

    NOTICE = 0
    P1 = 1
    P2 = 2
    P3 = 3
