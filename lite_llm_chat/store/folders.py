"""Folders: where sessions are put. They may lie in each other; who lies in whom is history's rule.

all_of ─▶ every folder, by id        there are few: trees are walked in Python
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from ..errors import NotFound
from .bare import driver, run
from .places import folders

_TAKE_OUT = (
    "UPDATE chat_sessions SET folder_id = NULL WHERE id IN"
    " (SELECT id FROM chat_sessions WHERE folder_id = ? LIMIT ?)"
)
_INSIDE = "SELECT id FROM chat_sessions WHERE folder_id = ? AND deleted_at IS NULL LIMIT ?"
_COUNTS = (
    "SELECT folder_id, count(*) FROM chat_sessions WHERE folder_id IS NOT NULL"
    " AND deleted_at IS NULL GROUP BY folder_id"
)


@dataclass(frozen=True, slots=True)
class Folder:
    """`retention_days`: how long its sessions are kept unused; 0: for ever; None: as it is for
    the folder that it lies in, else for everything."""

    id: int
    name: str
    parent_id: int | None
    retention_days: int | None
    created_at: datetime


def all_of(conn: Connection) -> Mapping[int, Folder]:
    """Every folder by its id, in the order of their names."""
    rows = conn.execute(select(folders).order_by(folders.c.name, folders.c.id))
    return {row.id: Folder(**row._asdict()) for row in rows}


def get(conn: Connection, folder_id: int) -> Folder:
    """The folder. Raises NotFound `folder_not_found`."""
    row = conn.execute(select(folders).where(folders.c.id == folder_id)).one_or_none()
    if row is None:
        raise missing(folder_id)
    return Folder(**row._asdict())


def missing(folder_id: int) -> NotFound:
    """The error of a folder that is not there."""
    return NotFound(
        f"there is no folder {folder_id}: GET /folders lists those that exist",
        code="folder_not_found",
    )


def create(conn: Connection, values: Mapping[str, Any], at: datetime) -> int:
    """A new folder with these columns; its id."""
    statement = insert(folders).values(**values, created_at=at).returning(folders.c.id)
    return int(conn.execute(statement).scalar_one())


def change(conn: Connection, folder_id: int, values: Mapping[str, Any]) -> None:
    """Set some columns of a folder."""
    conn.execute(update(folders).where(folders.c.id == folder_id).values(**values))


def remove(conn: Connection, ids: Collection[int]) -> None:
    """Folders; what lies in one, lies in none."""
    conn.execute(delete(folders).where(folders.c.id.in_(ids)))


def counts(conn: Connection) -> Mapping[int, int]:
    """How many sessions are in each folder that has any, the trash left out."""
    return dict(run(conn, _COUNTS))


def inside(conn: Connection, folder_id: int, most: int) -> list[int]:
    """At most `most` of the sessions in a folder, the trash left out."""
    return [int(one) for (one,) in run(conn, _INSIDE, (folder_id, most))]


def take_out(conn: Connection, folder_id: int, most: int) -> int:
    """Take at most `most` sessions out of a folder; how many those were."""
    return driver(conn).execute(_TAKE_OUT, (folder_id, most)).rowcount
