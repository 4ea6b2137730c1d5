"""From the bytes of a miner to a typed document: strict JSON first, then the malformations that miners are known for.

Mending works on tokens, never on text inside strings. It knows exactly these forms (reference: failure forms seen in
the field): comma before a closing bracket, leading comma, missing comma, line break inside a string, bare `nan` and
`inf`, a list written as an object. Anything else, a truncated reply above all, is a `ProtocolViolation`.
"""

import re
from typing import Any

import msgspec

from agent.site.devices.reading import EVIDENCE_BYTES, Evidence
from shared.errors import ProtocolViolation

Row = dict[str, Any]

MENDABLE_BYTES = 64 * 1024
MAX_DEPTH = 32
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([{}\[\],:])|([^\s"{}\[\],:]+))', re.DOTALL)
_NOT_A_NUMBER = frozenset({"nan", "-nan", "inf", "-inf", "infinity", "-infinity"})
_strict = msgspec.json.Decoder(Row)
_scalar = msgspec.json.Decoder(float | int | str | bool | None)


class Status(msgspec.Struct, frozen=True):
    """The `STATUS` of a cgminer reply: S success, I information, W warning, E error, F fatal, or empty."""

    letter: str = ""
    code: int | None = None
    message: str = ""


def document(raw: bytes, asked: str) -> Row:
    """The object that `raw` holds, mended where its form is a known one."""
    raw = raw.rstrip(b"\0 \t\r\n")
    try:
        return _strict.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        if len(raw) > MENDABLE_BYTES:
            raise _violation(asked, raw, str(error)) from error
    return _Mender(raw, asked).document()


def strict_document(raw: bytes, asked: str) -> Row:
    """The object that `raw` holds, unmended: what a write depends on must have arrived as it was sent."""
    try:
        return _strict.decode(raw.rstrip(b"\0 \t\r\n"))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise _violation(asked, raw, str(error)) from error


def status(reply: Row) -> Status:
    """Whatever shape the device gave it: a list of one object, an object, or letters beside `Code` and `Msg`."""
    found = reply.get("STATUS")
    if isinstance(found, list):
        found = found[0] if found else None
    source = found if isinstance(found, dict) else reply
    letter = source.get("STATUS")
    code, message = source.get("Code"), source.get("Msg")
    return Status(
        letter=letter if isinstance(letter, str) else "",
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        message=message if isinstance(message, str) else "",
    )


def rows(reply: Row, section: str) -> list[Row]:
    """The objects of a section such as `SUMMARY`; empty where the reply has none."""
    found = reply.get(section)
    if isinstance(found, dict):
        return [found]
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def evidence(asked: str, raw: bytes) -> Evidence:
    return Evidence(asked, raw[:EVIDENCE_BYTES])


def _violation(asked: str, raw: bytes, why: str) -> ProtocolViolation:
    start = raw[:40].decode("ascii", "backslashreplace")
    return ProtocolViolation(f"{asked}: {len(raw)} bytes that begin with {start!r} are no reply: {why}")


class _Mender:
    """A parser to which commas are optional, and nothing else is."""

    def __init__(self, raw: bytes, asked: str) -> None:
        self._raw, self._asked = raw, asked
        try:
            self._text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._wrong(str(error)) from error
        self._at = 0
        self._piece = ""
        self._advance()

    def document(self) -> Row:
        if self._piece != "{":
            raise self._wrong("it is no object")
        found = self._value(0)
        if self._piece:
            raise self._wrong("something follows the object")
        if not isinstance(found, dict):
            raise self._wrong("it is no object")
        return found

    def _advance(self) -> None:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            if self._text[self._at :].strip():
                raise self._wrong(f"a string has no end after character {self._at}")
            self._piece = ""
            return
        self._at = match.end()
        self._piece = match[1] or match[2] or match[3]

    def _value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self._wrong(f"it is nested deeper than {MAX_DEPTH}")
        piece = self._piece
        self._advance()
        if piece == "{":
            return self._object(depth)
        if piece == "[":
            return self._list(depth)
        return self._leaf(piece)

    def _object(self, depth: int) -> Row | list[str]:
        pairs: Row = {}
        names: list[str] = []
        while self._more("}"):
            key = self._leaf(self._piece)
            if not isinstance(key, str):
                raise self._wrong(f"{self._piece!r} is no name")
            self._advance()
            if self._piece == ":":
                self._advance()
                pairs[key] = self._value(depth + 1)
            else:
                names.append(key)
        if pairs and names:
            raise self._wrong(f"{names[0]!r} has no value")
        return names or pairs

    def _list(self, depth: int) -> list[Any]:
        values = []
        while self._more("]"):
            values.append(self._value(depth + 1))
        return values

    def _more(self, closing: str) -> bool:
        """Step over commas; false behind the closing bracket."""
        while self._piece == ",":
            self._advance()
        if not self._piece:
            raise self._wrong("it is cut off")
        if self._piece == closing:
            self._advance()
            return False
        return True

    def _leaf(self, token: str) -> Any:
        if token.lower() in _NOT_A_NUMBER:
            return None
        if token.startswith('"'):
            token = re.sub(r"[\x00-\x1f]", " ", token)
        try:
            return _scalar.decode(token)
        except msgspec.MsgspecError as error:
            raise self._wrong(f"{token[:40]!r} is no value") from error

    def _wrong(self, why: str) -> ProtocolViolation:
        return _violation(self._asked, self._raw, why)
