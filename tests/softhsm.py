"""A real software token (SoftHSM2) in a folder of its own."""

import os
import re
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pkcs11

from agent.signer.keystore.token import TokenAddress

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "864201"
_OFFICER_PIN = "97531097"
_SERIAL = re.compile(r"Serial number:\s+([0-9a-f]+)\s.*?Label:\s+(\S+)", re.DOTALL)


class SoftHsm:
    """Tokens live below `folder`. One at a time in a process: a module reads its configuration once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = os.environ.get("SOFTHSM2_CONF")

    def __enter__(self) -> Self:
        tokens = self.folder / "tokens"
        tokens.mkdir(parents=True)
        configuration = self.folder / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.forget()
        if self._before is None:
            os.environ.pop("SOFTHSM2_CONF", None)
        else:
            os.environ["SOFTHSM2_CONF"] = self._before

    def add_token(self, label: str = "box") -> TokenAddress:
        """A new token whose user PIN is `PIN`."""
        self.forget()
        known = set(self._serials(label))
        _tool("--init-token", "--free", "--label", label, "--so-pin", _OFFICER_PIN, "--pin", PIN)
        (serial,) = set(self._serials(label)) - known
        return TokenAddress(MODULE, label, serial)

    def forget(self) -> None:
        """Take the library to where it was before it was initialised: sessions end, the configuration is read again."""
        library = pkcs11.lib(str(MODULE))
        library.finalize()

    def _serials(self, label: str) -> list[str]:
        return [serial for serial, found in _SERIAL.findall(_tool("--show-slots")) if found == label]


def _tool(*arguments: str) -> str:
    return subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True, text=True).stdout
