"""Every error code stands in docs/errors.md, as the code has it."""

import importlib
import pkgutil
import re
from pathlib import Path

import agent
import controller
import shared
from controller.api.failure import ANSWERS
from shared.errors import BesError

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"
_ROW = re.compile(r"^\| `([a-z]+\.[a-z-]+)` \| (\d{3}) \| (yes|no) \| ([^|]+) \|", re.MULTILINE)


def kinds() -> dict[str, type[BesError]]:
    """Every error class of the product by its own code; one that has only its parent's code is the same error."""
    for package in (agent, controller, shared):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found: dict[str, type[BesError]] = {}
    waiting: list[type[BesError]] = [BesError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        ours = kind.__module__.split(".")[0] in ("agent", "controller", "shared")
        if ours and "code" in vars(kind):
            assert kind.code not in found, f"{kind.code} names two errors"
            found[kind.code] = kind
    return found


def status_of(kind: type[BesError]) -> int:
    return next(ANSWERS[parent].status for parent in kind.__mro__ if parent in ANSWERS)


def test_the_page_and_the_code_agree() -> None:
    rows = [(code, int(status), again == "yes") for code, status, again, _ in _ROW.findall(DOCUMENT.read_text("utf-8"))]
    assert [row[0] for row in rows] == sorted({row[0] for row in rows}), "each code once, in order"
    assert rows == sorted((code, status_of(kind), kind.retryable) for code, kind in kinds().items())
