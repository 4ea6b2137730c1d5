"""What the person asked of a benchmark: its quick form, and figures that replace its own."""

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from shared.errors import SettingInvalid

Number = TypeVar("Number", int, float)


class Options(msgspec.Struct, frozen=True):
    """`quick` is a smoke run whose figures prove nothing; `values` are the words after `--set`."""

    quick: bool = False
    values: Mapping[str, str] = {}

    def only(self, keys: Iterable[str]) -> "Options":
        """Without what another benchmark understands."""
        return Options(self.quick, {key: value for key, value in self.values.items() if key in set(keys)})

    def check(self, keys: Iterable[str]) -> None:
        """SettingInvalid for a value that would have no effect."""
        known = sorted(set(keys))
        for key, value in self.values.items():
            if key not in known:
                raise SettingInvalid(f"--set {key}={value}: nothing is set by {key!r}; there are {', '.join(known)}")

    def number(self, key: str, full: Number, quick: Number, *, least: int = 0) -> Number:
        """The figure that was set, at least `least`; else that of the full or the quick form."""
        if key not in self.values:
            return quick if self.quick else full
        return _number(key, self.values[key], full, least)

    def numbers(self, key: str, full: tuple[int, ...], quick: tuple[int, ...]) -> tuple[int, ...]:
        """As `number`, of several from 1 on that commas divide."""
        if key not in self.values:
            return quick if self.quick else full
        return tuple(_number(key, word, full[0], 1) for word in self.values[key].split(","))

    def word(self, key: str, otherwise: str) -> str:
        return self.values.get(key, otherwise)


def parse_values(entries: list[str]) -> dict[str, str]:
    """`["miners=200", "seconds=30"]` as a mapping."""
    values: dict[str, str] = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals or not key:
            raise SettingInvalid(f"--set {entry!r}: write KEY=VALUE, for instance miners=200")
        values[key] = value
    return values


def _number(key: str, word: str, example: Number, least: int) -> Number:
    try:
        value = type(example)(word)
    except ValueError as error:
        raise SettingInvalid(f"--set {key}={word}: give a number such as {example}") from error
    if not math.isfinite(value) or value < least:
        raise SettingInvalid(f"--set {key}={word}: give a number from {least} on")
    return value
