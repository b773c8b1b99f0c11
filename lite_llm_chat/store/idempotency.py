"""Idempotency keys: the same key and body find the same generation for a day.

A key is scoped to a route; its record is written in the transaction that accepts the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from ..errors import Invalid
from .tables import idempotency_keys


@dataclass(frozen=True, slots=True)
class Once:
    """A caller's wish that this request counts once. `fingerprint` is a digest of its body."""

    scope: str
    key: str
    fingerprint: str


def find(conn: Connection, once: Once) -> str | None:
    """The generation that this key started, or None if the key is new. Raises Invalid
    `idempotency_key_reused` if it came with another body."""
    row = conn.execute(
        select(idempotency_keys.c.fingerprint, idempotency_keys.c.generation_id).where(
            idempotency_keys.c.scope == once.scope, idempotency_keys.c.key == once.key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != once.fingerprint:
        raise Invalid(
            "this Idempotency-Key came with another body before: use a fresh key",
            code="idempotency_key_reused",
        )
    return str(row.generation_id)


def keep(conn: Connection, once: Once, generation_id: str, at: datetime) -> None:
    """Remember which generation the key started."""
    conn.execute(
        insert(idempotency_keys).values(
            scope=once.scope,
            key=once.key,
            fingerprint=once.fingerprint,
            generation_id=generation_id,
            created_at=at,
        )
    )


def forget(conn: Connection, before: datetime) -> None:
    """Drop the keys that are older than a moment."""
    conn.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < before))
