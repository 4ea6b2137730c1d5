"""Which machine is this? The spool's epoch is bound to the answer."""

import uuid
from pathlib import Path

_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))  # machine-id(5)


def machine_id() -> str:
    """The id that systemd gave it (machine-id(5)); without one, its hardware address."""
    for path in _FILES:
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text:
            return text
    return f"{uuid.getnode():012x}"
