"""Other products' SQLite files: opened to be read only, row by row, by the columns that they have.

    file ─▶ Tables ─▶ has("responses") ─▶ rows("responses", "conversation_id = ?", …) ─▶ dicts

Versions of a product differ in their columns: what is not there is not in the dict.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .base import Wrong

MAGIC = b"SQLite format 3\0"


class Tables:
    """The tables of a file that strangers wrote."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._columns: dict[str, list[str]] = {}
        for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
            found = conn.execute("SELECT name FROM pragma_table_info(?)", (name,))
            self._columns[name] = [column for (column,) in found]

    def has(self, table: str, *columns: str) -> bool:
        return table in self._columns and set(columns) <= set(self._columns[table])

    def count(self, table: str) -> int:
        [(count,)] = self._conn.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608
        return int(count)

    def rows(
        self, table: str, where: str = "1", values: tuple[object, ...] = (), order: str = "rowid"
    ) -> Iterator[dict[str, Any]]:
        """The rows of a table that is there, as dicts. `where` and `order` are ours. Of `order`,
        columns that are not there are left out."""
        columns = self._columns[table]
        by = [
            name for name in order.split(", ") if name == "rowid" or name.strip('"') in columns
        ] or ["rowid"]
        cursor = self._conn.execute(
            f'SELECT * FROM "{table}" WHERE {where} ORDER BY {", ".join(by)}',  # noqa: S608
            values,
        )
        for row in cursor:
            yield dict(zip(columns, row, strict=True))


@contextmanager
def opened(path: Path, most_bytes: int) -> Iterator[Tables]:
    """The tables of a file. Raises Wrong for one that cannot be read. No value of it may be longer
    than `most_bytes`."""
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    conn = sqlite3.connect(address, uri=True)
    try:
        conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most_bytes)
        conn.execute("PRAGMA trusted_schema = OFF")
        conn.text_factory = lambda data: data.decode("utf-8", "replace")
        yield Tables(conn)
    except sqlite3.Error as cause:
        raise Wrong(f"the database cannot be read: {cause}") from None
    finally:
        conn.close()
