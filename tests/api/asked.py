"""Answers that were asked for at any moment: rows of them, and what is said of their usage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lite_llm_chat.store.database import Connection
from tests.conftest import Product


@dataclass(frozen=True)
class Asked:
    """A row of an answer that ended, or of something beside it."""

    at: str = "2026-11-03 12:00:00.000000"
    provider: str = "deepseek"
    model: str = "deepseek-flash"
    tokens: tuple[int, int, int, int] | None = (1_000_000, 0, 1_000_000, 0)
    estimated: bool = False
    session: int = 1
    caller: str = "local"

    def counts(self) -> tuple[int | None, ...]:
        """Of its columns."""
        return (*(self.tokens or [None] * 4), self.estimated)

    def ended(self) -> str:
        """Its end, as a row keeps it."""
        names = ("input", "cached", "output", "reasoning")
        counted = dict(zip(names, self.tokens, strict=True)) if self.tokens else None
        return json.dumps({"status": "completed", "usage": counted})


async def keep(product: Product, *rows: Asked) -> None:
    """Answers as if they had been asked for at these moments."""

    def work(conn: Connection) -> None:
        for row in rows:
            values = (row.session, row.provider, row.model, row.at)
            run = conn.exec_driver_sql
            run(
                "INSERT OR IGNORE INTO chat_sessions (id, title, provider, model, created_at,"
                " updated_at) VALUES (?, 'T', ?, ?, ?, ?)",
                (*values, row.at),
            )
            message = run(
                "INSERT INTO chat_messages (session_id, role, content, created_at)"
                " VALUES (?, 'assistant', '', ?) RETURNING id",
                (row.session, row.at),
            ).scalar()
            run(
                "INSERT INTO generations (id, message_id, session_id, provider, model, created_at,"
                " status, options, warnings, last_seq, ended_at, ended, caller, input_tokens,"
                " cached_tokens, output_tokens, reasoning_tokens, estimated, logged) VALUES"
                " (printf('row%d', ?), ?, ?, ?, ?, ?, 'completed', '{}', '[]', 2, ?,"
                " ?, ?, ?, ?, ?, ?, ?, 0)",
                (message, message, *values, row.at, row.ended(), row.caller, *row.counts()),
            )

    await product.parts.database.write(work)


async def keep_beside(product: Product, *rows: Asked) -> None:
    """Titles and the like, as if they had been made at these moments; session 0: deleted."""

    def work(conn: Connection) -> None:
        for row in rows:
            values = row.session or None, row.provider, row.model, row.at, row.caller
            conn.exec_driver_sql(
                "INSERT INTO asides (session_id, provider, model, created_at, caller, purpose,"
                " input_tokens, cached_tokens, output_tokens, reasoning_tokens, estimated)"
                " VALUES (?, ?, ?, ?, ?, 'title', ?, ?, ?, ?, ?)",
                (*values, *row.counts()),
            )

    await product.parts.database.write(work)


async def usage(product: Product, query: str) -> Any:
    status, body = await product.call("GET", f"/usage?{query}")
    assert status == 200, body
    return body
