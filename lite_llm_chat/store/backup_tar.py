"""A backup as one file on its way to another machine, and back.

    manual-….db ─┬─▶ tar: manual-….db, files/<digest>, … ─▶ parts of bytes, their sum known before
    files/ ──────┘                                          │
    a folder with the same ◀── unpacked ◀───────────────────┘

Nothing is compressed: most uploads are already, and what is sent has to keep up with the disk only.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .backup import BackupError
from .backup_files import FILES, digests, is_plain

PART_BYTES = 256 * 1024
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_UPLOAD = re.compile(rf"{FILES}/[0-9a-f]{{64}}", re.ASCII)


class _Member(NamedTuple):
    path: Path
    header: bytes
    size_bytes: int

    @property
    def padding(self) -> bytes:
        return bytes(-self.size_bytes % _BLOCK)


class Tar:
    """A backup and its files, as they are when this is made. Raises OSError, sqlite3.Error."""

    def __init__(self, backup: Path, *, with_files: bool) -> None:
        pool = backup.parent / FILES
        names = sorted(digests(backup)) if with_files else ()
        paths = {backup.name: backup} | {f"{FILES}/{name}": pool / name for name in names}
        self._members = [_member(name, path) for name, path in paths.items() if is_plain(path)]
        self.size_bytes = len(_END) + sum(
            len(one.header) + one.size_bytes + len(one.padding) for one in self._members
        )

    def parts(self) -> Iterator[bytes]:
        """All bytes. Raises OSError if a file is gone meanwhile."""
        for one in self._members:
            yield one.header
            with one.path.open("rb") as file:
                while part := file.read(PART_BYTES):
                    yield part
            yield one.padding
        yield _END


def _member(name: str, path: Path) -> _Member:
    found = path.stat()
    about = tarfile.TarInfo(name)
    about.size, about.mtime, about.mode = found.st_size, int(found.st_mtime), 0o600
    return _Member(path, about.tobuf(tarfile.GNU_FORMAT), found.st_size)


@contextmanager
def unpacked(backup: Path, beside: Path) -> Iterator[Path]:
    """The database of a backup: the file itself or, of a tar, what is unpacked from it into a
    folder beside another file, which is gone in the end. Raises BackupError."""
    if not backup.is_file() or not tarfile.is_tarfile(backup):
        yield backup
        return
    place: Path | None = None
    try:
        try:
            beside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            place = Path(tempfile.mkdtemp(dir=beside.parent, prefix=".restore-"))
            found = _unpack(backup, place)
        except (OSError, tarfile.TarError) as cause:
            raise BackupError(
                f"{backup} cannot be unpacked ({cause}): check the file, and the free space beside"
                " the database"
            ) from cause
        yield found
    finally:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)


def _unpack(backup: Path, folder: Path) -> Path:
    """Only what a backup has: one file on top, and uploads by their digests."""
    (folder / FILES).mkdir()
    database: Path | None = None
    with tarfile.open(backup, "r:") as tar:
        for member in tar:
            if not member.isreg():
                continue
            if _UPLOAD.fullmatch(member.name):
                target = folder / member.name
            elif "/" not in member.name and database is None:
                target = database = folder / "database"
            else:
                continue
            source = tar.extractfile(member)
            assert source is not None  # it is a regular file
            with target.open("wb") as file:
                shutil.copyfileobj(source, file, PART_BYTES)
    if database is None:
        raise BackupError(f"{backup} has no database in it: name another file")
    return database
