"""Tells systemd that a process is ready and alive (sd_notify), from progress, never from a timer of its own."""

import os
import socket

from shared.log import get_logger

log = get_logger("watchdog")


class Watchdog:
    """Does nothing where systemd did not start us. `period_s` is how often it wants to hear that we are alive, None
    where it does not watch this process.
    """

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.period_s = _watched_every_s()

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Work has been done since the last call."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
            try:
                notify.sendto(message.encode(), self._address)
            except OSError as error:  # a busy or restarting service manager must not stop a process
                log.warning("watchdog.not-told", detail=str(error))


def _watched_every_s() -> float | None:
    """WatchdogSec of the unit, where it is meant for this process (sd_watchdog_enabled)."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    period_us = os.environ.get("WATCHDOG_USEC", "")
    return int(period_us) / 1_000_000 if period_us.isdecimal() and int(period_us) else None
