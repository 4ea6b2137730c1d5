"""How long a device may take and how much it may send, and what the operating system's errors mean to us."""

import errno
import os

import msgspec

from shared.errors import DeviceError, ProtocolViolation, Unreachable

REPLY_BYTES = 256 * 1024  # an ordinary reply


class Deadlines(msgspec.Struct, frozen=True):
    """Seconds from the start of a request until connected, from then until the first byte, and for all of it.

    Where it is TLS, `handshake_s` more until connected: small devices take their time for it.
    """

    connect_s: float = 1.0
    handshake_s: float = 3.0
    first_byte_s: float = 2.0
    total_s: float = 5.0


def connect_failed(place: str, error: OSError) -> DeviceError:
    """The error of a connection that never came to be; `error` is its cause."""
    if error.errno == errno.EADDRNOTAVAIL:
        failed = Unreachable(f"{place}: this host has no free source port left; raise net.ipv4.ip_local_port_range")
    elif error.errno in (errno.EMFILE, errno.ENFILE):
        failed = Unreachable(f"{place}: this process has no file descriptor left; raise LimitNOFILE")
    else:
        failed = Unreachable(f"{place}: {_reason(error)}")
    failed.__cause__ = error
    return failed


def connection_lost(place: str, error: OSError | None, received: int) -> DeviceError:
    """The error of a connection that ended before its reply did."""
    reason = _reason(error) if error is not None else "closed"
    if received:
        return ProtocolViolation(f"{place}: {reason} after {received} bytes, in the middle of the reply")
    return Unreachable(f"{place}: {reason} before the reply")


def _reason(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno is not None else str(error) or type(error).__name__).lower()
