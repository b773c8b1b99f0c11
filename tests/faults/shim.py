"""The shim of disk_shim.c, from Python: compile it, preload it, tell it what to refuse, read back
what a process did to its files.

    Shim(folder) ── environment ──▶ Server(…, **shim.environment())
        │ .refuse(…) .heal() .slow(ms)        the process's writes and syncs obey at once
        └ .operations()                       all of them in order, if it keeps a journal
"""

from __future__ import annotations

import errno
import mmap
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pytest

SOURCE = Path(__file__).with_name("disk_shim.c")
FIELDS = ("kinds", "left", "error", "persist", "main_only", "sync_ms")
COUNTS = ("write", "sync", "refused", "broken")
ENTRY = struct.Struct("=5q")
OPERATIONS = ("", "create", "write", "truncate", "unlink", "rename", "sync")

Field = Literal[
    "kinds", "left", "error", "persist", "main_only", "sync_ms",
    "write", "sync", "refused", "broken",
]  # fmt: skip
On = Literal["write", "sync"]
Name = Literal["create", "write", "truncate", "unlink", "rename", "sync"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What a disk says, and to which operations. `once`: to one of them; else to all that follow,
    until it is healed. `main_only`: only to those on the database file itself."""

    error: Literal["ENOSPC", "EIO"]
    on: On
    once: bool = True
    main_only: bool = False

    def __str__(self) -> str:
        where = " of the main file" if self.main_only else ""
        return f"{self.error} at a {self.on}{where}, {'once' if self.once else 'until healed'}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the journal. `data` is what was written, or the new name of a rename."""

    at_s: float  # time.monotonic of this machine
    name: Name
    path: str
    offset: int = 0
    data: bytes = b""


@cache
def compiler() -> str | None:
    """A C compiler, if this machine has one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


class Shim:
    """One disk. `folder` is where its files are; what the shim needs itself goes to `aside`."""

    def __init__(self, folder: Path, aside: Path, *, journal: bool = False) -> None:
        if (cc := compiler()) is None:
            pytest.skip("no C compiler here to build the disk that refuses: install gcc")
        self._library = aside / "disk_shim.so"
        self.folder = folder
        self._journal = aside / "journal.bin" if journal else None
        flags = ("-shared", "-fPIC", "-O2", "-Wall", "-Werror")
        command = [cc, *flags, "-o", str(self._library), str(SOURCE), "-ldl", "-lpthread"]
        subprocess.run(command, check=True)
        self._block_path = aside / "control.bin"
        self._block_path.write_bytes(bytes(8 * 16))
        with self._block_path.open("r+b") as file:
            self._block = mmap.mmap(file.fileno(), 8 * 16)
        self._set("left", -1)

    def environment(self) -> dict[str, object]:
        """What a process must find around it; the names are made upper case by the Server."""
        given: dict[str, object] = {
            "ld_preload": self._library,
            "disk_shim_folder": self.folder,
            "disk_shim_control": self._block_path,
        }
        return given if self._journal is None else {**given, "disk_shim_journal": self._journal}

    def run(self, program: str, *arguments: str) -> str:
        """What a small Python program prints that runs on this disk."""
        given = {name.upper(): str(value) for name, value in self.environment().items()}
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, env=given, check=True, capture_output=True).stdout.decode()

    def refuse(self, fault: Fault, number: int) -> None:
        """Refuse the n-th such operation from now; the first is number 1."""
        self.heal()
        self._set("error", getattr(errno, fault.error))
        self._set("kinds", 1 if fault.on == "write" else 2)
        self._set("persist", not fault.once)
        self._set("main_only", fault.main_only)
        self._set("refused", 0)
        self._set("left", number - 1)

    def heal(self) -> None:
        """Refuse nothing any more."""
        self._set("left", -1)
        self._set("persist", 0)
        self._set("broken", 0)

    def slow(self, sync_ms: int) -> None:
        """Make every sync take longer."""
        self._set("sync_ms", sync_ms)

    def count(self, name: Literal["write", "sync", "refused"]) -> int:
        """How many there were; of the refused, since `refuse`."""
        return int(struct.unpack_from("=q", self._block, _place(name))[0])

    def _set(self, name: Field, value: int) -> None:
        struct.pack_into("=q", self._block, _place(name), int(value))

    def operations(self) -> list[Operation]:
        """The journal so far. An entry that the process was killed in the middle of is left
        out."""
        assert self._journal is not None
        return list(_parsed(self._journal.read_bytes()))


def _place(name: Field) -> int:
    return 8 * (*FIELDS, *COUNTS).index(name)


def _parsed(raw: bytes) -> Iterator[Operation]:
    at = 0
    while at + ENTRY.size <= len(raw):
        at_ns, kind, offset, size, path_size = ENTRY.unpack_from(raw, at)
        at += ENTRY.size
        path, data = raw[at : at + path_size], raw[at + path_size : at + path_size + size]
        at += path_size + size
        if at <= len(raw):
            name: Name = OPERATIONS[kind]  # type: ignore[assignment]
            yield Operation(at_ns / 1e9, name, path.decode(), offset, data)
