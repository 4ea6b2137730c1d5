"""The first administrator's one-time password: in a file that only the service can read, never in a log."""

import os
from pathlib import Path

from controller.people.service import FirstAdmin
from shared.log import get_logger

FILE = "first-sign-in"
_OWNER_ONLY = 0o600

log = get_logger("controller.first-sign-in")


def leave_first_sign_in(folder: Path, first: FirstAdmin | None) -> None:
    """Write it where there is one; take the file away once somebody else has signed in for good."""
    file = folder / FILE
    if first is None:
        file.unlink(missing_ok=True)
        return
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as text:
        text.write(first.password + "\n")
    log.info("first-sign-in.ready", user=first.name, file=str(file))
