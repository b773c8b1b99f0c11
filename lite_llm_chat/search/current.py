"""An index that knows everything that was committed before it is asked.

Words are learned behind the answers (upkeep.py). Who searches does not wait for that:

    database.read(work) ─▶ nothing waits to be learned ─▶ the result
           │ something does                                 ▲
           └─▶ learned, in a few small transactions ─▶ read ┘
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeVar

from ..errors import IndexDamaged, StorageUnavailable
from ..store import search
from ..store.database import Connection, Database

T = TypeVar("T")

STEPS = 16  # of learning that somebody waits for: some 100 ms


async def learn(database: Database, most: float = inf) -> None:
    """Teach the index what waits, in at most so many transactions. Raises IndexDamaged, or
    StorageUnavailable."""
    while most > 0 and await database.write(search.settle):
        most -= 1


async def read(database: Database, work: Callable[[Connection], T]) -> T:
    """The result of a function that only reads, once the index knows what was committed before.
    After very much at once, or where the disk takes nothing, the rest is found later. A damaged
    index is begun anew. Raises what the function raises, or StorageUnavailable."""

    def at_once(conn: Connection) -> tuple[T] | None:
        return None if search.waits(conn) else (work(conn),)

    try:
        found = await database.read(at_once)
        if found is not None:
            return found[0]
        await _learn_what_can_be(database)
        return await database.read(work)
    except IndexDamaged:
        await database.write(search.mend)
        return await database.read(work)


async def _learn_what_can_be(database: Database) -> None:
    try:
        await learn(database, STEPS)
    except IndexDamaged:
        raise
    except StorageUnavailable:
        pass
