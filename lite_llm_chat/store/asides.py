"""Asides: what was asked of a model beside any answer, counted as overhead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert

from ..domain import Usage
from .tables import asides


@dataclass(frozen=True, slots=True)
class AsideRow:
    """One question beside a session (None: of none that is kept): what for, of whom, and its tokens
    (None: not known)."""

    session_id: int | None
    purpose: str
    provider: str
    model: str
    usage: Usage | None
    at: datetime


def keep(conn: Connection, row: AsideRow) -> None:
    """Store it. A session that is gone by now leaves it without one."""
    usage = row.usage or Usage()
    known = row.usage is not None
    session = "SELECT id FROM chat_sessions WHERE id = ?"
    there = conn.exec_driver_sql(session, (row.session_id,)).scalar()
    conn.execute(
        insert(asides).values(
            session_id=there,
            purpose=row.purpose,
            provider=row.provider,
            model=row.model,
            created_at=row.at,
            input_tokens=usage.input if known else None,
            cached_tokens=usage.cached if known else None,
            output_tokens=usage.output if known else None,
            reasoning_tokens=usage.reasoning if known else None,
            estimated=usage.estimated,
        )
    )
