"""The rows of a running server's file, by plain SQL, read again only when they have changed."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from tests.durability import oracle

from .facts import Asked, Facts, Said
from .world import BIRTH

ASKED = (
    "SELECT id, json_extract(options, '$.seed'), message_id, created_at, ended_at,"
    " json_extract(ended, '$.finish_reason') FROM generations"
)
TREE = "SELECT id, session_id, parent_id, role, content FROM chat_messages"
LEAVES = "SELECT id, leaf_id FROM chat_sessions"


class File:
    """See the module. `findings` are the oracle's, of the newest rows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._conn = sqlite3.connect(path)
        self._version = 0
        self.findings: list[str] = []
        self.facts = Facts({}, {}, {}, {})

    def version(self) -> int:
        """Another number after every commit."""
        return int(self._conn.execute("PRAGMA data_version").fetchone()[0])

    def read(self) -> Facts:
        """What the rows say now."""
        version = self.version()
        if version != self._version:
            self._version = version
            self.facts = self._facts()
            self.findings = oracle.findings(self._path, at_rest=False)
        return self.facts

    def close(self) -> None:
        self._conn.close()

    def _facts(self) -> Facts:
        rows = self._conn.execute
        return Facts(
            oracle.logs(self._path),
            {
                log: Asked(number, message, _seconds(began) or 0.0, _seconds(ended), reason)
                for log, number, message, began, ended, reason in rows(ASKED)
            },
            {row[0]: Said(*row[1:]) for row in rows(TREE)},
            dict(rows(LEAVES).fetchall()),
        )


def _seconds(at: str | None) -> float | None:
    if at is None:
        return None
    return (datetime.fromisoformat(at).replace(tzinfo=BIRTH.tzinfo) - BIRTH).total_seconds()
