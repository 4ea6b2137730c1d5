"""The token's PIN: read from a file that only the box may read, kept out of every log."""

import os
import stat
from pathlib import Path

from shared.errors import SettingInvalid, SettingMissing
from shared.log import redactor

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SHORTEST, _LONGEST = 4, 64


class Pin:
    """Shown nowhere, not even by `repr`."""

    def __init__(self, value: str) -> None:
        redactor.learn(value)
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Pin(•••)"


def read_pin(name: str) -> Pin:
    """From the file `name`, or from the systemd credential of that name where it is not a path (systemd.exec(5)).

    SettingMissing where it is not there, SettingInvalid where others may read it or it cannot be a PIN.
    """
    path = _place(name)
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").rstrip("\r\n")
    except FileNotFoundError as error:
        raise SettingMissing(f"{path}: the file with the token's PIN is missing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path}: the PIN cannot be read: {type(error).__name__}") from error
    if mode & (stat.S_IRWXO if _is_credential(path) else _OTHERS):
        raise SettingInvalid(f"{path}: others may read the token's PIN; chmod 600 {path}")
    if not _SHORTEST <= len(text) <= _LONGEST or not text.isprintable():
        raise SettingInvalid(f"{path}: a PIN has {_SHORTEST} to {_LONGEST} printable characters on one line")
    return Pin(text)


def _is_credential(path: Path) -> bool:
    """Systemd lets the service's user read by an access list, whose mask then shows as the group's bits (acl(5))."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(credentials) and path.parent == Path(credentials or "")


def _place(name: str) -> Path:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(credentials) / name if credentials and os.sep not in name else Path(name)
