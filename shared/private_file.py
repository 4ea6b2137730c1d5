"""Files that only their owner may read, whatever the umask of the process says."""

import os
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o600
_SQLITE_COMPANIONS = ("-wal", "-shm")


def make_private(path: Path) -> None:
    """Create `path` where it is missing and take the rights of others away; what SQLite lays beside it follows.

    `OSError` where it cannot be created. It is never opened once it exists: to close a descriptor of a database that
    this process uses would drop SQLite's locks on it.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
    for name in (path.name, *(f"{path.name}{suffix}" for suffix in _SQLITE_COMPANIONS)):
        with suppress(FileNotFoundError, PermissionError):  # another owner's file is that owner's care
            (path.parent / name).chmod(OWNER_ONLY)
