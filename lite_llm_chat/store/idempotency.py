"""Idempotency keys: the same key and body find the same generation for a day.

A key is scoped to a route; its record is written in the transaction that accepts the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ..errors import Invalid
from .bare import first, run
from .codec import moment_to_text

_FIND = "SELECT fingerprint, generation_id FROM idempotency_keys WHERE scope = ? AND key = ?"
_KEEP = (
    "INSERT INTO idempotency_keys (scope, key, fingerprint, generation_id, created_at)"
    " VALUES (?, ?, ?, ?, ?)"
)
_FORGET = "DELETE FROM idempotency_keys WHERE created_at < ?"


@dataclass(frozen=True, slots=True)
class Once:
    """A caller's wish that this request counts once. `fingerprint` is a digest of its body."""

    scope: str
    key: str
    fingerprint: str


def find(conn: Connection, once: Once) -> str | None:
    """The generation that this key started, or None if the key is new. Raises Invalid
    `idempotency_key_reused` if it came with another body."""
    row = first(conn, _FIND, (once.scope, once.key))
    if row is None:
        return None
    fingerprint, generation_id = row
    if fingerprint != once.fingerprint:
        raise Invalid(
            "this Idempotency-Key came with another body before: use a fresh key",
            code="idempotency_key_reused",
        )
    return str(generation_id)


def keep(conn: Connection, once: Once, generation_id: str, at: datetime) -> None:
    """Remember which generation the key started."""
    values = once.scope, once.key, once.fingerprint, generation_id, moment_to_text(at)
    run(conn, _KEEP, values)


def forget(conn: Connection, before: datetime) -> None:
    """Drop the keys that are older than a moment."""
    run(conn, _FORGET, (moment_to_text(before),))
