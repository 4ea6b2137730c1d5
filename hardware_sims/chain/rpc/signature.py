"""Calls with their parameters: by place or by name, with the types that they take."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args

from hardware_sims.chain.node import ChainNode
from hardware_sims.chain.rpc.failure import Code, RpcFailure

_JSON_NAMES: dict[type, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "bool",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    types: tuple[type, ...]
    default: Any
    required: bool


class Call:
    """A function of a node whose own signature says which parameters it takes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.name = function.__name__
        self._parameters = tuple(_parameter(one) for one in list(inspect.signature(function).parameters.values())[1:])

    def __call__(self, node: ChainNode, params: list[Any] | Mapping[str, Any] | None) -> Any:
        """RpcFailure for parameters that do not fit."""
        given = params or []
        values = self._by_place(given) if isinstance(given, list) else self._by_name(given)
        placed = enumerate(zip(self._parameters, values, strict=True), start=1)
        wrong = [_misfit(place, one, value) for place, (one, value) in placed if not _fits(value, one)]
        if wrong:
            raise RpcFailure(Code.TYPE, "Wrong type passed:\n{\n" + ",\n".join(wrong) + "\n}")
        return self._function(node, *values)

    @property
    def usage(self) -> str:
        words = (one.name if one.required else f"( {one.name} )" for one in self._parameters)
        return " ".join((self.name, *words))

    def _by_place(self, given: list[Any]) -> list[Any]:
        if len(given) > len(self._parameters):
            raise RpcFailure(Code.MISC, self.usage)
        rest = self._parameters[len(given) :]
        values = [_or_default(value, one) for value, one in zip(given, self._parameters, strict=False)]
        if any(one.required for one in rest) or _ABSENT in values:
            raise RpcFailure(Code.MISC, self.usage)
        return values + [one.default for one in rest]

    def _by_name(self, given: Mapping[str, Any]) -> list[Any]:
        left = dict(given)
        placed = left.pop("args", [])
        for one, value in zip(self._parameters, placed, strict=False):
            if one.name in left:
                message = f"Parameter {one.name} specified twice both as positional and named argument"
                raise RpcFailure(Code.INVALID_PARAMETER, message)
            left[one.name] = value
        values = [left.pop(one.name, _ABSENT if one.required else one.default) for one in self._parameters]
        if left:
            raise RpcFailure(Code.INVALID_PARAMETER, f"Unknown named parameter {next(iter(left))}")
        return self._by_place(values)


_ABSENT = object()


def _parameter(given: inspect.Parameter) -> Parameter:
    hint = given.annotation
    types = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    required = given.default is inspect.Parameter.empty
    bare = tuple(getattr(one, "__origin__", one) for one in types)
    return Parameter(given.name, bare, None if required else given.default, required)


def _or_default(value: Any, parameter: Parameter) -> Any:
    """Null stands for a parameter that is left out."""
    if value is not None:
        return value
    return _ABSENT if parameter.required else parameter.default


def _fits(value: Any, parameter: Parameter) -> bool:
    if value is None or value is parameter.default:
        return not parameter.required
    return type(value) in parameter.types or (type(value) is int and float in parameter.types)


def _misfit(place: int, parameter: Parameter, value: Any) -> str:
    given, expected = _json_name(type(value)), _json_name(parameter.types[0])
    return f'    "Position {place} ({parameter.name})": "JSON value of type {given} is not of expected type {expected}"'


def _json_name(kind: type) -> str:
    return _JSON_NAMES.get(kind, "null")
