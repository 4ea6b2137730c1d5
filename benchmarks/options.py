"""What the person asked of a benchmark: its quick form, and figures that replace its own."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from shared.errors import SettingInvalid

Number = TypeVar("Number", int, float)


class Options(msgspec.Struct, frozen=True):
    """`quick` is a smoke run whose figures prove nothing; `values` are the words after `--set`."""

    quick: bool = False
    values: Mapping[str, str] = {}

    def number(self, key: str, full: Number, quick: Number) -> Number:
        """The figure that was set, else that of the full or the quick form."""
        if key not in self.values:
            return quick if self.quick else full
        try:
            return type(full)(self.values[key])
        except ValueError as error:
            raise SettingInvalid(f"--set {key}={self.values[key]}: give a number such as {full}") from error

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
