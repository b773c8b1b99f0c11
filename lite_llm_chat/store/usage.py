"""Sums of tokens, by SQL: of many rows a few groups, each paid at one price.

    generations that ended ─┐                (key, provider, model, hour, step)
    asides ─────────────────┼─ GROUP BY ─▶ Group, Group …
    answers of deleted      │
    sessions: asides too ───┘

A group is of one hour, for prices change at whole hours of UTC at most, and of one step: some
vendors ask more for all of a request once its input is longer than a bound. Inside a group all
requests are paid alike, so what its sum costs is the sum of what they cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import Connection

from .bare import run
from .codec import moment_to_text, text_to_moment

Table = Literal["generations", "deleted", "asides"]
By = Literal["day", "model", "provider", "session", "key", "all"]

# What rows are grouped by. What belonged to a session that was deleted is session 0's.
_KEYS: dict[By, str] = {
    "day": "substr(created_at, 1, 10)",
    "model": "provider || '/' || model",
    "provider": "provider",
    "session": "coalesce(session_id, 0)",
    "key": "caller",
    "all": "''",
}
# Of generations only those that ended: what a running one takes is not known yet.
_WITHIN = {
    "generations": "ended_at IS NOT NULL AND created_at >= ? AND created_at < ?",
    "deleted": "purpose = 'answer' AND created_at >= ? AND created_at < ?",
    "asides": "purpose <> 'answer' AND created_at >= ? AND created_at < ?",
}
_FROM = {"generations": "generations", "deleted": "asides", "asides": "asides"}
_SESSION = {
    "generations": "session_id",
    "deleted": "coalesce(session_id, 0)",
    "asides": "coalesce(session_id, 0)",
}
_SUMS = (
    "count(*), count(input_tokens), total(input_tokens), total(cached_tokens),"
    " total(output_tokens), total(reasoning_tokens), sum(estimated),"
    " total(estimated * (input_tokens + output_tokens)), coalesce(min(input_tokens), 0)"
)


class Period(msgspec.Struct, frozen=True):
    """From a moment up to but without another one."""

    start: datetime
    end: datetime

    def texts(self) -> tuple[str, str]:
        return moment_to_text(self.start), moment_to_text(self.end)


class Group(NamedTuple):
    """Requests that are paid alike. `counted` of them have tokens; `estimated` of these, with
    `estimated_tokens`, are our own count; `least_input` is the fewest input tokens of one."""

    key: str
    provider: str
    model: str
    hour: datetime
    requests: int
    counted: int
    input: int
    cached: int
    output: int
    reasoning: int
    estimated: int
    estimated_tokens: int
    least_input: int


class Cut(msgspec.Struct, frozen=True):
    """Which groups. `steps` are the bounds of input tokens at which any price changes; `sessions`
    are the first and the last that are wanted (None: all)."""

    by: By
    period: Period
    steps: tuple[int, ...] = ()
    sessions: tuple[int, int] | None = None


def sums(conn: Connection, table: Table, cut: Cut) -> list[Group]:
    """The groups of a table, in no order."""
    key, where, values = _KEYS[cut.by], _WITHIN[table], list[object](cut.period.texts())
    if cut.sessions is not None:
        session = _SESSION[table]
        where += f" AND {session} BETWEEN ? AND ?"
        values += cut.sessions
    select = (
        f"SELECT {key}, provider, model, substr(created_at, 1, 13) AS hour, {_SUMS}"
        f" FROM {_FROM[table]} WHERE {where}"
        f" GROUP BY hour, {key}, provider, model, {_step(cut.steps)}"
    )
    return [_group(*row) for row in run(conn, select, values)]


def _step(steps: Iterable[int]) -> str:
    """Which step a row is on, the lowest asked first: nearly all are there."""
    cases = "".join(f" WHEN input_tokens <= {one:d} THEN {one:d}" for one in sorted(steps))
    return f"CASE WHEN input_tokens IS NULL THEN 0{cases} ELSE -1 END"


def _group(key: object, provider: str, model: str, hour: str, *counts: float) -> Group:
    moment = text_to_moment(f"{hour}:00:00")
    return Group(str(key), provider, model, moment, *map(int, counts))


def sessions_after(conn: Connection, period: Period, after: int, most: int) -> list[int]:
    """The first `most` sessions, by id after one, that asked anything in a period."""
    values = (after, *period.texts(), most)
    found: set[int] = set()
    for table, where in _WITHIN.items():
        key = _SESSION[table]
        wanted = f"{key} > ? AND {where} ORDER BY 1 LIMIT ?"
        select = f"SELECT DISTINCT {key} FROM {_FROM[table]} WHERE {wanted}"
        found.update(session_id for (session_id,) in run(conn, select, values))
    return sorted(found)[:most]


_KEEP = (
    "INSERT INTO asides (session_id, purpose, provider, model, created_at, caller, input_tokens,"
    " cached_tokens, output_tokens, reasoning_tokens, estimated)"
    " SELECT NULL, 'answer', provider, model, created_at, caller, input_tokens, cached_tokens,"
    " output_tokens, reasoning_tokens, estimated FROM generations WHERE ended_at IS NOT NULL"
)


def keep_of(conn: Connection, session_id: int, message_id: int) -> None:
    """Before the messages of a session from one on are removed: what its answers took stays,
    without what they said."""
    run(conn, f"{_KEEP} AND session_id = ? AND message_id >= ?", (session_id, message_id))
