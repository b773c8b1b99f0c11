"""A session is copied, whole or up to a message, without holding up those who chat meanwhile.

read which ─▶ make the copy, unseen ─▶ [ read some ─▶ write some ] … ─▶ show it

The writer serves everybody between two steps. A tree only grows, so what is read later is what was
there at first; an answer that is being made is copied as far as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ..domain import Message, Session
from ..errors import LiteError, NotFound
from ..store import copies as rows
from ..store import messages
from ..store.database import Database
from .keeping import remove_condemned

READ_GROUP = 500  # messages that are read together
WRITE_GROUP = 100  # messages that are written in one transaction …
WRITE_CHARS = 256 * 1024  # … or as many as have so much text, at least one


@dataclass(frozen=True, slots=True)
class Source:
    """What to copy: all branches of a session, or the way up to a message. `title` None: the
    session's own."""

    session_id: int
    title: str | None = None
    upto_id: int | None = None


async def copied(database: Database, source: Source, at: datetime) -> Session:
    """The copy. Raises NotFound `session_not_found` or `message_not_found`, also if the session is
    deleted meanwhile."""
    plan = await database.read(lambda conn: rows.plan(conn, source.session_id, source.upto_id))
    wanted = source.session_id, source.title, source.upto_id
    copy_id = await database.write(lambda conn: rows.begin(conn, *wanted, at))
    whole: Session | None = None
    try:
        ids = await _copy(database, source.session_id, copy_id, plan.ids)
        leaf_id = None if plan.leaf_id is None else ids[plan.leaf_id]
        whole = await database.write(lambda conn: rows.finish(conn, copy_id, leaf_id))
    finally:
        if whole is None:
            with suppress(LiteError):
                await database.write(lambda conn: rows.give_up(conn, copy_id))
                await remove_condemned(database)
    return whole


async def _copy(
    database: Database, session_id: int, copy_id: int, ids: Sequence[int]
) -> Mapping[int, int]:
    """All copies by what they are copies of."""
    done: dict[int, int] = {}
    for start in range(0, len(ids), READ_GROUP):
        wanted = ids[start : start + READ_GROUP]
        found = await database.read(partial(messages.some, ids=wanted))
        if len(found) < len(wanted):
            raise NotFound(
                f"session {session_id} was deleted while it was copied", code="session_not_found"
            )
        for some in _groups(found):
            done |= await database.write(
                partial(rows.append, copy_id=copy_id, some=some, before=done)
            )
    return done


def _groups(found: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """In their order, as many together as one transaction may write."""
    group: list[Message] = []
    chars = 0
    for one in found:
        size = len(one.content) + len(one.reasoning or "")
        if group and (len(group) == WRITE_GROUP or chars + size > WRITE_CHARS):
            yield group
            group, chars = [], 0
        group.append(one)
        chars += size
    if group:
        yield group
