"""Uploaded files beside the copies of the database: each once, however many copies need it.

    backups/manual-….db      what it refers to ─▶ backups/files/<digest>   a second name of the
    backups/scheduled-….db   ────────────────────────────▲                 upload, or a copy of it
                                                         └── swept once no copy refers to it

A file's name is the digest of its bytes and its bytes never change, so a second name is as good as
a copy and takes no room; on another disk it is a copy.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from .backup import GoOn, sync

FILES = "files"  # the folder of them, beside the copies
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SQLITE = b"SQLite format 3\0"


class PutBack(NamedTuple):
    """What came of the files that a database refers to: put back, nowhere to be found, and not
    put back because the copy is not what its name says."""

    put: int
    missing: int
    damaged: int


def digests(database: Path) -> frozenset[str]:
    """The files that the rows of a copy refer to. Raises sqlite3.Error."""
    uri = f"{database.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as file:
        known = "SELECT count(*) FROM sqlite_master WHERE name = 'files' AND type = 'table'"
        if not file.execute(known).fetchone()[0]:
            return frozenset()  # of a version without uploads
        return frozenset(row[0] for row in file.execute("SELECT id FROM files"))


def uploaded(uploads: Path) -> list[str]:
    """The files that are there now."""
    with suppress(FileNotFoundError), os.scandir(uploads) as entries:
        return [one.name for one in entries if _DIGEST.fullmatch(one.name)]
    return []


def gather(names: Iterable[str], uploads: Path, pool: Path, go_on: GoOn = lambda: True) -> int:
    """Have these files in the pool; how many are missing, there and among the uploads. Ends early
    once `go_on` says no. Raises OSError."""
    missing = 0
    pool.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in names:
        if not go_on():
            break
        if not is_plain(pool / name):
            missing += not _have(uploads / name, pool / name)
    sync(pool)
    return missing


def put_back(database: Path, pool: Path, uploads: Path) -> PutBack:
    """Have the files that a restored database refers to among the uploads, each checked by its
    digest. Raises OSError, sqlite3.Error."""
    put = missing = damaged = 0
    for name in digests(database):
        if is_plain(uploads / name):
            continue
        if not _DIGEST.fullmatch(name) or not is_plain(pool / name):
            missing += 1
        elif _digest(pool / name) != name:
            damaged += 1
        else:
            uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
            put += _have(pool / name, uploads / name)
    if put:
        sync(uploads)
    return PutBack(put, missing, damaged)


def sweep(folder: Path) -> int:
    """Delete what no copy in a folder refers to; how many files. While there is one that cannot be
    read, nothing is deleted."""
    needed: set[str] = set()
    for path in folder.iterdir():
        if is_plain(path) and _is_database(path):
            try:
                needed |= digests(path)
            except sqlite3.Error:
                return 0
    unneeded = [name for name in uploaded(folder / FILES) if name not in needed]
    for name in unneeded:
        (folder / FILES / name).unlink(missing_ok=True)
    return len(unneeded)


def is_plain(path: Path) -> bool:
    """Whether it is a file, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _have(source: Path, target: Path) -> bool:
    """Give a file a second name, or copy it; False if there is none."""
    if not is_plain(source):
        return False
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return is_plain(target)
    except FileNotFoundError:
        return False  # deleted just now
    except OSError:  # another disk, or one without second names
        return _copied(source, target)
    return True


def _copied(source: Path, target: Path) -> bool:
    aside = target.with_name(f"{target.name}.part")
    try:
        with source.open("rb") as read, aside.open("wb") as written:
            aside.chmod(0o600)
            shutil.copyfileobj(read, written, 1 << 20)
            written.flush()
            os.fsync(written.fileno())
        aside.replace(target)
    except FileNotFoundError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    return True


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
