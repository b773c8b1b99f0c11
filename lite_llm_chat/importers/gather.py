"""Entries that are no conversation by themselves, put together on disk.

message · message · conversation · message …  (LibreChat's collections, AnythingLLM's pairs)
     └─▶ a SQLite file of the import's own ─▶ at the end: conversation by conversation
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from . import anythingllm, librechat
from .base import Bag, Conversation, id_of, text_of

_encode = msgspec.json.encode


class Gathered:
    """Rows by format and group. The file is made with the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._conn: sqlite3.Connection | None = None

    def format_of(self, entry: Mapping[str, Any]) -> str | None:
        """The format of an entry that is a part of a conversation; None for any other."""
        if librechat.is_message(entry) or librechat.is_conversation(entry):
            return librechat.SOURCE
        return anythingllm.SOURCE if anythingllm.is_one(entry) else None

    def take(self, entry: Mapping[str, Any]) -> None:
        """Put a part of a conversation aside."""
        if anythingllm.is_one(entry):
            self._add(anythingllm.SOURCE, anythingllm.group_of(entry), "said", entry)
        else:
            kind = "said" if librechat.is_message(entry) else "head"
            name = id_of(entry.get("conversationId")) or ""
            self._add(librechat.SOURCE, name, kind, entry)

    def _add(self, source: str, group: str, kind: str, entry: Mapping[str, Any]) -> None:
        if self._conn is None:
            self._conn = sqlite3.connect(self._path, isolation_level=None)
            self._conn.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
                " CREATE TABLE entries (source, name, kind, data);"
            )
        values = source, group, kind, _encode(entry)
        self._conn.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", values)

    def entries(self) -> Iterator[tuple[str, str, str]]:
        """Each conversation's format, name and title, in the order in which they began."""
        if self._conn is None:
            return
        self._conn.execute("CREATE INDEX groups ON entries (source, name)")
        groups = self._conn.execute(
            "SELECT source, name FROM entries GROUP BY source, name ORDER BY min(rowid)"
        ).fetchall()
        for source, name in groups:
            heads = self._of(source, name, "head")
            yield source, name, text_of(next(heads, {}).get("title")) or name

    def read(self, source: str, name: str, bag: Bag) -> Conversation:
        """One conversation. Raises Nothing."""
        said = self._of(source, name, "said")
        if source == anythingllm.SOURCE:
            return anythingllm.read(name, name, said, bag)
        head = next(self._of(source, name, "head"), {})
        return librechat.read({"conversationId": name, **head, "messages": list(said)}, bag)

    def _of(self, source: str, name: str, kind: str) -> Iterator[dict[str, Any]]:
        assert self._conn is not None
        found = self._conn.execute(
            "SELECT data FROM entries WHERE source = ? AND name = ? AND kind = ? ORDER BY rowid",
            (source, name, kind),
        )
        for (data,) in found:
            yield msgspec.json.decode(data)

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
