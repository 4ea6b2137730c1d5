"""Topic names. The site stands first, so that a controller's lease on a site is one subscription."""

import re
from typing import NamedTuple

from shared.errors import DecodeFailed

ROOT = "bes/v1"
UP = frozenset({"telemetry", "event", "result", "hello", "latest", "presence", "signature"})
DOWN = frozenset({"command", "receipt", "config", "policy", "signing"})
_LEVEL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Address(NamedTuple):
    site: str
    node: str
    leaf: str


def up(site: str, node: str, leaf: str) -> str:
    return _topic(site, node, "up", leaf, UP)


def down(site: str, node: str, leaf: str) -> str:
    return _topic(site, node, "down", leaf, DOWN)


def all_up(site: str = "+") -> str:
    """The filter for everything that the nodes of a site send."""
    return f"{ROOT}/{site}/+/up/#"


def all_down(site: str, node: str) -> str:
    """The filter for everything that is sent to one node."""
    return f"{ROOT}/{site}/{node}/down/#"


def is_level(text: str) -> bool:
    """May it name a site or a node?"""
    return _LEVEL.fullmatch(text) is not None


def parse(topic: str, direction: str) -> Address:
    """Take a topic apart; DecodeFailed where it is not one of ours in that direction."""
    parts = topic.split("/")
    leaves = UP if direction == "up" else DOWN
    if len(parts) != 6 or "/".join(parts[:2]) != ROOT or parts[4] != direction or parts[5] not in leaves:
        raise DecodeFailed(f"topic {topic!r} is not {ROOT}/<site>/<node>/{direction}/<leaf>")
    return Address(parts[2], parts[3], parts[5])


def _topic(site: str, node: str, direction: str, leaf: str, leaves: frozenset[str]) -> str:
    for level in (site, node):
        if not is_level(level):
            raise ValueError(f"{level!r} may hold only a-z, 0-9 and hyphens")
    if leaf not in leaves:
        raise ValueError(f"{leaf!r} is no {direction} topic")
    return f"{ROOT}/{site}/{node}/{direction}/{leaf}"
