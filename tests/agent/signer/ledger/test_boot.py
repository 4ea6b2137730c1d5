import subprocess
import sys

from agent.signer.ledger.boot import machine_boot_id


def test_processes_of_one_boot_tell_the_same_id() -> None:
    script = "from agent.signer.ledger.boot import machine_boot_id; print(machine_boot_id())"
    other = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == machine_boot_id() != ""
