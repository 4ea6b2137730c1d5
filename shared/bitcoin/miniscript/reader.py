"""What the texts of miniscripts and of policies have in common: names, numbers, digests, key expressions, brackets."""

import re

from shared.errors import BitcoinMalformed

MAX_TEXT = 100_000
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
_KEY = re.compile(r"[!-~]+")


class Reader:
    """Walks over one text; BitcoinMalformed counts the characters up to the fault."""

    def __init__(self, text: str, language: str) -> None:
        if len(text) > MAX_TEXT:
            raise BitcoinMalformed(f"{language}: {len(text)} characters, at most {MAX_TEXT} are read")
        self._text = text
        self._language = language
        self._place = 0

    def fault(self, what: str) -> BitcoinMalformed:
        return BitcoinMalformed(f"{self._language}, character {self._place + 1}: {what}")

    def end(self) -> None:
        if self._place != len(self._text):
            raise self.fault("nothing may follow the expression")

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Steps over the pattern where it stands here."""
        found = pattern.match(self._text, self._place)
        if found is not None:
            self._place = found.end()
        return found

    def sees(self, letter: str) -> bool:
        return self._text.startswith(letter, self._place)

    def take(self, letter: str) -> None:
        if not self.sees(letter):
            raise self.fault(f"{letter!r} is expected")
        self._place += 1

    def number(self) -> int:
        written = self.match(_NUMBER)
        if written is None:
            raise self.fault("a whole number without leading zeros is expected")
        return int(written.group())

    def digest(self, size: int) -> bytes:
        written = self.match(re.compile(f"[0-9a-f]{{{2 * size}}}"))
        if written is None:
            raise self.fault(f"{2 * size} lower-case hexadecimal digits are expected")
        return bytes.fromhex(written.group())

    def key(self) -> str:
        """A key expression as it stands, up to the comma or bracket behind it; musig() holds commas of its own."""
        start = self._place
        nested = 0
        while self._place < len(self._text):
            letter = self._text[self._place]
            if nested == 0 and letter in ",)":
                break
            nested += (letter == "(") - (letter == ")")
            self._place += 1
        key = self._text[start : self._place]
        if not _KEY.fullmatch(key):
            raise self.fault("a key is expected")
        return key
