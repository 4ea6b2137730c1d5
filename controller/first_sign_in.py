"""The first administrator's one-time password: in a file that only the service can read, never in a log."""

import os
from contextlib import suppress
from pathlib import Path

from controller.people.service import FirstAdmin, People
from shared.errors import StorageUnavailable
from shared.log import get_logger

FILE = "first-sign-in"
_OWNER_ONLY = 0o600

log = get_logger("controller.first-sign-in")


async def begin(folder: Path, people: People) -> None:
    """Start the directory of people. The file stays until an administrator has a password of their own; where it was
    lost before that, there is a new one.
    """
    file = folder / FILE
    left = _read(file)
    first = await people.start(left)
    if first is None:
        file.unlink(missing_ok=True)
    elif first.password != left:
        leave(folder, first)


def leave(folder: Path, first: FirstAdmin) -> None:
    """Write it whole or not at all, for the owner of the folder, whoever runs this."""
    file = folder / FILE
    new = file.with_suffix(".new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as text:
            owner = folder.stat()
            with suppress(PermissionError):  # only root may give it away, and only root has to
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            text.write(first.password + "\n")
            text.flush()
            os.fsync(descriptor)
        new.replace(file)
    except OSError as error:
        raise StorageUnavailable(f"{file}: {error.strerror or error}") from error
    log.info("first-sign-in.ready", user=first.name, file=str(file))


def _read(file: Path) -> str:
    """Empty where there is none that we can read."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
