"""Generations and their logs: the rows that every promise stands on.

    open ──▶ append ──▶ append ──▶ end          one writer, numbered without a hole
      │ seq 1   │ 2…k      │ …       │ n, and the message's text, in one transaction
      └─────────┴──────────┴─────────┴──▶ read_events(after), for readers that are late

`append` is the hot path: one `executemany` for all running generations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, update

from ..domain import Body, Ended, Event, Generation, Rerouted, Usage, fold
from ..errors import NotFound
from . import messages as message_rows
from . import sessions as session_rows
from .bare import driver, first, run, run_many
from .codec import (
    body_to_row,
    ended_to_text,
    moment_to_text,
    options_to_text,
    row_to_body,
    strings_to_text,
    text_to_ended,
    text_to_moment,
    text_to_options,
    text_to_strings,
)
from .estimate import estimate
from .tables import events, generations

EVENT_PAGE = 500  # rows of a log read at a time …
EVENT_PAGE_CHARS = 16 * 1024  # … or as many as have so much text, at least one

_LIVE = "status IN ('queued', 'running')"
_GENERATIONS = (
    "SELECT id, session_id, message_id, provider, model, status, options, created_at, warnings,"
    " last_seq, first_piece_at, ended_at, ended, cancel_requested, logged, waiting,"
    " slot FROM generations"
)
_ONE = (
    f"{_GENERATIONS} AS g WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chat_sessions AS s"
    " WHERE s.id = g.session_id AND s.deleted_at IS NOT NULL)"
)
_LIVE_IN = f"{_GENERATIONS} WHERE session_id = ? AND {_LIVE} ORDER BY slot"
# A question's answers were appended one behind the other: only theirs is so far from the first.
_BESIDE = (
    f"{_GENERATIONS} WHERE message_id > ? AND session_id = ? AND slot > 0"
    " AND slot = message_id - ? ORDER BY slot"
)
_ALL_LIVE = f"{_GENERATIONS} WHERE {_LIVE} ORDER BY id"
_OPEN = (
    "INSERT INTO generations (id, session_id, message_id, provider, model, status, options,"
    " warnings, last_seq, created_at, slot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OPENED = f"SELECT 1 FROM generations WHERE id = ? AND last_seq = ? AND {_LIVE}"
_APPEND = "INSERT INTO events (generation_id, seq, kind, data) VALUES (?, ?, ?, ?)"
_BEGIN = (
    "UPDATE generations SET status = 'running', first_piece_at = ?"
    " WHERE id = ? AND status = 'queued'"
)
_END = (
    "UPDATE generations SET status = ?, ended = ?, ended_at = ?, last_seq = ?, waiting = 0,"
    " input_tokens = ?, cached_tokens = ?, output_tokens = ?, reasoning_tokens = ?, estimated = ?"
    f" WHERE id = ? AND {_LIVE} RETURNING message_id, session_id"
)
_REROUTE = "UPDATE generations SET provider = ?, model = ? WHERE id = ?"
_WARN = "UPDATE generations SET warnings = ? WHERE id = ?"
_WAIT = f"UPDATE generations SET waiting = ? WHERE id = ? AND {_LIVE}"
_CANCEL = f"UPDATE generations SET cancel_requested = 1 WHERE id = ? AND {_LIVE}"
_READ = (
    "SELECT seq, kind, data FROM events WHERE generation_id = ? AND seq > ? ORDER BY seq LIMIT ?"
)
_LOG = "SELECT kind, data FROM events WHERE generation_id = ? ORDER BY seq"
_LAST = "SELECT coalesce(max(seq), 0) FROM events WHERE generation_id = ?"


class Ending(NamedTuple):
    """All that the end of a generation writes besides its last event. `followed`: somebody has
    read it as it came."""

    generation_id: str
    seq: int
    ended: Ended
    at: datetime
    followed: bool = False


def _generation(row: Any) -> Generation:
    id_, session_id, message_id, provider, model, status, options, created, warnings, *rest = row
    last_seq, first_piece, end_at, ended, cancel_requested, logged, waiting, slot = rest
    return Generation(
        id_,
        session_id,
        message_id,
        provider,
        model,
        status,
        text_to_options(options),
        text_to_moment(created),
        text_to_strings(warnings),
        last_seq,
        first_piece and text_to_moment(first_piece),
        end_at and text_to_moment(end_at),
        text_to_ended(ended),
        bool(cancel_requested),
        bool(logged),
        bool(waiting),
        slot,
    )


def get(conn: Connection, generation_id: str) -> Generation:
    """The generation. Raises NotFound `generation_not_found`."""
    row = first(conn, _ONE, (generation_id,))
    if row is None:
        raise NotFound(f"there is no generation {generation_id}", code="generation_not_found")
    return _generation(row)


def live_in(conn: Connection, session_id: int) -> Generation | None:
    """The session's live generation, if it has one: of several the one of the first slot."""
    live = all_in(conn, session_id)
    return live[0] if live else None


def all_in(conn: Connection, session_id: int) -> Sequence[Generation]:
    """The live generations of a session, by their slots."""
    return [_generation(row) for row in run(conn, _LIVE_IN, (session_id,))]


def beside(conn: Connection, found: Generation) -> Sequence[Generation]:
    """The generations of the other models that the question of slot 0 was put to, by their
    slots."""
    values = found.message_id, found.session_id, found.message_id
    return [_generation(row) for row in run(conn, _BESIDE, values)]


def all_live(conn: Connection) -> Sequence[Generation]:
    """Every live generation, oldest first."""
    return [_generation(row) for row in run(conn, _ALL_LIVE)]


def open_log(conn: Connection, generation: Generation, opening: Sequence[Event]) -> None:
    """A new generation with its first events, from number 1. The row's partial unique index
    refuses a second live one in the same slot of a session."""
    run(
        conn,
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
            generation.slot,
        ),
    )
    append(conn, opening)


def opened_with(conn: Connection, generation_id: str, count: int) -> bool:
    """Whether a log was opened with so many events and has not ended."""
    row = first(conn, _OPENED, (generation_id, count))
    return row is not None


def append(conn: Connection, new: Sequence[Event]) -> None:
    """Store events; the primary key refuses a number that is taken."""
    rows = [(event.generation_id, event.seq, *body_to_row(event.body)) for event in new]
    run_many(conn, _APPEND, rows)


def begin(conn: Connection, generation_id: str, at: datetime) -> None:
    """Mark a queued generation as running: its first piece is in this transaction."""
    run(conn, _BEGIN, (moment_to_text(at), generation_id))


def stand(
    conn: Connection,
    generation_id: str,
    begins_at: datetime | None,
    ending: Ending | None,
    *,
    waiting: bool | None,
) -> None:
    """What new events say of how a generation stands; None where they say nothing."""
    if begins_at is not None:
        begin(conn, generation_id, begins_at)
    if waiting is not None:
        wait(conn, generation_id, waiting=waiting)
    if ending is not None:
        end(conn, ending)


def end(conn: Connection, ending: Ending) -> None:
    """Leave `queued` or `running`, once: the last event, the message's whole text, the tokens, the
    session's `updated_at` and whether it is unread, who answered if that was somebody else, what
    the answer's making brought in warnings. A generation that is gone (its session was deleted) is
    passed over."""
    ended = ending.ended
    values = ended.status, ended_to_text(ended), moment_to_text(ending.at), ending.seq
    left = first(conn, _END, (*values, *_counts(ended.usage), ending.generation_id))
    if left is None:
        return
    message_id, session_id = left
    append(conn, [Event(ending.generation_id, ending.seq, ended)])
    answer = fold(bodies(conn, ending.generation_id))
    message_rows.finish(conn, message_id, answer)
    if answer.rerouted is not None:
        _reroute(conn, ending.generation_id, answer.rerouted)
    if ended.warnings:
        _warn(conn, ending.generation_id, ended.warnings)
    unread = not ending.followed and ended.status != "cancelled"  # who stopped it knows it
    session_rows.answered(conn, session_id, ending.at, unread=unread)


def _counts(usage: Usage | None) -> tuple[int | None, int | None, int | None, int | None, bool]:
    if usage is None:
        return None, None, None, None, False
    return usage.input, usage.cached, usage.output, usage.reasoning, usage.estimated


def _reroute(conn: Connection, generation_id: str, to: Rerouted) -> None:
    run(conn, _REROUTE, (to.provider, to.model, generation_id))
    _warn(conn, generation_id, (to.reason, *to.warnings))


def _warn(conn: Connection, generation_id: str, more: tuple[str, ...]) -> None:
    warnings = (*get(conn, generation_id).warnings, *more)
    run(conn, _WARN, (strings_to_text(warnings), generation_id))


def wait(conn: Connection, generation_id: str, *, waiting: bool) -> None:
    """Whether a live generation waits for a person; a terminal one is left as it is."""
    run(conn, _WAIT, (waiting, generation_id))


def end_now(conn: Connection, generation_id: str, ended: Ended, at: datetime) -> None:
    """End a log that nobody writes any more, after whatever it holds. Its tokens are estimated
    from that, for who would have counted them is gone."""
    usage = estimate(conn, generation_id, fold(bodies(conn, generation_id)))
    ended = replace(ended, usage=usage)
    end(conn, Ending(generation_id, last_seq(conn, generation_id) + 1, ended, at))


def request_cancel(conn: Connection, generation_id: str) -> None:
    """Make the wish to stop durable; a terminal generation is left as it is."""
    run(conn, _CANCEL, (generation_id,))


def read_events(conn: Connection, generation_id: str, after: int) -> Sequence[Event]:
    """The next events after number `after`, in order: a page, so that a reader who takes little
    costs little. Empty only at the end."""
    page: list[Event] = []
    size = 0
    for seq, kind, data in driver(conn).execute(_READ, (generation_id, after, EVENT_PAGE)):
        page.append(Event(generation_id, seq, row_to_body(kind, data)))
        size += len(data)
        if size >= EVENT_PAGE_CHARS:
            break
    return page


def bodies(conn: Connection, generation_id: str) -> list[Body]:
    """The whole log."""
    return [row_to_body(kind, data) for kind, data in run(conn, _LOG, (generation_id,))]


def last_seq(conn: Connection, generation_id: str) -> int:
    """The number of the last stored event, 0 for none."""
    [(seq,)] = run(conn, _LAST, (generation_id,))
    return int(seq)


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
