"""A session is copied row by row: what is copied, into what, and what it becomes.

    plan ─▶ begin ─▶ append ─▶ append ─▶ … ─▶ finish
            not shown, until it is whole       in the list

An answer's copy has no generation: who made it stands in its origin, and its tokens are counted
once, where they were spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from ..domain import LIVE, Message, Origin, Session
from ..stamps import generation_id
from . import branches, messages, sessions
from .bare import run
from .codec import moment_to_text
from .messages import Place
from .trash import GONE

COPYING = datetime(9999, 2, 1, tzinfo=UTC)  # `deleted_at` of a copy that is not whole yet

_ALL = "SELECT id FROM chat_messages WHERE session_id = ? ORDER BY id"
_WAY = (
    "WITH RECURSIVE path (id, parent_id) AS ("
    "SELECT id, parent_id FROM chat_messages WHERE id = ? UNION ALL"
    " SELECT up.id, up.parent_id FROM path JOIN chat_messages AS up ON up.id = path.parent_id)"
    " SELECT id FROM path ORDER BY id"
)
_BEGIN = (
    "INSERT INTO chat_sessions (title, title_by, provider, model, created_at, updated_at, uid,"
    " folder_id, system_prompt, options, preset_id, preset_version, forked_from, deleted_at)"
    " SELECT coalesce(?1, title), iif(?1 IS NULL, title_by, 'person'), provider, model, ?2, ?2, ?3,"
    " folder_id, system_prompt, options, preset_id, preset_version, ?4, ?5"
    " FROM chat_sessions WHERE id = ?6 RETURNING id"
)
_TAGS = (
    "INSERT INTO session_tags (session_id, tag)"
    " SELECT ?, tag FROM session_tags WHERE session_id = ?"
)
_FINISH = "UPDATE chat_sessions SET leaf_id = ?, deleted_at = NULL WHERE id = ? AND deleted_at = ?"
_GIVE_UP = "UPDATE chat_sessions SET deleted_at = ? WHERE deleted_at = ?"


class Plan(NamedTuple):
    """Which messages are copied, parents first, and which of them is the leaf."""

    ids: Sequence[int]
    leaf_id: int | None


def plan(conn: Connection, session_id: int, upto_id: int | None) -> Plan:
    """The whole tree, or the way up to a message. Raises NotFound."""
    session = sessions.get(conn, session_id)
    if upto_id is None:
        return Plan([one for (one,) in run(conn, _ALL, (session_id,))], session.leaf_id)
    end = branches.of_session(conn, session_id, upto_id)
    return Plan([one for (one,) in run(conn, _WAY, (end.id,))], end.id)


def begin(
    conn: Connection, session_id: int, title: str | None, forked_from: int | None, at: datetime
) -> int:
    """An empty session like another one, not shown; its id. Raises NotFound."""
    sessions.get(conn, session_id)
    marks = generation_id(), forked_from, moment_to_text(COPYING)
    [(copy_id,)] = run(conn, _BEGIN, (title, moment_to_text(at), *marks, session_id))
    run(conn, _TAGS, (copy_id, session_id))
    return int(copy_id)


def append(
    conn: Connection, copy_id: int, some: Sequence[Message], before: Mapping[int, int]
) -> Mapping[int, int]:
    """The copies of some messages by what they are copies of. Their parents are among them or were
    copied `before`."""
    done: dict[int, int] = {}
    for one in some:
        parent_id = one.parent_id
        if parent_id is not None:
            parent_id = done.get(parent_id) or before[parent_id]
        new = messages.New(
            one.role,
            one.content,
            one.parts,
            one.call_id,
            reasoning=one.reasoning,
            origin=_origin(one),
        )
        place = Place(copy_id, parent_id, one.depth - 1)
        done[one.id] = messages.append(conn, place, new, one.created_at).id
    return done


def finish(conn: Connection, copy_id: int, leaf_id: int | None) -> Session:
    """Show the copy, which is whole."""
    run(conn, _FINISH, (leaf_id, copy_id, moment_to_text(COPYING)))
    return sessions.get(conn, copy_id)


def give_up(conn: Connection, copy_id: int | None = None) -> None:
    """A copy that will never be whole, or all of them (None), is condemned: see trash.py."""
    gone, making = moment_to_text(GONE), moment_to_text(COPYING)
    if copy_id is None:
        run(conn, _GIVE_UP, (gone, making))
    else:
        run(conn, f"{_GIVE_UP} AND id = ?", (gone, making, copy_id))


def _origin(message: Message) -> Origin | None:
    """What is known of an answer's making; of one that was being made, that it was cut here."""
    if message.role != "assistant":
        return None
    status = "interrupted" if message.status in LIVE else message.status
    origin = Origin(
        message.provider,
        message.model,
        status,
        message.finish_reason,
        message.usage,
        message.fault,
    )
    return None if origin == Origin() else origin
