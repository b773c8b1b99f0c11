"""Generations and their logs: the rows that every promise stands on.

    open ──▶ append ──▶ append ──▶ end          one writer, numbered without a hole
      │ seq 1   │ 2…k      │ …       │ n, and the message's text, in one transaction
      └─────────┴──────────┴─────────┴──▶ read_events(after), for readers that are late

`append` is the hot path: bare SQL, one `executemany` for all running generations.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from ..domain import LIVE, Body, Ended, Event, Generation, fold
from ..errors import NotFound
from . import messages as message_rows
from .codec import (
    body_to_row,
    ended_to_text,
    moment_to_text,
    options_to_text,
    row_to_body,
    strings_to_text,
    text_to_ended,
    text_to_options,
    text_to_strings,
)
from .tables import events, generations, sessions

EVENT_PAGE = 500  # rows of a log read at a time


_IS_LIVE = generations.c.status.in_(LIVE)
_ONE = select(generations).where(generations.c.id == bindparam("generation_id"))
_LIVE_IN = select(generations).where(generations.c.session_id == bindparam("session_id"), _IS_LIVE)
_OPEN = (
    "INSERT INTO generations (id, session_id, message_id, provider, model, status, options,"
    " warnings, last_seq, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_BEGIN = (
    "UPDATE generations SET status = 'running', first_piece_at = ?"
    " WHERE id = ? AND status = 'queued'"
)
_END = (
    update(generations)
    .where(generations.c.id == bindparam("generation_id"), _IS_LIVE)
    .values({name: bindparam(name) for name in ("status", "ended", "ended_at", "last_seq")})
    .returning(generations.c.message_id, generations.c.session_id)
)
_TOUCH = update(sessions).where(sessions.c.id == bindparam("session_id"))
_LOG = (
    select(events.c.kind, events.c.data)
    .where(events.c.generation_id == bindparam("generation_id"))
    .order_by(events.c.seq)
)


class Ending(NamedTuple):
    """All that the end of a generation writes besides its last event."""

    generation_id: str
    seq: int
    ended: Ended
    at: datetime


def _generation(row: Row[tuple[object, ...]]) -> Generation:
    values = row._asdict()
    values["options"] = text_to_options(values["options"])
    values["warnings"] = text_to_strings(values["warnings"])
    values["ended"] = text_to_ended(values["ended"])
    return Generation(**values)


def get(conn: Connection, generation_id: str) -> Generation:
    """The generation. Raises NotFound `generation_not_found`."""
    row = conn.execute(_ONE, {"generation_id": generation_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no generation {generation_id}", code="generation_not_found")
    return _generation(row)


def live_in(conn: Connection, session_id: int) -> Generation | None:
    """The session's one live generation, if it has one."""
    row = conn.execute(_LIVE_IN, {"session_id": session_id}).one_or_none()
    return None if row is None else _generation(row)


def all_live(conn: Connection) -> Sequence[Generation]:
    """Every live generation, oldest first."""
    rows = conn.execute(select(generations).where(_IS_LIVE).order_by(generations.c.id))
    return [_generation(row) for row in rows]


def open_log(conn: Connection, generation: Generation, opening: Sequence[Event]) -> None:
    """A new generation with its first events, from number 1. The row's partial unique index
    refuses a second live one in the same session."""
    conn.exec_driver_sql(
        _OPEN,
        (
            generation.id,
            generation.session_id,
            generation.message_id,
            generation.provider,
            generation.model,
            generation.status,
            options_to_text(generation.options),
            strings_to_text(generation.warnings),
            len(opening),
            moment_to_text(generation.created_at),
        ),
    )
    append(conn, opening)


def append(conn: Connection, new: Sequence[Event]) -> None:
    """Store events; the primary key refuses a number that is taken."""
    conn.exec_driver_sql(
        "INSERT INTO events (generation_id, seq, kind, data) VALUES (?, ?, ?, ?)",
        [(event.generation_id, event.seq, *body_to_row(event.body)) for event in new],
    )


def begin(conn: Connection, generation_id: str, at: datetime) -> None:
    """Mark a queued generation as running: its first piece is in this transaction."""
    conn.exec_driver_sql(_BEGIN, (moment_to_text(at), generation_id))


def end(conn: Connection, ending: Ending) -> None:
    """Leave `queued` or `running`, once: the last event, the message's whole text, the session's
    `updated_at`. A generation that is gone (its session was deleted) is passed over."""
    values = {
        "generation_id": ending.generation_id,
        "status": ending.ended.status,
        "ended": ended_to_text(ending.ended),
        "ended_at": ending.at,
        "last_seq": ending.seq,
    }
    left = conn.execute(_END, values).one_or_none()
    if left is None:
        return
    append(conn, [Event(ending.generation_id, ending.seq, ending.ended)])
    answer = fold(bodies(conn, ending.generation_id))
    message_rows.finish(conn, left.message_id, answer.text, answer.reasoning)
    conn.execute(_TOUCH, {"session_id": left.session_id, "updated_at": ending.at})


def request_cancel(conn: Connection, generation_id: str) -> None:
    """Make the wish to stop durable; a terminal generation is left as it is."""
    conn.execute(
        update(generations)
        .where(generations.c.id == generation_id, _IS_LIVE)
        .values(cancel_requested=True)
    )


def read_events(conn: Connection, generation_id: str, after: int) -> Sequence[Event]:
    """The next events after number `after`, in order, at most EVENT_PAGE of them."""
    rows = conn.exec_driver_sql(
        "SELECT seq, kind, data FROM events WHERE generation_id = ? AND seq > ?"
        " ORDER BY seq LIMIT ?",
        (generation_id, after, EVENT_PAGE),
    )
    return [Event(generation_id, seq, row_to_body(kind, data)) for seq, kind, data in rows]


def bodies(conn: Connection, generation_id: str) -> list[Body]:
    """The whole log."""
    rows = conn.execute(_LOG, {"generation_id": generation_id})
    return [row_to_body(kind, data) for kind, data in rows]


def last_seq(conn: Connection, generation_id: str) -> int:
    """The number of the last stored event of a live generation."""
    row = conn.exec_driver_sql(
        "SELECT max(seq) FROM events WHERE generation_id = ?", (generation_id,)
    ).scalar_one()
    return int(row or 0)


def prune(conn: Connection, ended_before: datetime, most: int) -> int:
    """Drop the events of at most `most` generations that ended before a moment; how many there
    were. Their messages keep the text; a late reader gets one snapshot."""
    ids = conn.execute(
        select(generations.c.id)
        .where(generations.c.logged, generations.c.ended_at < ended_before)
        .limit(most)
    ).scalars()
    chosen = list(ids)
    if chosen:
        conn.execute(delete(events).where(events.c.generation_id.in_(chosen)))
        conn.execute(update(generations).where(generations.c.id.in_(chosen)).values(logged=False))
    return len(chosen)
