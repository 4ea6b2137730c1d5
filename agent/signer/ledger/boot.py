"""Which boot of the machine is this? The monotonic clock counts from it, for every process alike."""

import uuid
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # random(4)


def machine_boot_id() -> str:
    """A new one where the machine does not tell: then times of an earlier process are not compared with this one's."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return uuid.uuid4().hex
