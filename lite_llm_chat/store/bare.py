"""Statements on the driver's own connection: those that every question, tick and page runs.

    conn (SQLAlchemy) ─▶ driver(conn) (sqlite3) ─▶ run(conn, "… ? …", values) ─▶ rows as tuples

A statement costs 2 to 5 µs here and 30 to 150 µs through SQLAlchemy's execution, measured in
November 2026. Whatever is rare stays with SQLAlchemy Core, which checks names and types. One
`transaction` is around both; database.py translates the errors of both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, cast

from sqlalchemy import Connection

Mode = Literal["DEFERRED", "IMMEDIATE"]


def driver(conn: Connection) -> sqlite3.Connection:
    """The connection beneath."""
    return cast("sqlite3.Connection", conn.connection.dbapi_connection)


@contextmanager
def transaction(conn: Connection, mode: Mode) -> Iterator[None]:
    """All or nothing of what is done inside, by either way."""
    raw = driver(conn)
    raw.execute(f"BEGIN {mode}")
    try:
        yield
        raw.execute("COMMIT")
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")


def run(conn: Connection, statement: str, values: Sequence[object] = ()) -> list[Any]:
    """Run one statement; all its rows, as tuples."""
    return driver(conn).execute(statement, values).fetchall()


def first(conn: Connection, statement: str, values: Sequence[object] = ()) -> Any | None:
    """Run one statement that has one row or none; the row, as a tuple."""
    rows = driver(conn).execute(statement, values).fetchall()
    return rows[0] if rows else None


def run_many(conn: Connection, statement: str, rows: Iterable[Sequence[object]]) -> None:
    """Run one statement once for each row of values."""
    driver(conn).executemany(statement, rows)
