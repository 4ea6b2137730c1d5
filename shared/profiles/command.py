"""What a device can be told, as data: typed parameters, a template for each step, and how the effect is proven.

Codes that mean opposite things at two vendors (2 is "off" here and "power-cycle" there) exist only in a profile, and a
value that its profile does not list cannot be encoded.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from shared.errors import Unsupported

Argument = str | int | list[int]
PLACEHOLDER: Final = re.compile(r"\$\{([a-z_]+)\}")


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`outlet` and `outlets` count from 1 with us and from `index_base` on the wire; `enum` maps our words to codes."""

    type: Literal["outlet", "outlets", "enum"]
    min: int = 1
    max: int = 1
    index_base: Literal[0, 1] = 1
    enum: dict[str, bool | int] = {}


class HttpStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request. `${name}` stands for the JSON text of a parameter; there is no other substitution."""

    method: Literal["GET", "POST"]
    path: str
    body: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    http: HttpStep


class Readback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The proof: `point` lies within `expect[word]`, where `word` is the value of parameter `by`.

    `echo` names a point that may only repeat the last order: it can contradict, never prove.
    """

    point: str
    by: str
    expect: dict[str, tuple[float, float]]
    within_ms: int
    echo: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    max_targets: int = 1


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`min_on_s` and `min_off_s` spare relays and power supplies: what was switched stays so for that long."""

    name: str
    steps: tuple[Step, ...]
    params: dict[str, Parameter] = {}
    readback: Readback | None = None
    min_on_s: int = 0
    min_off_s: int = 0
    batch: Batch = Batch()

    def encode(self, arguments: Mapping[str, Argument]) -> tuple[HttpStep, ...]:
        """The exact requests. `Unsupported` where an argument is missing, unknown or not among the listed values."""
        if set(arguments) != set(self.params):
            wanted, given = ", ".join(sorted(self.params)), ", ".join(sorted(arguments)) or "nothing"
            raise Unsupported(f"{self.name} takes {wanted}; given was {given}")
        texts = {name: self._text(name, value) for name, value in arguments.items()}

        def filled(template: str) -> str:
            return PLACEHOLDER.sub(lambda found: texts[found[1]], template)

        return tuple(
            HttpStep(method=step.http.method, path=filled(step.http.path), body=filled(step.http.body))
            for step in self.steps
        )

    def _text(self, name: str, value: Argument) -> str:
        parameter = self.params[name]
        if parameter.type == "enum":
            if not isinstance(value, str) or value not in parameter.enum:
                raise Unsupported(f"{self.name}: {name} must be one of {', '.join(parameter.enum)}, not {value!r}")
            return json.dumps(parameter.enum[value])
        if parameter.type == "outlet":
            return str(self._on_wire(name, value))
        if not isinstance(value, list) or not 0 < len(value) <= self.batch.max_targets or _repeats(value):
            raise Unsupported(f"{self.name}: {name} must be 1 to {self.batch.max_targets} different outlets")
        return json.dumps([self._on_wire(name, outlet) for outlet in value], separators=(",", ":"))

    def _on_wire(self, name: str, outlet: Argument) -> int:
        parameter = self.params[name]
        if type(outlet) is not int or not parameter.min <= outlet <= parameter.max:
            raise Unsupported(f"{self.name}: outlet {outlet!r} is not in {parameter.min} to {parameter.max}")
        return outlet - 1 + parameter.index_base


def _repeats(outlets: list[int]) -> bool:
    return len(set(outlets)) < len(outlets)
