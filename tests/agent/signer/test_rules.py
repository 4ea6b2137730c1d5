"""Every refusal of a box has an id, a line in docs/signing-box.md and a negative test: three equal sets."""

import ast
import re
from pathlib import Path

from agent.signer import rule

ROOT = Path(__file__).parents[3]
_ROW = re.compile(r"^\| `([a-z]+\.[a-z-]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
CODED = {value for name, value in vars(rule).items() if name.isupper()}


def documented() -> list[str]:
    return [found[1] for found in _ROW.finditer((ROOT / "docs" / "signing-box.md").read_text("utf-8"))]


def strings(folder: Path, *, skip: tuple[str, ...] = ()) -> set[str]:
    trees = [ast.parse(path.read_text("utf-8")) for path in folder.rglob("*.py") if path.name not in skip]
    constants = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {node.value for node in constants if isinstance(node.value, str)}


def test_every_id_has_its_line_in_order():
    assert documented() == sorted(set(documented()))
    assert set(documented()) == CODED


def test_every_id_has_a_negative_test():
    assert CODED - strings(ROOT / "tests" / "agent" / "signer", skip=("test_rules.py", "scene.py")) == set()


def test_no_box_refuses_by_an_id_that_is_not_listed():
    """Keystore, ledger and clock name their ids where they refuse."""
    raised = set()
    for path in (ROOT / "agent" / "signer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Denied":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    raised.add(first.value)
    assert raised <= CODED
