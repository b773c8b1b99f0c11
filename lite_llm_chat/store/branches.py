"""Reading the tree of a session without walking all of it: pages, siblings, outlines.

    1 ── 2 ── 3 ── 4 ── 5 ── 6 ◀ leaf        before(5, 2) = 3 4      after(leaf, 2, 2) = 3 4
              └─ 7 ── 8                      siblings of 3: 3, 7     below(7) = 8

A page costs what it shows, wherever in the branch it is; only the page after a message counts its
way back from the leaf, inside the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection

from ..domain import LIVE, Message, Role, Session, Status
from ..errors import Conflict, NotFound
from . import messages
from .bare import run
from .codec import text_to_moment

PREVIEW = 80  # characters of a message in an outline

_BELOW = (
    "WITH RECURSIVE below (id) AS (SELECT ? UNION ALL SELECT child.id FROM below"
    " JOIN chat_messages AS child ON child.parent_id = below.id) SELECT max(id) FROM below"
)
_BACK_TO = (
    "WITH RECURSIVE path (id, parent_id, depth) AS ("
    "SELECT id, parent_id, depth FROM chat_messages WHERE id = ? UNION ALL"
    " SELECT up.id, up.parent_id, up.depth FROM path"
    " JOIN chat_messages AS up ON up.id = path.parent_id WHERE path.depth > ?)"
    " SELECT id, depth FROM path WHERE depth = ? OR depth <= ? ORDER BY depth"
)
_COUNT = "SELECT count(*) FROM chat_messages WHERE session_id = ?"
_CHILDREN = (
    "SELECT parent_id, id FROM chat_messages"
    " WHERE parent_id IN (SELECT value FROM json_each(?)) ORDER BY parent_id, id"
)
# The sign keeps the database from looking through the roots of all sessions.
_ROOTS = (
    "SELECT parent_id, id FROM chat_messages"
    " WHERE session_id = ? AND +parent_id IS NULL ORDER BY id"
)
_OUTLINE = (
    "SELECT m.id, m.parent_id, m.role,"
    " coalesce(g.status, json_extract(m.origin, '$.status'), 'completed'),"
    " coalesce(g.provider, json_extract(m.origin, '$.provider')),"
    " coalesce(g.model, json_extract(m.origin, '$.model')),"
    f" substr(m.content, 1, {PREVIEW}), m.created_at"
    " FROM chat_messages AS m LEFT JOIN generations AS g ON g.id = m.generation_id"
    " WHERE m.session_id = ? AND m.id > ? ORDER BY m.id LIMIT ?"
)


class Outline(NamedTuple):
    """A message as a drawing of the tree shows it: `preview` is how it begins."""

    id: int
    parent_id: int | None
    role: Role
    status: Status
    provider: str | None
    model: str | None
    preview: str
    created_at: datetime


def of_session(conn: Connection, session_id: int, message_id: int) -> Message:
    """A message of this session. Raises NotFound `message_not_found`."""
    message = messages.get(conn, message_id)
    if message.session_id != session_id:
        raise NotFound(
            f"session {session_id} has no message {message_id}", code="message_not_found"
        )
    return message


def below(conn: Connection, message_id: int) -> int:
    """The newest message of those that go on from this one; itself if nothing does. It is a leaf:
    what goes on from a message is newer than that."""
    [(newest,)] = run(conn, _BELOW, (message_id,))
    return int(newest)


def after(conn: Connection, leaf_id: int, message: Message, most: int) -> Sequence[Message]:
    """The first messages behind one on the way to a leaf, oldest first. Raises Conflict
    `not_on_branch`."""
    last = messages.get(conn, leaf_id)
    end = min(message.depth + most, last.depth)
    rows = run(conn, _BACK_TO, (leaf_id, message.depth, end, message.depth))
    if not rows or rows[0] != (message.id, message.depth):
        raise Conflict(
            f"message {message.id} is not on the branch that ends in {leaf_id}: page through a"
            " branch that has it, with leaf",
            code="not_on_branch",
        )
    if end == message.depth:
        return []
    return messages.branch(conn, rows[-1][0], end - message.depth)


def active(
    conn: Connection, session: Session
) -> tuple[Sequence[Message], Mapping[int, Sequence[int]]]:
    """The active branch of a session, oldest first, and its `siblings`."""
    if _never_branched(conn, session):
        return messages.whole(conn, session.id), {}
    branch = messages.branch(conn, session.leaf_id)
    return branch, _beside(conn, session, branch)


def siblings(
    conn: Connection, session: Session, shown: Sequence[Message]
) -> Mapping[int, Sequence[int]]:
    """The messages beside each of some messages, itself among them, in the order in which they
    were made; nothing for those that are alone. Messages that all are the one branch of their
    session cost one look at an index."""
    if not shown or _never_branched(conn, session):
        return {}
    return _beside(conn, session, shown)


def _never_branched(conn: Connection, session: Session) -> bool:
    """Whether all messages of a session are its active branch."""
    return run(conn, _COUNT, (session.id,)) == [(session.message_count,)]


def _beside(
    conn: Connection, session: Session, shown: Sequence[Message]
) -> Mapping[int, Sequence[int]]:
    parents = [one.parent_id for one in shown if one.parent_id is not None]
    rows = run(conn, _CHILDREN, (json.dumps(parents),))
    if len(parents) < len(shown):
        rows += run(conn, _ROOTS, (session.id,))
    beside: dict[int, Sequence[int]] = {}
    for _, children in groupby(rows, itemgetter(0)):
        ids = [child for _, child in children]
        if len(ids) > 1:
            beside |= dict.fromkeys(ids, ids)
    return beside


def beside(conn: Connection, answer: Message) -> Sequence[int] | None:
    """The answers to the same question, this one among them; None if it is alone."""
    ids = [child for _, child in run(conn, _CHILDREN, (json.dumps([answer.parent_id]),))]
    return ids if len(ids) > 1 else None


def outline(conn: Connection, session_id: int, after_id: int, most: int) -> Sequence[Outline]:
    """The messages of all branches behind an id, oldest first. An answer in the making begins
    with what it says so far."""
    rows = run(conn, _OUTLINE, (session_id, after_id, most))
    found = [Outline._make((*row[:7], text_to_moment(row[7]))) for row in rows]
    return [_so_far(conn, one) if one.status in LIVE else one for one in found]


def _so_far(conn: Connection, one: Outline) -> Outline:
    return one._replace(preview=messages.get(conn, one.id).content[:PREVIEW])
