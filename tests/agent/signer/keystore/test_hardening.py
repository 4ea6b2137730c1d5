import json
import subprocess
import sys

SCRIPT = """
import json, resource
from pathlib import Path
from agent.signer.keystore.hardening import harden
reached = harden()
try:
    Path("/proc/self/mem").open("rb").close()
    mem = "opened"
except PermissionError:
    mem = "refused"
print(json.dumps({**reached._asdict(), "core": resource.getrlimit(resource.RLIMIT_CORE), "mem": mem}))
"""


def test_a_hardened_process_has_no_core_and_is_not_dumpable() -> None:
    """In a process of its own, because it cannot be undone."""
    run = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["not_dumpable"]
    assert told["no_core"]
    assert told["core"] == [0, 0]
