"""Hits of the index of words, newest first, a window at a time; and what they have to be.

    search_index ─▶ the newest SCAN rows that match ─▶ those that are wanted ─▶ at most WINDOW hits

Both bounds are there for common words: a word of half of all messages has as many hits. A window
says how far down it looked; the next one goes on below. Messages are counted down by their ids,
titles by those of their sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from ..domain import Role
from .bare import driver, run
from .codec import moment_to_text, text_to_moment
from .search import seen_text

WINDOW = 200  # hits that are ranked together
SCAN = 2000  # rows of the index that are looked at for a window
MOST_WORDS = 100  # sessions that are named to the index; more are looked at row by row
COMMON = 1000  # messages with a word; beyond that nobody counts

Kind = Literal["message", "title"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a hit has to be. Moments: `after` is included, `before` is not. A folder stands for all
    that is below it too; every tag is needed. `model` and `provider` are those that made an answer,
    and of everything else those of its session."""

    session_id: int | None = None
    folder_id: int | None = None
    tags: tuple[str, ...] = ()
    provider: str | None = None
    model: str | None = None
    role: Role | None = None
    after: datetime | None = None
    before: datetime | None = None
    archived: bool | None = False  # None: either


class Stretch(NamedTuple):
    """Ids from `top` down to `bottom`, both included."""

    top: int
    bottom: int = 1


class Hit(NamedTuple):
    """A message or a title that has what is sought. `id` is a message's, or a title's session's;
    the moment of a title is its session's last update."""

    kind: Kind
    id: int
    session_id: int
    role: Role | None
    at: datetime
    text: str


_FOLDER = (
    "s.folder_id IN (WITH RECURSIVE inside (id) AS (SELECT :folder_id UNION SELECT f.id"
    " FROM folders AS f JOIN inside ON f.parent_id = inside.id) SELECT id FROM inside)"
)
_PLACES = {
    "session_id": "s.id = :session_id",
    "folder_id": _FOLDER,
}
_OF_MESSAGES = {
    "provider": "coalesce(g.provider, m.origin ->> 'provider', s.provider) = :provider",
    "model": "coalesce(g.model, m.origin ->> 'model', s.model) = :model",
    "role": "m.role = :role",
    "after": "m.created_at >= :after",
    "before": "m.created_at < :before",
}
_OF_TITLES = {
    "provider": "s.provider = :provider",
    "model": "s.model = :model",
    "after": "s.updated_at >= :after",
    "before": "s.updated_at < :before",
}
# The inner part is a loop of its own, in its order, because it has a limit.
_ROWS = (
    "(SELECT rowid FROM search_index WHERE search_index MATCH :matching"
    " AND rowid BETWEEN :low AND :high ORDER BY rowid {order} LIMIT :scan)"
)
_MESSAGES = (
    f" FROM {_ROWS.format(order='DESC')} AS r CROSS JOIN chat_messages AS m ON m.id = r.rowid"
    " CROSS JOIN chat_sessions AS s ON s.id = m.session_id"
    " LEFT JOIN generations AS g ON g.id = m.generation_id WHERE s.deleted_at IS NULL"
)
_TITLES = (
    f" FROM {_ROWS.format(order='ASC')} AS r CROSS JOIN chat_sessions AS s ON s.id = -r.rowid"
    " WHERE s.deleted_at IS NULL"
)
_OF_MESSAGE = "SELECT m.id, m.session_id, m.role, m.created_at, m.content, m.parts"
_OF_TITLE = "SELECT s.id, s.id, NULL, s.updated_at, s.title, NULL"
_FROM = {"message": (_OF_MESSAGE, _MESSAGES), "title": (_OF_TITLE, _TITLES)}
_LAST = {
    "message": f"SELECT rowid FROM {_ROWS.format(order='DESC')} LIMIT 1 OFFSET :scan - 1",
    "title": f"SELECT -rowid FROM {_ROWS.format(order='ASC')} LIMIT 1 OFFSET :scan - 1",
}
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM search_index WHERE search_index MATCH ? LIMIT ?)"
_ON_BRANCH = (
    "WITH RECURSIVE path (id, parent_id, depth) AS ("
    " SELECT m.id, m.parent_id, m.depth FROM chat_sessions AS s JOIN chat_messages AS m"
    " ON m.id = s.leaf_id WHERE s.id = (SELECT session_id FROM chat_messages WHERE id = :id)"
    " UNION ALL SELECT up.id, up.parent_id, up.depth FROM path JOIN chat_messages AS up"
    " ON up.id = path.parent_id"
    " WHERE path.depth > (SELECT depth FROM chat_messages WHERE id = :id))"
    " SELECT 1 FROM path WHERE id = :id"
)


def hits(
    conn: Connection, kind: Kind, matching: str, wanted: Wanted, stretch: Stretch
) -> tuple[list[Hit], int]:
    """At most WINDOW hits of a stretch, newest first, and down to which id it was looked through:
    1 if there is nothing more."""
    columns, source = _FROM[kind]
    values = _values(kind, matching, wanted, stretch)
    rows = _all(conn, f"{columns}{source}{_where(kind, wanted)} LIMIT :window", values)
    found = [_hit(kind, row) for row in rows]
    if len(found) == WINDOW:
        return found, found[-1].id
    last = _all(conn, _LAST[kind], values)
    return found, last[0][0] if last else stretch.bottom


def count(conn: Connection, kind: Kind, matching: str, wanted: Wanted, stretch: Stretch) -> int:
    """How many hits there are in a stretch; at most SCAN rows are looked at."""
    source = _FROM[kind][1]
    values = _values(kind, matching, wanted, stretch)
    [(number,)] = _all(conn, f"SELECT count(*){source}{_where(kind, wanted)}", values)
    return int(number)


def newest(conn: Connection, kind: Kind) -> int:
    """The largest id that a hit may have now; 0 if there is none."""
    table = {"message": "chat_messages", "title": "chat_sessions"}[kind]
    [(largest,)] = run(conn, f"SELECT coalesce(max(id), 0) FROM {table}")
    return int(largest)


def few_sessions(conn: Connection, wanted: Wanted) -> Sequence[int] | None:
    """The sessions that a session, a folder or tags leave, if they are so few that the index can
    be told; else None."""
    conditions, values = _place(wanted)
    if not conditions:
        return None
    statement = f"SELECT s.id FROM chat_sessions AS s WHERE {' AND '.join(conditions)} LIMIT :few"
    found = _all(conn, statement, {**values, "few": MOST_WORDS + 1})
    return [row[0] for row in found] if len(found) <= MOST_WORDS else None


def frequency(conn: Connection, matching: str) -> int:
    """How many messages and titles match; COMMON for as many or more."""
    [(number,)] = run(conn, _COUNT, (matching, COMMON))
    return int(number)


def on_branch(conn: Connection, message_id: int) -> bool:
    """Whether a message is on its session's active branch."""
    return bool(_all(conn, _ON_BRANCH, {"id": message_id}))


def _all(conn: Connection, statement: str, values: Mapping[str, object]) -> list[Any]:
    return driver(conn).execute(statement, values).fetchall()


def _hit(kind: Kind, row: Any) -> Hit:
    id_, session_id, role, at, content, parts = row
    return Hit(kind, id_, session_id, role, text_to_moment(at), seen_text(content, parts))


def _where(kind: Kind, wanted: Wanted) -> str:
    table = _OF_MESSAGES if kind == "message" else _OF_TITLES
    conditions = [text for name, text in table.items() if getattr(wanted, name) is not None]
    if wanted.archived is not None:
        conditions.append(f"s.archived_at IS {'NOT ' * wanted.archived}NULL")
    conditions += _place(wanted)[0]
    return "".join(f" AND {one}" for one in conditions)


def _place(wanted: Wanted) -> tuple[list[str], dict[str, object]]:
    """Conditions of a session, and their values."""
    names = [name for name in _PLACES if getattr(wanted, name) is not None]
    values = {name: getattr(wanted, name) for name in names}
    conditions = [_PLACES[name] for name in names]
    for number, tag in enumerate(wanted.tags):
        values[f"tag{number}"] = tag
        conditions.append(
            f"EXISTS (SELECT 1 FROM session_tags WHERE session_id = s.id AND tag = :tag{number})"
        )
    return conditions, values


def _values(kind: Kind, matching: str, wanted: Wanted, stretch: Stretch) -> dict[str, object]:
    low, high = stretch.bottom, stretch.top
    if kind == "title":
        low, high = -high, -low
    given = {
        "matching": matching,
        "low": low,
        "high": high,
        "scan": SCAN,
        "window": WINDOW,
        "provider": wanted.provider,
        "model": wanted.model,
        "role": wanted.role,
        "after": wanted.after and moment_to_text(wanted.after),
        "before": wanted.before and moment_to_text(wanted.before),
    }
    return {**given, **_place(wanted)[1]}
