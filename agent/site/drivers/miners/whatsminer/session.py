"""The encrypted write session of Whatsminer API 2 (reference: section 3.2, write handshake)."""

import asyncio
import base64
import binascii
import hashlib
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from agent.site.drivers.miners.field import text
from agent.site.drivers.miners.reply import Row, Status, document, rows, status
from agent.site.drivers.miners.whatsminer.md5crypt import md5_crypt
from agent.site.transports.cgminer import CgminerTransport
from shared.errors import AuthFailed, DeviceError, ProtocolViolation, Rejected, Unsupported, WritesDisabled

TOKEN_LIFE_S = 25 * 60.0  # the device forgets a token after 30 minutes
BACK_OFF_S = 60.0
_OK, _TOKEN_REFUSED, _TOO_MANY_TOKENS = 131, 135, 136
_BLOCK_BYTES = 16
_CLOSED_TEXT = "can't access write cmd"
_OPEN_IT = (
    "the device's write API is off: change its default password and enable the API with the vendor's WhatsMinerTool, "
    "then order again"
)


class Token(msgspec.Struct, frozen=True):
    """`sign` goes into each command, `key` is the AES-256 key."""

    sign: str
    key: bytes
    expires_s: float

    def __repr__(self) -> str:
        return "Token(•••)"


def derive_token(password: str, salt: str, newsalt: str, time: str, expires_s: float) -> Token:
    """Steps 2 to 4 of the handshake."""
    secret = md5_crypt(password, salt)
    return Token(md5_crypt(secret + time, newsalt), hashlib.sha256(secret.encode()).digest(), expires_s)


def seal(token: Token, plain: bytes) -> bytes:
    """The request that carries `plain`; ECB without an initial vector is what the device speaks."""
    padded = plain + b"\0" * (-len(plain) % _BLOCK_BYTES)
    encryptor = Cipher(AES(token.key), ECB()).encryptor()  # noqa: S305
    return msgspec.json.encode({"enc": 1, "data": base64.b64encode(encryptor.update(padded)).decode()})


def unseal(token: Token, sealed: str) -> bytes:
    """The plain reply; `ProtocolViolation` where it is no base64 of whole blocks."""
    try:
        data = base64.b64decode("".join(sealed.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolViolation(f"the encrypted reply is no base64: {error}") from error
    if not data or len(data) % _BLOCK_BYTES:
        raise ProtocolViolation(f"the encrypted reply has {len(data)} bytes, which is no whole number of blocks")
    return Cipher(AES(token.key), ECB()).decryptor().update(data).rstrip(b"\0")  # noqa: S305


class WriteSession:
    """Keeps one token and uses it for many writes; a device has room for 32 of ours."""

    def __init__(self, socket: CgminerTransport, password: str) -> None:
        self._socket = socket
        self._password = password
        self._token: Token | None = None
        self._not_before_s = 0.0

    async def send(self, command: str, **parameters: Any) -> str:
        """What the device says to a write. A refused token is replaced once: the refused command did nothing."""
        said = await self._sent(command, parameters)
        if said.code == _TOKEN_REFUSED:
            self._token = None
            said = await self._sent(command, parameters)
            if said.code == _TOKEN_REFUSED:
                raise AuthFailed(f"{command}: the device refuses a token that it has just given: check the password")
        self._require(command, said)
        return f"{command}: {said.code} {said.message}".strip()

    async def _sent(self, command: str, parameters: Row) -> Status:
        token = await self._current_token()
        plain = msgspec.json.encode({"cmd": command, **parameters, "token": token.sign})
        raw = await self._socket.ask(seal(token, plain))
        if _CLOSED_TEXT.encode() in raw.lower():
            raise WritesDisabled(_OPEN_IT)
        reply = document(raw, command)
        sealed = reply.get("enc")
        return status(document(unseal(token, sealed), command) if isinstance(sealed, str) else reply)

    async def _current_token(self) -> Token:
        now_s = asyncio.get_running_loop().time()
        if self._token is not None and now_s < self._token.expires_s:
            return self._token
        if now_s < self._not_before_s:
            raise Rejected(
                f"the device has given out too many tokens; asked again in {self._not_before_s - now_s:.0f} s"
            )
        raw = await self._socket.ask(b'{"cmd":"get_token"}')
        if _CLOSED_TEXT.encode() in raw.lower():
            raise WritesDisabled(_OPEN_IT)
        reply = document(raw, "get_token")
        given = next(iter(rows(reply, "Msg")), {})
        salt, newsalt, time = text(given, "salt"), text(given, "newsalt"), text(given, "time")
        if not (salt and newsalt and time):
            self._require("get_token", status(reply))
            raise ProtocolViolation("get_token: the reply has no salt")
        self._token = derive_token(self._password, salt, newsalt, time, now_s + TOKEN_LIFE_S)
        return self._token

    def _require(self, command: str, said: Status) -> None:
        """Raise what a code other than success stands for."""
        if said.code == _TOO_MANY_TOKENS:
            self._not_before_s = asyncio.get_running_loop().time() + BACK_OFF_S
        if said.code == 45 or _CLOSED_TEXT in said.message.lower():
            raise WritesDisabled(_OPEN_IT)
        if said.code == _OK or (said.letter == "S" and said.code is None):
            return
        raise _refusal(command, said)


def _refusal(command: str, said: Status) -> DeviceError:
    detail = f"{command}: the device says {said.code} {said.message!r}"
    if said.code == 14:
        return Unsupported(detail)
    if said.code is None:
        return ProtocolViolation(detail)
    return Rejected(detail)
