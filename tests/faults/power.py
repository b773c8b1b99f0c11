"""What a power cut may leave of a folder. Pure: operations in, files out.

    base ─▶ write write sync write ✂      ─▶ {"chat.db": …, "chat.db-wal": …}
            └── always ───┘ └ or not, or in parts

* A write is on the disk for certain once a sync of its file was completed after it.
* Any other may be there, wholly, not at all, or in some of its 512-byte sectors.
* That a file was made, removed or renamed is certain once its folder was synced; else it is not.

A write changes no byte outside of it: SQLite and every disk of the last decades agree on that.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .shim import Operation

SECTOR = 512
Change = tuple[int, Operation]  # its number in the journal


@dataclass(eq=False)
class _File:
    """One file, whatever it is called; `certain` is how far its operations are on the disk."""

    base: bytes = b""
    changes: list[Change] = field(default_factory=list)
    certain: int = -1


@dataclass
class _Folder:
    """The names now, and how they came about."""

    names: dict[str, _File]
    base: dict[str, _File]
    changes: list[tuple[int, Operation, _File]] = field(default_factory=list)
    certain: int = -1


@dataclass(frozen=True)
class Luck:
    """What becomes of what is not certain: the share that reaches the disk, torn or whole."""

    rng: random.Random
    share: float
    torn: bool

    @classmethod
    def of(cls, rng: random.Random) -> Luck:
        """Nothing and everything are as likely as what lies between."""
        return cls(rng, rng.choice((0.0, 0.2, 0.5, 0.9, 1.0)), rng.random() < 0.5)

    def strikes(self) -> bool:
        """Whether one uncertain thing is there."""
        return self.rng.random() < self.share


def image(
    folder: Path, base: Mapping[str, bytes], operations: Sequence[Operation], luck: Luck
) -> dict[str, bytes]:
    """The files of `folder` after a power cut at the end of the operations; `base` was on the
    disk before the first."""
    files = {name: _File(content) for name, content in base.items()}
    state = _Folder(dict(files), files)
    for number, operation in enumerate(operations):
        _follow(state, folder, number, operation)
    return {name: _content(file, luck) for name, file in _names(state, luck).items()}


def _follow(state: _Folder, folder: Path, number: int, operation: Operation) -> None:
    name = Path(operation.path).name
    if operation.name == "sync" and operation.path == str(folder):
        state.certain = number
    elif operation.name == "sync":
        state.names[name].certain = number
    elif operation.name in ("write", "truncate"):
        state.names[name].changes.append((number, operation))
    else:
        file = state.names.pop(name, None) or _File()
        state.changes.append((number, operation, file))
        _rename(state.names, operation, file)


def _rename(names: dict[str, _File], operation: Operation, file: _File) -> None:
    name = Path(operation.path).name
    names.pop(name, None)
    if operation.name == "create":
        names[name] = file
    elif operation.name == "rename":
        names[Path(operation.data.decode()).name] = file


def _names(state: _Folder, luck: Luck) -> dict[str, _File]:
    names = dict(state.base)
    for number, operation, file in state.changes:
        if number < state.certain or luck.strikes():
            _rename(names, operation, file)
    return names


def _content(file: _File, luck: Luck) -> bytes:
    content = bytearray(file.base)
    for number, operation in file.changes:
        if number < file.certain:
            _apply(content, operation.offset, operation)
        else:
            for offset, part in _parts(operation, luck):
                _apply(content, offset, part)
    return bytes(content)


def _parts(operation: Operation, luck: Luck) -> Iterator[tuple[int, Operation]]:
    """What reaches the disk of an operation that is not certain."""
    if operation.name == "truncate" or not luck.torn:
        if luck.strikes():
            yield operation.offset, operation
        return
    at, end = operation.offset, operation.offset + len(operation.data)
    while at < end:
        stop = min(end, at - at % SECTOR + SECTOR)
        data = operation.data[at - operation.offset : stop - operation.offset]
        if luck.strikes():
            yield at, Operation(operation.at_s, "write", operation.path, at, data)
        at = stop


def _apply(content: bytearray, offset: int, operation: Operation) -> None:
    if operation.name == "truncate":
        del content[offset:]
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(operation.data)] = operation.data
