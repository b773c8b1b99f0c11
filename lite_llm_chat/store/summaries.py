"""Summaries: what the beginning of a long branch came to, for when it no longer fits.

A summary belongs to the message that it goes up to, so each branch that shares this message shares
it too. It is never shown as a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from .tables import messages, summaries


@dataclass(frozen=True, slots=True)
class Summary:
    """What was said up to and including a message."""

    session_id: int
    upto_id: int
    text: str


def known(conn: Connection, session_id: int) -> Mapping[int, str]:
    """The summaries of a session, by the message that they go up to."""
    rows = conn.execute(
        select(summaries.c.upto_id, summaries.c.text).where(summaries.c.session_id == session_id)
    )
    return {row.upto_id: row.text for row in rows}


def keep(conn: Connection, summary: Summary, at: datetime) -> None:
    """Store it, unless there is one already or its message is gone by now."""
    there = conn.execute(select(messages.c.id).where(messages.c.id == summary.upto_id)).scalar()
    if there is None:
        return
    row = {
        "session_id": summary.session_id,
        "upto_id": summary.upto_id,
        "text": summary.text,
        "created_at": at,
    }
    conn.execute(insert(summaries).values(row).on_conflict_do_nothing())
