"""The folder of backups: their names, what is there, what has had its time.

    fresh(kind, moment) ─▶ scheduled-20261130T081500Z.db ─▶ listed ─▶ Backup ─▶ outlived ─▶ names
    chat_history.db.before-0005, beside the database ─────────▲

A copy is checked before it gets its name, so every name is of one that was whole. A name is only
ever compared with those that are there; other files in the folder are nobody's here.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from .backup import revision_in
from .backup_files import FILES, digests, is_plain
from .migrate import snapshots

Kind = Literal["manual", "scheduled", "migration"]

_NAME = re.compile(r"(manual|scheduled)-(\d{8}T\d{6}Z)(?:-(\d{1,4}))?\.db", re.ASCII)
_PART = re.compile(_NAME.pattern + r"\.part", re.ASCII)
_MOMENT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Backup:
    """One that is there. `revision` is the version of the database, None if it cannot be read.
    `verified`: it was checked when it was made and has the size that it says of itself. `files`
    are the uploaded files that it refers to, `missing` those that it cannot give back."""

    name: str
    kind: Kind
    created_at: datetime
    size_bytes: int
    revision: str | None
    verified: bool
    files: int
    missing: int
    path: Path


def fresh(folder: Path, kind: Kind, at: datetime) -> Path:
    """A name that nobody has, behind all others of that kind and second."""
    stem = f"{kind}-{at.astimezone(UTC):{_MOMENT}}"
    found = (_NAME.fullmatch(path.name) for path in folder.glob(f"{stem}*"))
    last = max((int(named[3] or 1) for named in found if named), default=0)
    return folder / (f"{stem}-{last + 1}.db" if last else f"{stem}.db")


def listed(folder: Path, database: Path) -> list[Backup]:
    """All backups, the newest first."""
    found = [(path, "migration", 1) for path in snapshots(database)]
    found += [
        (path, named[1], int(named[3] or 1))
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (named := _NAME.fullmatch(path.name)) and is_plain(path)
    ]
    seen = [(_seen(path, cast("Kind", kind)), number) for path, kind, number in found]
    there = [(one, number) for one, number in seen if one is not None]
    return [one for one, _ in sorted(there, key=lambda row: (row[0].created_at, row[1]))][::-1]


def outlived(backups: list[Backup], keep: int) -> list[Backup]:
    """The scheduled ones that are older than the `keep` newest good ones."""
    scheduled = [one for one in backups if one.kind == "scheduled"]
    good = [number for number, one in enumerate(scheduled) if one.verified]
    return scheduled[good[keep - 1] + 1 :] if len(good) >= keep else []


def left_over(folder: Path) -> list[Path]:
    """What a process that was killed has left of a backup."""
    return [path for path in folder.iterdir() if _PART.fullmatch(path.name)]


def _seen(path: Path, kind: Kind) -> Backup | None:
    """What there is to say of a file; None if it was deleted just now."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    revision, own_bytes, files = None, None, frozenset[str]()
    with suppress(sqlite3.Error):  # damaged since: not verified
        revision, own_bytes = _says(path)
        files = frozenset() if kind == "migration" else digests(path)
    named = _NAME.fullmatch(path.name)
    at = datetime.strptime(named[2] + "+0000", f"{_MOMENT}%z") if named else None
    return Backup(
        name=path.name,
        kind=kind,
        created_at=at or datetime.fromtimestamp(found.st_mtime, UTC),
        size_bytes=found.st_size,
        revision=revision,
        verified=own_bytes == found.st_size,
        files=len(files),
        missing=sum(not is_plain(path.parent / FILES / name) for name in files),
        path=path,
    )


def _says(path: Path) -> tuple[str, int]:
    """The revision and the size in bytes that a file says of itself. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as file:
        pages, page_bytes = (
            file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
        )
        return revision_in(file), pages * page_bytes
