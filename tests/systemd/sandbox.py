"""Runs a program under the system call filter of a unit: `python sandbox.py UNIT PROGRAM ARGUMENT…`.

systemd puts a unit's filter together itself and needs to be process 1 for it. Here the same lines are given to the same
library (libseccomp). Namespaces, address filters and cgroups are not imitated.
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

# seccomp.h
_ALLOW = 0x7FFF0000
_EPERM = 0x00050000 | 1
_NO_NEW_PRIVILEGES = 38  # linux/prctl.h


def allowed(unit: Path) -> set[str]:
    """The system calls that the lines SystemCallFilter= of a unit leave, read as systemd.exec(5) says."""
    calls: set[str] = set()
    for line in unit.read_text().splitlines():
        if line.startswith("SystemCallFilter="):
            names = line.partition("=")[2]
            found = {call for name in names.removeprefix("~").split() for call in _members(name)}
            calls = calls - found if names.startswith("~") else calls | found
    return calls | _members("@default")


def confine(unit: Path) -> None:
    """This process, and all that it starts, from here on."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(_EPERM))
    for name in allowed(unit):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0 and library.seccomp_rule_add_array(context, _ALLOW, number, 0, None):
            raise OSError(f"no rule for {name}")
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if library.seccomp_load(context) != 0:
        raise OSError("the filter could not be loaded")


def _members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True
    ).stdout
    lines = [line.split("#")[0].strip() for line in told.splitlines()[1:]]
    return {call for line in lines if line for call in _members(line)}


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
