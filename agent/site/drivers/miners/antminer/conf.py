"""Changing the configuration of an Antminer without losing any of it.

`set_miner_conf` replaces the whole document, and nobody has shown that a partial one keeps the rest: a pool list that
was not read must never be written. So a document counts only when it is complete, one thing in it is changed, and what
it replaces is kept as evidence.
"""

import re
from collections.abc import Sequence

from agent.site.drivers.miners.field import as_number, text
from agent.site.drivers.miners.pool import bare
from agent.site.drivers.miners.reply import Row, rows
from shared.actions import Pool
from shared.errors import IncompleteRead, Unsupported

MODE_KEYS = ("bitmain-work-mode", "miner-mode")
POOL_PLACES = 3
_MASK = re.compile(r"[*•●]{2,}")
_NEEDED = ("bitmain-fan-ctrl", "bitmain-fan-pwm")


def require_complete(document: Row) -> None:
    """`IncompleteRead` where something that the document must have is missing."""
    pools = document.get("pools")
    if not isinstance(pools, list) or not 1 <= len(pools) <= POOL_PLACES:
        raise IncompleteRead("the configuration that was read has no pool list, so nothing was written")
    for pool in pools:
        if not isinstance(pool, dict) or not all(isinstance(pool.get(key), str) for key in ("url", "user", "pass")):
            raise IncompleteRead("a pool in the configuration that was read is incomplete, so nothing was written")
    missing = [key for key in _NEEDED if key not in document]
    if missing:
        raise IncompleteRead(f"the configuration that was read has no {missing[0]}, so nothing was written")
    if not any(key in document for key in MODE_KEYS):
        raise Unsupported("this firmware's configuration has no work mode: it is an older web interface")


def require_open_passwords(document: Row) -> None:
    """`Unsupported` where a pool's password is the stars that some builds show in its place: written back, they would
    be the password.
    """
    for pool in rows(document, "pools"):
        if _MASK.fullmatch(text(pool, "pass")):
            raise Unsupported(
                f"this firmware hides the password of pool {text(pool, 'url')}, and every change of its configuration"
                " would store the stars instead, so nothing was written; stop the machine at its outlet"
            )


def has_pools(document: Row) -> bool:
    return any(text(pool, "url") for pool in rows(document, "pools"))


def stored_mode(document: Row) -> int | None:
    """The work mode; None where there is none, or where two keys contradict each other."""
    modes = {as_number(document[key]) for key in MODE_KEYS if key in document}
    mode = modes.pop() if len(modes) == 1 else None
    return int(mode) if mode is not None and mode.is_integer() else None


def reads_text(document: Row) -> bool:
    """Is the work mode of this document a text?"""
    return isinstance(next(document[name] for name in MODE_KEYS if name in document), str)


def with_mode(document: Row, keys: Sequence[str], mode: int, *, as_text: bool) -> Row:
    """The same document with this work mode under all of `keys`, so that one write serves every build.

    Which one a build obeys cannot be read, since some show one and obey the other; what they do not obey they ignore
    (asic-rs 245, 312).
    """
    kept = {name: value for name, value in document.items() if name not in MODE_KEYS}
    return kept | dict.fromkeys(keys, str(mode) if as_text else mode)


def with_pools(document: Row, pools: Sequence[Pool]) -> Row:
    """The same document with these pools; places that stay free are empty, as the web interface writes them."""
    places = [{"url": pool.url, "user": pool.user, "pass": pool.password} for pool in pools]
    places += [{"url": "", "user": "", "pass": ""}] * (POOL_PLACES - len(places))
    return document | {"pools": places}


def same_pools(document: Row, pools: Sequence[Pool]) -> bool:
    """Are these the stored pools, in this order? Passwords are not compared: some builds hide them."""
    stored = [(bare(text(pool, "url")), text(pool, "user")) for pool in rows(document, "pools") if text(pool, "url")]
    return stored == [(bare(pool.url), pool.user) for pool in pools]
