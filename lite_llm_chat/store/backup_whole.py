"""Database and uploaded files together.

back_up_whole ─▶ FILE, and files/<digest> beside it
restore_whole ─▶ FILE, or a tar of both ─▶ the database's place, and what is missing in UPLOAD_DIR
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from .backup import BackupError, GoOn, Tell, back_up, of_system, restore, stopped
from .backup_files import FILES, PutBack, digests, gather, put_back, uploaded
from .backup_tar import unpacked
from .location import Location


class Sources(NamedTuple):
    """What a backup is of: the database, and the folder of uploaded files."""

    database: Path
    uploads: Path


class Kept(NamedTuple):
    """What a backup holds: bytes of the database, the files it refers to, those that are gone."""

    size_bytes: int
    files: int
    missing: int


class Restored(NamedTuple):
    """Where the old database was kept, if there was one, and what came of the files."""

    kept: Path | None
    files: PutBack


def back_up_whole(
    sources: Sources,
    target: Path,
    *,
    replace: bool = False,
    tell: Tell,
    go_on: GoOn = lambda: True,
) -> Kept:
    """Copy the database as `back_up` does and, into `files` beside the copy, what was uploaded.
    Raises BackupError; then there is no copy."""
    pool = target.parent / FILES
    with _files_in(pool):
        # Before the copy, so that what is deleted while it is made is there; and after it.
        gather(uploaded(sources.uploads), sources.uploads, pool, go_on)
        size_bytes = back_up(sources.database, target, replace=replace, tell=tell, go_on=go_on)
        try:
            names = digests(target)
            missing = gather(names, sources.uploads, pool, go_on)
            if not go_on():
                raise stopped(sources.database)
        except (BackupError, OSError):
            target.unlink(missing_ok=True)  # without its files it is not whole
            raise
    return Kept(size_bytes, len(names), missing)


def restore_whole(backup: Path, location: Location, uploads: Path, at: datetime) -> Restored:
    """Put a backup in the place of the database, then the files that it refers to and that are
    missing in the uploads, from `files` beside the backup or from the tar. Raises BackupError."""
    with unpacked(backup, location.path) as database:
        kept = restore(database, location, at)
        with _files_in(uploads):
            return Restored(kept, put_back(location.path, database.parent / FILES, uploads))


@contextmanager
def _files_in(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise of_system(folder, cause) from cause
    except sqlite3.Error as cause:
        raise BackupError(f"the files cannot be told from the database ({cause})") from cause
