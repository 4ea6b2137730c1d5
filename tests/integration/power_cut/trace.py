"""What a program did to its files, in order: strace's record of its writes and syncs, with all their bytes."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

RECEIPTS = "receipts.log"
_ROOT = Path(__file__).parents[3]
_CALLS = "write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,rename"
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*?)(?: <unfinished \.\.\.>|\) += (-?\d+).*)$")
_FILE = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})*)>")
_DATA = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Write(NamedTuple):
    file: str
    offset: int
    data: bytes


class Cut(NamedTuple):
    """The file was given this size."""

    file: str
    size: int


class Sync(NamedTuple):
    """When it had returned, all that was written to the file before operation `began` was on the disk."""

    file: str
    began: int


class Receipt(NamedTuple):
    """The program told the world."""

    words: tuple[str, ...]


Operation = Write | Cut | Sync | Receipt


def record(script: Path, folder: Path, files: Sequence[str], *arguments: str) -> list[Operation]:
    """Run the script on `folder` to its end; what it did to `files` there, and the lines of its receipts."""
    trace = folder.parent / f"{folder.name}.strace"
    command = ["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "16777216", "-e", f"trace={_CALLS}"]
    program = [sys.executable, str(script), str(folder), *arguments]
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    done = subprocess.run([*command, "-o", str(trace), *program], env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return list(_operations(trace, folder, files))


def _operations(trace: Path, folder: Path, files: Sequence[str]) -> list[Operation]:
    found: list[Operation] = []
    begun: dict[str, tuple[str, int]] = {}  # by thread: what strace saw at the start of a call, and where that was
    with trace.open(encoding="ascii") as lines:
        for line in lines:
            call = _LINE.match(line)
            if call is None:
                continue  # a signal, the end of a thread
            thread, resumed, name, text, result = call.groups()
            if resumed is None and result is None:
                begun[thread] = (text, len(found))
                found += _receipts(folder, text) if name == "write" else []
                continue
            start, began = begun.pop(thread) if resumed is not None else (text, len(found))
            if int(result) < 0:
                continue
            if name == "write":
                found += _receipts(folder, start)
            found += _operation(resumed or name, folder, start, began, files)
    return found


def _operation(name: str, folder: Path, text: str, began: int, files: Sequence[str]) -> list[Operation]:
    file = _file(folder, text)
    if file not in files:
        return []
    if name == "pwrite64":
        data = _DATA.search(text)
        assert data is not None
        length, offset = map(int, text[data.end() :].lstrip(", ").split(", "))
        content = _bytes(data[1])
        assert len(content) == length
        return [Write(file, offset, content)]
    if name == "ftruncate":
        return [Cut(file, int(text.rpartition(", ")[2]))]
    assert name in ("fsync", "fdatasync"), f"{name} of {file}: the replay does not know it"
    return [Sync(file, began)]


def _receipts(folder: Path, text: str) -> list[Operation]:
    if _file(folder, text) != RECEIPTS:
        return []
    data = _DATA.search(text)
    assert data is not None
    return [Receipt(tuple(line.split())) for line in _bytes(data[1]).decode().splitlines()]


def _file(folder: Path, text: str) -> str:
    """Path below the folder, or nothing."""
    found = _FILE.match(text)
    path = _bytes(found[1]).decode() if found is not None else ""
    return path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else ""


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
