"""A software token (SoftHSM2) in a folder of its own, with one key for the box to sign with."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pkcs11
from pkcs11 import Mechanism, ObjectClass

from agent.signer.keystore.hsm_key import HsmKey, HsmKeys
from agent.signer.keystore.pin import Pin
from agent.signer.keystore.token import Token, TokenAddress

_MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
_LABEL, _PIN = "bench", "864201"
_KEY_ID = "a1"
_SERIAL = re.compile(r"Serial number:\s+([0-9a-f]+)")


@contextmanager
def soft_token(folder: Path) -> Iterator[Token]:
    """The library reads its configuration once a process, hence it is finalised before and after."""
    tokens, configuration = folder / "tokens", folder / "softhsm2.conf"
    tokens.mkdir()
    configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    try:
        _tool("--init-token", "--free", "--label", _LABEL, "--so-pin", _PIN, "--pin", _PIN)
        serial = _SERIAL.findall(_tool("--show-slots"))[0]
        pkcs11.lib(str(_MODULE)).finalize()
        with Token(TokenAddress(_MODULE, _LABEL, serial), Pin(_PIN)) as token:
            yield token
    finally:
        pkcs11.lib(str(_MODULE)).finalize()
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


def new_key(keys: HsmKeys) -> HsmKey:
    return keys.generate(_KEY_ID, _LABEL)


def bare_signatures_per_s(token: Token, count: int) -> float:
    """The token and nothing else: no check of what it returns, no thread."""

    def work(session: pkcs11.Session) -> float:
        handle = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=bytes.fromhex(_KEY_ID))
        assert isinstance(handle, pkcs11.SignMixin)
        started_s = time.perf_counter()
        for number in range(count):
            handle.sign(number.to_bytes(32, "big"), mechanism=Mechanism.ECDSA)
        return count / (time.perf_counter() - started_s)

    return token.run(work)


def _tool(*arguments: str) -> str:
    return subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True, text=True).stdout
