"""The house keeps its own rules: layout, weight of each role, documents in step with the code."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("agent", "controller", "shared", "hardware_sims", "benchmarks")
SOURCES = [path for package in PACKAGES for path in sorted(Path(package).rglob("*.py"))]
LONGEST_FILE = 400
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}


def loaded_by(module: str) -> set[str]:
    """The top-level modules that importing `module` brings into a fresh interpreter."""
    program = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_no_file_holds_more_than_one_idea():
    long = {str(path): count for path in SOURCES if (count := len(path.read_text().splitlines())) > LONGEST_FILE}
    assert long == {}


def test_no_name_says_that_the_concept_was_not_found():
    assert [str(path) for path in SOURCES if path.stem in FORBIDDEN_NAMES] == []


def test_every_package_says_in_a_sentence_what_it_is():
    silent = [
        str(path)
        for path in SOURCES
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


WEB = {"fastapi", "nicegui", "uvicorn", "starlette"}
HEAVY = {"numpy", "onnxruntime", "highspy", "pyasic"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("agent.site_app", WEB | HEAVY | {"controller", "hardware_sims", "httpx"}),
        ("agent.signer_app", WEB | HEAVY | {"controller", "hardware_sims", "pymodbus", "h11", "zeroconf"}),
        ("controller.app", {"agent", "hardware_sims", "pymodbus", "pyasic", "highspy"}),
    ],
)
def test_a_role_loads_nothing_that_it_does_not_need(module, absent):
    assert loaded_by(module) & absent == set()


def test_a_signing_box_cannot_load_site_code():
    program = "import sys, agent.signer_app; print(*[n for n in sys.modules if n.startswith('agent.site')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_every_controller_package_stands_in_exactly_one_row_of_the_document():
    table = Path("docs/architecture.md").read_text().split("## Where things are")[1].split("\n\n")[1]
    named = [
        name
        for group in re.findall(r"`controller/(\{[^}]*\}|\w+)`?", table)
        for name in group.strip("{}").split(",")
        if (Path("controller") / name).is_dir()
    ]
    real = [path.parent.name for path in Path("controller").glob("*/__init__.py")]
    assert sorted(named) == sorted(real)


def test_locks_carry_hashes_and_no_index_address():
    for lock in Path("requirements").glob("*.txt"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "http://" not in text
        assert "https://" not in text
        assert "--index" not in text


def test_no_path_of_one_machine_stands_in_the_repository():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    guilty = [
        name
        for name in tracked
        if Path(name).suffix in {".py", ".md", ".toml", ".yml", ".service", ".sql", ".js", ".css"}
        and re.search(r"(^|[^\w.])/(root|work|home/\w+)/", Path(name).read_text())
    ]
    assert guilty == []


def test_every_event_code_of_a_site_has_a_line_in_the_document():
    documented = set(re.findall(r"^\| `([a-z.-]+)` \|", Path("docs/events.md").read_text(), re.MULTILINE))
    from agent.site.discovery import finder
    from agent.site.telemetry.watch import SEVERITIES

    constants = {value for name, value in vars(finder).items() if name.isupper() and isinstance(value, str)}
    told = set(SEVERITIES) | {value for value in constants if value.startswith("discovery.")}
    assert told <= documented
