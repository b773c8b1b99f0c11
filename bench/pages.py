"""A page of 20 messages out of a million: CPU of answering it, beside the same page by an ORM.

    the product makes its file ─▶ fill() ─▶ product, orm, product …   the same random pages

Both answer GET /api/v1/sessions/{id} over one kept connection, from one file; before anything is
measured their answers are compared.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .client import Connection, Failed, Whole, connect, get
from .machine import Cores, cpu_s
from .meter import Share
from .report import Row, goal, median_ratio
from .servers import Server, Servers

PAGE = 20
COMPARED = 20
DEAREST = 0.2  # product ÷ ORM
CHOICE = 2026  # the seed of the pages that are asked for

# Sessions grew side by side, a question and its answer at a time: message 2k+1 and 2k+2 are turn k.
# The answers' event logs are pruned, as they are after a week.
TURNS = """
    WITH RECURSIVE t (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM t WHERE k + 1 < :turns)
"""
FILL = (
    f"""
    INSERT INTO chat_sessions (id, title, provider, model, created_at, updated_at)
    {TURNS} SELECT k + 1, 'Session ' || k, 'deepseek', 'deepseek-chat', :at, :at
    FROM t WHERE k < :sessions
    """,
    f"""
    INSERT INTO generations (id, session_id, message_id, provider, model, status, options,
        warnings, last_seq, created_at, first_piece_at, ended_at, ended, logged)
    {TURNS} SELECT printf('%026x', k), k % :sessions + 1, 2 * k + 2, 'deepseek', 'deepseek-chat',
        'completed', '{{}}', '[]', 9, :at, :at, :at, :ended, 0
    FROM t
    """,
    f"""
    INSERT INTO chat_messages (id, session_id, role, content, created_at, parent_id, depth,
        generation_id)
    {TURNS} SELECT 2 * k + 1 + half, k % :sessions + 1, iif(half, 'assistant', 'user'),
        substr(:text, k % 50 + 1, 200), :at,
        CASE WHEN half THEN 2 * k + 1 WHEN k >= :sessions THEN 2 * (k - :sessions) + 2 END,
        k / :sessions * 2 + 1 + half, iif(half, printf('%026x', k), NULL)
    FROM t, (SELECT 0 AS half UNION ALL SELECT 1)
    """,
    """
    UPDATE chat_sessions SET leaf_id = :messages - 2 * (:sessions - id)
    """,
)
ENDED = (
    '{"status":"completed","finish_reason":"stop","usage":{"input":57,"cached":0,"output":64,'
    '"reasoning":0},"fault":null,"served_model":"deepseek-flash","fingerprint":"fp_bench"}'
)


@dataclass(frozen=True, slots=True)
class Amount:
    """How many sessions of 20 messages there are, and how many pages a round asks each for."""

    sessions: int
    pages: int
    rounds: int


async def reading(servers: Servers, folder: Path, cores: Cores, amount: Amount) -> list[Row]:
    """CPU for a page: ours, and the ORM's."""
    database = folder / "pages.db"
    url = f"sqlite:///{database}"
    servers.stop(await servers.product(DATABASE_URL=url, LOCAL_MODEL="off"))
    fill(database, amount.sessions)
    product = await servers.product(DATABASE_URL=url, LOCAL_MODEL="off")
    orm = await servers.orm(database)
    lines = [(server, await connect(server.port)) for server in (product, orm)]
    try:
        taken = await _alternating(lines, cores, amount)
    finally:
        for server, connection in lines:
            connection.close()
            servers.stop(server)
    return [_row(amount, *taken)]


async def _alternating(
    lines: list[tuple[Server, Connection]], cores: Cores, amount: Amount
) -> list[list[float]]:
    """CPU for a page, microseconds, of each server in each round."""
    await _compare(lines[0][1], lines[1][1], _chosen(amount.sessions, COMPARED, CHOICE))
    taken: list[list[float]] = [[], []]
    for number in range(amount.rounds):
        wanted = _chosen(amount.sessions, amount.pages, CHOICE + number)
        for (server, connection), cpu_us in zip(lines, taken, strict=True):
            share = await _ask_all(server, connection, wanted)
            if refused := share.why_refused(cores):
                raise Failed(refused)
            cpu_us.append(share.server_s / amount.pages * 1e6)
    return taken


def fill(database: Path, sessions: int) -> None:
    """Add that many sessions to an empty file of the product, in seconds for a million rows."""
    turns = sessions * PAGE // 2
    values = {
        "sessions": sessions,
        "turns": turns,
        "messages": 2 * turns,
        "at": "2026-11-01 12:00:00.123456",
        "ended": ENDED,
        "text": "The quick brown fox jumps over the lazy dog, and nobody knows why. " * 4,
    }
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous=OFF")
        file.execute("PRAGMA cache_size=-500000")
        file.execute("BEGIN")
        for statement in FILL:
            file.execute(statement, values)
        file.execute("DELETE FROM search_waiting")  # nobody searches here
        file.execute("COMMIT")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _chosen(sessions: int, count: int, seed: int) -> list[int]:
    dice = random.Random(seed)
    return [dice.randint(1, sessions) for _ in range(count)]


async def _compare(product: Connection, orm: Connection, wanted: list[int]) -> None:
    """Raise Failed unless both say the same. Ours marks its moments as UTC, the ORM's does not."""
    for session_id in wanted:
        ours, theirs = await _page(product, session_id), await _page(orm, session_id)
        if json.loads(ours.replace(b'Z"', b'"')) != json.loads(theirs):
            raise Failed(f"the ORM answers another page of session {session_id}")
        if len(json.loads(ours)["messages"]) != PAGE:
            raise Failed(f"session {session_id} has not {PAGE} messages")


async def _ask_all(server: Server, connection: Connection, wanted: list[int]) -> Share:
    """One page after the other; what that took."""
    spent_s, own_s, begun = cpu_s(server.pid), time.process_time(), time.monotonic()
    for session_id in wanted:
        await _page(connection, session_id)
    wall_s, own_s = time.monotonic() - begun, time.process_time() - own_s
    return Share(cpu_s(server.pid) - spent_s, 0.0, own_s, wall_s)


async def _page(connection: Connection, session_id: int) -> bytes:
    answer = Whole()
    status = await connection.ask(get(f"/api/v1/sessions/{session_id}"), answer)
    if status != 200:
        raise Failed(f"session {session_id} answered {status}")
    return answer.body


def _row(amount: Amount, ours: list[float], theirs: list[float]) -> Row:
    ratio = median_ratio(ours, theirs)
    return Row(
        f"a page of {PAGE} messages out of {amount.sessions * PAGE:,}: CPU of the server",
        f"{ratio:.2f} (product ÷ ORM)",
        f"{statistics.median(ours):.0f} µs",
        f"SQLAlchemy ORM and Pydantic: {statistics.median(theirs):.0f} µs",
        goal(f"≤ {DEAREST:.2f}", ratio <= DEAREST),
    )
