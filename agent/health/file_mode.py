"""Who may read what a node keeps: orders, replaced pool passwords and samples are for its own user."""

import stat
from collections.abc import Iterator
from pathlib import Path

from agent.health.finding import Finding, Grade

CHECK = "file modes"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def file_modes(directory: Path) -> Finding:
    """Of the state folder and all that lies in it."""
    open_ones = sorted(_open_to_others(directory))
    if not open_ones:
        return Finding(CHECK, Grade.GOOD, "for their owner only")
    found = f"{open_ones[0]} and {len(open_ones) - 1} more" if len(open_ones) > 1 else str(open_ones[0])
    return Finding(CHECK, Grade.WEAK, f"others can reach {found}", f"chmod -R go= {directory}")


def _open_to_others(directory: Path) -> Iterator[Path]:
    """Inside a folder that only its owner can enter, nobody else reaches anything."""
    if directory.is_dir() and directory.stat().st_mode & _OTHERS:
        yield directory
        yield from (path for path in directory.rglob("*") if path.is_file() and path.stat().st_mode & _OTHERS)
