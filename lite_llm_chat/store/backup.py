"""A copy of the database while it is being served, and the way back.

    the served file ──one reader's view──▶ TO.part ── checked, synced ──▶ TO
    FROM ──▶ checked ──▶ chat.db.part ── the old file is kept aside ──▶ chat.db

The copy is a reader like any other: it takes no lock that a writer waits for, and sees one moment
however long it takes. Until it ends the write-ahead log cannot begin anew, so the log grows by
what is written meanwhile. What a copy writes competes for the disk, and one sync of hundreds of
megabytes in the end would hold a commit up for 100 to 200 ms: so it is synced bit by bit, with a
little rest in between.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Literal

from ..errors import StartupError
from .location import Location, Lock
from .tables import REVISION

STEP_INSTRUCTIONS = 20_000  # of SQLite's machine, between two looks at the copy: a few ms
REST_S = 0.003
SYNC_BYTES = 8 * 1024 * 1024
LASTING = ("", "-wal")  # the parts of a database that hold something
FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE")

PLAIN = "0001"  # what migrate.py stamps a file of the plain two tables with

Tell = Callable[[int], None]
GoOn = Callable[[], bool]
Why = Literal["full", "damaged", "place", "stopped", "other"]


class BackupError(StartupError):
    """Nothing was copied, or nothing was put back; `detail` tells the operator why. It may name
    paths: whoever answers strangers says `why` in other words."""

    def __init__(self, detail: str, why: Why = "other") -> None:
        super().__init__(detail)
        self.why: Why = why


def back_up(
    source: Path,
    target: Path,
    *,
    replace: bool = False,
    tell: Tell = lambda _size: None,
    go_on: GoOn = lambda: True,
) -> int:
    """Copy the database as it is now, whether or not it is being served; the size in bytes.
    `target` appears whole or not at all. `tell` hears now and then how many bytes there are, and
    soon after `go_on` says no it ends. Raises BackupError."""
    if target.is_dir():
        raise BackupError(f"{target} is a folder: name a file in it")
    if target.exists() and not replace:
        raise BackupError(f"{target} exists: name another file, or say --replace")
    if target.exists() and target.samefile(source):
        raise BackupError(f"{target} is the database itself: name another file")
    with _aside(target) as aside:
        size = _copy(source, aside, _gently(aside, tell, go_on))
        _finish(aside, go_on)
        aside.replace(target)
        sync(target.parent)
    return size


def snapshot(source: Path, target: Path) -> None:
    """Copy a database that nobody uses yet, as fast as it goes, in the place of an earlier copy of
    that name. Rows without their parents are no reason not to: a plain file may have them. Raises
    BackupError."""
    with _aside(target) as aside:
        _copy(source, aside, None)
        _finish(aside, orphans=True)
        aside.replace(target)
        sync(target.parent)


def restore(backup: Path, location: Location, at: datetime) -> Path | None:
    """Put a backup in the place of the database; where the old file was kept, if there was one.
    No server may use the file. Raises BackupError."""
    if backup.exists() and location.path.exists() and backup.samefile(location.path):
        raise BackupError(f"{backup} is the database itself: name a backup of it")
    plain = _require_ours(backup)
    location.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = Lock(location)
    try:
        lock.take()
    except StartupError as held:
        raise BackupError(f"the database cannot be replaced now: {held.detail}") from held
    try:
        with _aside(location.path) as fresh:
            _copy(backup, fresh, None)
            _finish(fresh, orphans=plain)
            kept = _keep_old(location.path, at)
            fresh.replace(location.path)
        sync(location.path.parent)
    finally:
        lock.release()
    return kept


# ── the copy ──────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A name beside the target for what is not whole yet; it is gone in the end."""
    aside = target.with_name(f"{target.name}.part")
    try:
        aside.unlink(missing_ok=True)
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield aside
    except OSError as cause:
        raise of_system(target, cause) from cause
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def _copy(source: Path, target: Path, step: Callable[[], int] | None) -> int:
    """Copy into an empty file; its size in bytes. `step` is called every few milliseconds, and
    anything but 0 ends it."""
    try:
        with closing(_reader(source)) as file:
            file.set_progress_handler(step, STEP_INSTRUCTIONS)
            file.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as cause:
        raise _error(source, target, cause) from cause
    return target.stat().st_size


def _finish(copy: Path, go_on: GoOn = lambda: True, *, orphans: bool = False) -> None:
    """Check a copy and sync it."""
    try:
        _require_sound(copy, go_on, orphans=orphans)
    except sqlite3.Error as cause:
        raise _error(copy, copy, cause) from cause
    sync(copy)


def _reader(source: Path) -> sqlite3.Connection:
    """A connection for reading. It is not opened as read-only: such a one cannot take the log
    and its index away that it made beside a file that nobody else uses."""
    if not source.is_file():
        raise BackupError(f"there is no database {source}: check the name, or DATABASE_URL")
    return sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)


def _gently(target: Path, tell: Tell, go_on: GoOn) -> Callable[[], int]:
    """What the copy does every few milliseconds: rest, and sync what it has written."""
    synced = 0

    def step() -> int:
        nonlocal synced
        time.sleep(REST_S)
        size = target.stat().st_size
        if size - synced >= SYNC_BYTES:
            sync(target)
            synced = size
            tell(size)
        return 0 if go_on() else 1

    return step


def sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ── the checks ────────────────────────────────────────────────────────────────────────────────


def _require_sound(path: Path, go_on: GoOn = lambda: True, *, orphans: bool = False) -> None:
    """Raises BackupError if SQLite finds fault with a file; rows without their parents are one,
    unless `orphans` are expected."""
    with closing(_reader(path)) as file:
        file.set_progress_handler(lambda: 0 if go_on() else 1, STEP_INSTRUCTIONS)
        verdict = file.execute("PRAGMA integrity_check(1)").fetchone()[0]
        stray = None if orphans else file.execute("PRAGMA foreign_key_check").fetchone()
    if verdict != "ok" or stray is not None:
        raise BackupError(
            "the database is damaged, so nothing was copied: restore an earlier backup", "damaged"
        )


def _require_ours(backup: Path) -> bool:
    """Raises BackupError if a file is no sound database of this server or of an earlier one.
    Whether it has the plain two tables, in which rows without their parents are expected."""
    try:
        with closing(_reader(backup)) as file:
            revision = revision_in(file)
        _require_sound(backup, orphans=revision == PLAIN)
    except sqlite3.Error as cause:
        raise BackupError(
            f"{backup} is not a backup of this server's database ({cause}): name another file"
        ) from cause
    if revision > REVISION:
        raise BackupError(f"{backup} was made by a newer version: update this server first")
    return revision == PLAIN


def revision_in(file: sqlite3.Connection) -> str:
    """Which version of this server a database was written by; PLAIN if it has the plain two tables.
    Raises sqlite3.Error for anything else."""
    names = {row[0] for row in file.execute("SELECT name FROM sqlite_master")}
    if "alembic_version" not in names and {"chat_sessions", "chat_messages"} <= names:
        return PLAIN
    found = file.execute("SELECT version_num FROM alembic_version").fetchone()
    if found is None:
        raise sqlite3.DatabaseError("it does not say which version it is of")
    return str(found[0])


def _error(source: Path, target: Path, cause: sqlite3.Error) -> BackupError:
    """What is wrong and the mend, for an error of SQLite."""
    name = getattr(cause, "sqlite_errorname", "")
    if name in FULL:
        return _no_space(target.with_suffix(""))  # without ".part"
    if name == "SQLITE_INTERRUPT":
        return stopped(source)
    if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return BackupError(
            f"the database {source} is damaged ({cause}): restore an earlier backup", "damaged"
        )
    return BackupError(
        f"the database {source} cannot be copied ({cause}): check the disks and the rights"
    )


def of_system(target: Path, cause: OSError) -> BackupError:
    """What is wrong and the mend, where a file could not be written."""
    if cause.errno in (ENOSPC, EDQUOT):
        return _no_space(target)
    return BackupError(
        f"{target} cannot be written ({cause.strerror}): check its folder, the rights to it"
        " and its free space",
        "place",
    )


def stopped(source: Path) -> BackupError:
    """The copy was told to end."""
    return BackupError(f"the copy of {source} was stopped: try again", "stopped")


def _no_space(target: Path) -> BackupError:
    return BackupError(
        f"no space left for {target}: make room, or name a file on another disk", "full"
    )


# ── the old file ──────────────────────────────────────────────────────────────────────────────


def _keep_old(path: Path, at: datetime) -> Path | None:
    """Give the old database a second, dated name, its log too, and touch neither: it may be
    damaged. Then leave nothing beside the first name that would be taken for the new file's log."""
    if not path.exists():
        return None
    kept = path.with_name(f"{path.name}.before-restore-{at:%Y%m%dT%H%M%SZ}")
    for part in LASTING:
        old = path.with_name(path.name + part)
        if old.exists():
            kept.with_name(kept.name + part).hardlink_to(old)
    for part in ("-wal", "-shm"):
        path.with_name(path.name + part).unlink(missing_ok=True)
    return kept
