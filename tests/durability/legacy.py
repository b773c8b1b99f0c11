"""A database file as the plain two-table product made it, without a line of ours.

    chat_sessions ◀── session_id ── chat_messages        naive UTC dates, no cascades, extra indexes

The statements are those that SQLAlchemy's `create_all` issued for the plain models.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE chat_sessions (
    id INTEGER NOT NULL,
    title VARCHAR(255),
    provider VARCHAR(50),
    model VARCHAR(100),
    created_at DATETIME,
    updated_at DATETIME,
    PRIMARY KEY (id)
);
CREATE INDEX ix_chat_sessions_id ON chat_sessions (id);
CREATE INDEX ix_chat_sessions_title ON chat_sessions (title);
CREATE TABLE chat_messages (
    id INTEGER NOT NULL,
    session_id INTEGER,
    role VARCHAR(20),
    content TEXT,
    created_at DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(session_id) REFERENCES chat_sessions (id)
);
CREATE INDEX ix_chat_messages_id ON chat_messages (id);
"""
LONG = 1500  # messages of session 4
MICRO, PLAIN, T_FORM = "2024-01-02 03:04:05.678901", "2024-05-06 07:08:09", "2024-05-06T07:08:09"
SESSIONS = (
    (1, "Rivers", "deepseek", "deepseek-chat", MICRO, MICRO),
    (2, "Bridges 🙂", "deepseek", "deepseek-reasoner", PLAIN, "2024-05-07 00:00:00"),
    (3, None, None, None, None, None),
    (4, "Long", "deepseek", "deepseek-chat", PLAIN, PLAIN),
    (5, "Empty", "somebody-else", "their-model", T_FORM, "2024-05-07T00:00:00.5"),
)


def messages() -> Iterator[tuple[int, int | None, str, str | None, str | None]]:
    """The rows of chat_messages; those of sessions 1 and 2 alternate."""
    yield (1, 1, "user", "What is a river?", MICRO)
    yield (2, 2, "system", "Be brief.", PLAIN)
    yield (3, 1, "assistant", "Water that goes somewhere.\nAlways. \u2028 河", MICRO)
    yield (4, 2, "user", "And a bridge?", T_FORM)
    yield (5, 1, "user", "", None)
    yield (6, 2, "assistant", None, PLAIN)
    yield (7, 3, "user", "no date at all", None)
    yield (8, 77, "user", "whose session is gone", PLAIN)
    yield (9, 77, "assistant", "and its answer", PLAIN)
    yield (10, None, "user", "which never had a session", PLAIN)
    for number in range(LONG):
        role = "assistant" if number % 2 else "user"
        yield (100 + number, 4, role, f"message {number}", PLAIN)


def make(path: Path) -> None:
    """Write the file."""
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(SCHEMA)
        file.executemany("INSERT INTO chat_sessions VALUES (?, ?, ?, ?, ?, ?)", SESSIONS)
        file.executemany("INSERT INTO chat_messages VALUES (?, ?, ?, ?, ?)", messages())


def dump(path: Path) -> list[str]:
    """All that a file holds, as SQL: schema and rows."""
    with closing(sqlite3.connect(path)) as file:
        return list(file.iterdump())


def schema(path: Path) -> dict[str, object]:
    """What a file's tables are: columns, keys, foreign keys, indexes and triggers."""
    found: dict[str, object] = {}
    with closing(sqlite3.connect(path)) as file:
        masters = file.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for kind, name, sql in masters:
            match kind:
                case "table":
                    # pragma_table_xinfo: name, type, not null, default, place in the key
                    columns = file.execute(
                        'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?)',
                        (name,),
                    )
                    keys = file.execute(
                        'SELECT "from", "table", "to", on_delete FROM pragma_foreign_key_list(?)',
                        (name,),
                    )
                    flags = ("AUTOINCREMENT" in sql, "WITHOUT ROWID" in sql, sql.count("CHECK"))
                    found[name] = (set(columns.fetchall()), set(keys.fetchall()), flags)
                case _:
                    found[name] = " ".join(sql.split())
    return found
