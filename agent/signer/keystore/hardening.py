"""Makes it hard for others on the machine to read this process's memory. Called once, before a secret is touched."""

import ctypes
import os
import resource
from typing import NamedTuple

from shared.log import get_logger

# linux/prctl.h and sys/mman.h
_PR_SET_DUMPABLE = 4
_PR_GET_DUMPABLE = 3
_MCL_CURRENT = 1
_MCL_FUTURE = 2

log = get_logger(__name__)


class Hardening(NamedTuple):
    """What was reached. Memory is locked only where the process may lock all that it will ever need: a process that
    runs into its RLIMIT_MEMLOCK later would die in the middle of a signature.
    """

    not_dumpable: bool
    no_core: bool
    memory_locked: bool


def harden() -> Hardening:
    """No core dump, no debugger or /proc/self/mem by the same user, no swap. Says what could not be done."""
    library = ctypes.CDLL(None, use_errno=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    reached = Hardening(
        not_dumpable=library.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0,
        no_core=resource.getrlimit(resource.RLIMIT_CORE) == (0, 0),
        memory_locked=_may_lock_all() and library.mlockall(_MCL_CURRENT | _MCL_FUTURE) == 0,
    )
    if not all(reached):
        log.warning("keystore.not-hardened", **reached._asdict())
    return reached


def _may_lock_all() -> bool:
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
