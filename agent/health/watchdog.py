"""Tells systemd that the node is ready and alive (sd_notify), from progress, never from a timer of its own."""

import os
import socket

from shared.log import get_logger

log = get_logger("agent.watchdog")


class Watchdog:
    """Does nothing where systemd did not start us."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """A cycle has been completed."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
            try:
                notify.sendto(message.encode(), self._address)
            except OSError as error:  # a busy or restarting service manager must not stop a site
                log.warning("watchdog.not-told", detail=str(error))
