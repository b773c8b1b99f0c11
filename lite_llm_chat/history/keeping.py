"""How long sessions are kept: by their folder or by default, and in the trash.

    default, folders ─▶ Periods ─▶ before: the moment from which on a session is kept
                                        └ older ones that are not pinned ─▶ trash

A folder without a period of its own has that of the folder it lies in.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..store import folders, trash
from ..store.database import Connection, Database
from .places import path_to

STEP = 200  # sessions that are put into the trash in one transaction


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long sessions are kept unused (None: for ever), and in the trash (0: not at all)."""

    unused: timedelta | None = None
    in_trash: timedelta = timedelta(days=30)

    @classmethod
    def of_days(cls, unused: int | None, in_trash: int) -> Keeping:
        """The same, in days."""
        kept = None if unused is None else timedelta(days=unused)
        return cls(kept, timedelta(days=in_trash))


def period(conn: Connection, folder_id: int | None, keeping: Keeping) -> timedelta | None:
    """How long the sessions of a folder (None: of none) are kept unused; None: for ever."""
    for folder in path_to(folders.all_of(conn), folder_id):
        if folder.retention_days is not None:
            return timedelta(days=folder.retention_days) if folder.retention_days else None
    return keeping.unused


async def retire(database: Database, at: datetime, keeping: Keeping) -> int:
    """Put what was not used for so long into the trash; how many sessions that were. Pinned ones
    and those that are being answered stay."""
    places = await database.read(lambda conn: (None, *folders.all_of(conn)))
    return sum([await _retire_in(database, one, at, keeping) for one in places])


async def _retire_in(
    database: Database, folder_id: int | None, at: datetime, keeping: Keeping
) -> int:
    def work(conn: Connection) -> int:
        if folder_id is not None and folder_id not in folders.all_of(conn):
            return 0
        kept = period(conn, folder_id, keeping)
        if kept is None:
            return 0
        return len(trash.put(conn, trash.unused(conn, folder_id, at - kept, STEP), at))

    total = 0
    while moved := await database.write(work):
        total += moved
    return total


async def expire(database: Database, at: datetime, keeping: Keeping) -> int:
    """Remove what has been in the trash for long enough, and what was condemned before; how many
    sessions ran out of their time."""

    def work(conn: Connection) -> Collection[int]:
        return trash.condemn(conn, trash.lying(conn, at - keeping.in_trash, STEP))

    total = 0
    while condemned := await database.write(work):
        total += len(condemned)
    await remove_condemned(database)
    return total


async def remove_condemned(database: Database) -> None:
    """Remove the rows of what is condemned, in steps."""
    while await database.write(trash.step):
        pass
