"""The first page of a long session: how long a whole request for its newest 50 messages takes.

    fill() ─▶ a file with one session of 2,000 messages ─▶ GET …/messages, again and again

Beside it stands the same session read whole, which is what a client without pages has to do.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .client import Connection, Failed, Whole, connect, get
from .report import Row, goal, quantiles
from .servers import Servers

MESSAGES = 2_000
PAGE = 50
SLOWEST_MS = 20.0
NEWEST = f"/api/v1/sessions/1/messages?limit={PAGE}"
MIDDLE = f"{NEWEST}&before={MESSAGES // 2}"
AFTER = f"{NEWEST}&after={PAGE}"
WHOLE = "/api/v1/sessions/1"

ANSWERED = """
    WITH RECURSIVE t (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM t WHERE k < :messages)
"""
FILL = (
    """
    INSERT INTO chat_sessions (id, title, provider, model, created_at, updated_at, uid)
    VALUES (1, 'Long', 'deepseek', 'deepseek-chat', :at, :at, 'long')
    """,
    f"""
    INSERT INTO generations (id, session_id, message_id, provider, model, status, options,
        warnings, last_seq, created_at, first_piece_at, ended_at, ended, logged)
    {ANSWERED} SELECT printf('%026x', k), 1, k, 'deepseek', 'deepseek-chat', 'completed',
        '{{}}', '[]', 9, :at, :at, :at, '{{"status":"completed","finish_reason":"stop"}}', 0
    FROM t WHERE k % 2 = 0
    """,
    f"""
    INSERT INTO chat_messages (id, session_id, role, content, created_at, parent_id, depth,
        generation_id)
    {ANSWERED} SELECT k, 1, iif(k % 2, 'user', 'assistant'), :text, :at, nullif(k - 1, 0), k,
        iif(k % 2, NULL, printf('%026x', k))
    FROM t
    """,
    "UPDATE chat_sessions SET leaf_id = :messages",
)


@dataclass(frozen=True, slots=True)
class Opened:
    """How often each page is asked for."""

    times: int


async def opening(servers: Servers, folder: Path, opened: Opened) -> list[Row]:
    """Milliseconds of a whole request for each page, and for the session."""
    database = folder / "long.db"
    url = f"sqlite:///{database}"
    servers.stop(await servers.product(DATABASE_URL=url, LOCAL_MODEL="off"))
    fill(database)
    server = await servers.product(DATABASE_URL=url, LOCAL_MODEL="off")
    connection = await connect(server.port)
    try:
        whole_ms = await _timed(connection, WHOLE, MESSAGES, opened.times)
        pages = [
            await _timed(connection, path, PAGE, opened.times) for path in (NEWEST, MIDDLE, AFTER)
        ]
    finally:
        connection.close()
        servers.stop(server)
    p50, p99 = max(pages)
    return [
        Row(
            f"{PAGE} of a session's {MESSAGES:,} messages, the slowest of three pages",
            "–",
            f"{p50:.1f} ms p50, {p99:.1f} ms p99",
            f"the whole session: {whole_ms[0]:.1f} ms p50",
            goal(f"≤ {SLOWEST_MS:.0f} ms", p99 <= SLOWEST_MS),
        )
    ]


def fill(database: Path) -> None:
    """One long session in an empty file of the product."""
    values = {
        "messages": MESSAGES,
        "at": "2026-11-01 12:00:00.123456",
        "text": "The quick brown fox jumps over the lazy dog, and nobody knows why. " * 15,
    }
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        file.execute("BEGIN")
        for statement in FILL:
            file.execute(statement, values)
        file.execute("COMMIT")


async def _timed(connection: Connection, path: str, count: int, times: int) -> tuple[float, float]:
    """p50 and p99 of whole requests, milliseconds. Raises Failed unless all are there."""
    taken_ms: list[float] = []
    for _ in range(times + 1):
        answer, begun = Whole(), time.monotonic()
        status = await connection.ask(get(path), answer)
        taken_ms.append((time.monotonic() - begun) * 1e3)
        if status != 200 or len(json.loads(answer.body)["messages"]) != count:
            raise Failed(f"{path} did not answer with {count} messages")
    return quantiles(taken_ms[1:])  # the first one opens the file
