"""Every refusal has an id, a line in docs/refusals.md and a negative test: three equal sets for each package.

A section of the document names the file that owns its ids. There they are the members of a `Refusal` enumeration, or
constants whose value looks like an id. Tests must name each id literally.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "refusals.md"
_HEADING = re.compile(r"^## .*`([\w/]+\.py)`$", re.MULTILINE)
_ROW = re.compile(r"^\| `([a-z]+\.[a-z0-9-]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_ID = re.compile(r"[a-z]+(\.[a-z0-9]+(-[a-z0-9]+)*)+")


def sections() -> dict[str, str]:
    """Owner file to the text below its heading."""
    parts = _HEADING.split(DOCUMENT.read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def ids_in_code(path: Path) -> set[str]:
    assigned = [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Assign)]
    values = [node.value for node in assigned if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {value for value in values if _ID.fullmatch(value)}


def strings_in_tests(owner: str) -> set[str]:
    folder = ROOT / "tests" / Path(owner).parent
    trees = [ast.parse(path.read_text("utf-8")) for path in folder.rglob("test_*.py")]
    constants = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {node.value for node in constants if isinstance(node.value, str)}


@pytest.mark.parametrize("owner", sections())
def test_code_document_and_negative_tests_agree(owner: str) -> None:
    documented = [found[1] for found in _ROW.finditer(sections()[owner])]
    assert documented == sorted(set(documented)), "each id once, in order"
    coded = ids_in_code(ROOT / owner)
    assert coded
    assert set(documented) == coded
    assert coded - strings_in_tests(owner) == set(), "these have no negative test"


def test_every_refusal_file_has_its_section() -> None:
    files = [path for part in ("agent", "controller") for path in (ROOT / part).rglob("refusal.py")]
    assert {path.relative_to(ROOT).as_posix() for path in files} <= sections().keys()


def test_every_row_tells_what_it_means_and_who_can_change_it() -> None:
    for owner, text in sections().items():
        rows = [line for line in text.splitlines() if line.startswith("| `")]
        assert len(rows) == len(list(_ROW.finditer(text))), f"a row of {owner} has not three filled columns"
