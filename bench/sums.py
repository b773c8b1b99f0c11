"""Usage out of a million answers of a month: how long one grouped read takes.

the product makes its file ─▶ fill() ─▶ product ─▶ GET /usage by day, by model, by session …
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .client import Connection, Failed, Whole, connect, get
from .report import Row, goal
from .servers import Servers

LONGEST_S = 2.0
DAYS = 30
PER_SESSION = 10
BY = ("day", "model", "session")

COUNTED = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)"
# Evenly over the month; a quarter of OpenAI's, some of them long enough to be paid at another rate.
FILL = (
    f"""
    INSERT INTO chat_sessions (id, title, provider, model, created_at, updated_at)
    {COUNTED} SELECT i + 1, 'Session', 'deepseek', 'deepseek-flash', '2026-10-01', '2026-10-01'
    FROM n WHERE i * :per_session < :count
    """,
    f"""
    INSERT INTO chat_messages (id, session_id, role, content, created_at)
    {COUNTED} SELECT i + 1, i / :per_session + 1, 'assistant', '', '2026-10-01' FROM n
    """,
    f"""
    INSERT INTO generations (id, session_id, message_id, provider, model, status, options,
        warnings, last_seq, created_at, first_piece_at, ended_at, ended, logged, input_tokens,
        cached_tokens, output_tokens, reasoning_tokens, estimated)
    {COUNTED} SELECT printf('%026x', i), i / :per_session + 1, i + 1,
        iif(i % 4, 'deepseek', 'openai'),
        CASE i % 4 WHEN 0 THEN 'gpt-6-luna' WHEN 1 THEN 'deepseek-v4-pro'
            ELSE 'deepseek-flash' END,
        'completed', '{{}}', '[]', 9,
        strftime('%Y-%m-%d %H:%M:%f000', 1790812800 + i * :step_s, 'unixepoch'),
        '2026-10-01', '2026-10-01', :ended, 0,
        iif(i % 100, 100 + i % 9000, 300000), i % 90, 64 + i % 500, i % 60, i % 10 = 0
    FROM n
    """,
)
ENDED = (
    '{"status":"completed","finish_reason":"stop","usage":{"input":57,"cached":0,"output":64,'
    '"reasoning":0},"fault":null,"served_model":"deepseek-flash","fingerprint":"fp_bench"}'
)


@dataclass(frozen=True, slots=True)
class Reads:
    """How many answers there are, and how often each grouping is asked for."""

    answers: int
    rounds: int


async def summing(servers: Servers, folder: Path, reads: Reads) -> list[Row]:
    """Seconds for a report, by what it is grouped; the first one also loads the list of prices."""
    database = folder / "sums.db"
    url = f"sqlite:///{database}"
    servers.stop(await servers.product(DATABASE_URL=url, LOCAL_MODEL="off"))
    fill(database, reads.answers)
    product = await servers.product(DATABASE_URL=url, LOCAL_MODEL="off")
    connection = await connect(product.port)
    try:
        taken = {
            by: [await _read_s(connection, by, reads) for _ in range(reads.rounds)] for by in BY
        }
    finally:
        connection.close()
        servers.stop(product)
    slowest_s = max(map(statistics.median, taken.values()))
    shown = ", ".join(f"by {by} {statistics.median(each):.2f} s" for by, each in taken.items())
    what = f"usage of a month out of {reads.answers:,} answers"
    return [Row(what, "–", shown, "–", goal(f"≤ {LONGEST_S:g} s", slowest_s <= LONGEST_S))]


async def _read_s(connection: Connection, by: str, reads: Reads) -> float:
    begun, answer = time.monotonic(), Whole()
    path = f"/api/v1/usage?group_by={by}&from=2026-10-01&to=2026-10-30"
    status = await connection.ask(get(path), answer)
    taken_s = time.monotonic() - begun
    if status != 200 or json.loads(answer.body)["total"]["requests"] != reads.answers:
        raise Failed(f"usage by {by} answered {status}, or not of all answers")
    return taken_s


def fill(database: Path, answers: int) -> None:
    """Add that many answers to an empty file of the product."""
    values = {
        "count": answers,
        "per_session": PER_SESSION,
        "step_s": DAYS * 86_400 / answers,
        "ended": ENDED,
    }
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous=OFF")
        file.execute("BEGIN")
        for statement in FILL:
            file.execute(statement, values)
        file.execute("DELETE FROM search_waiting")  # nobody searches here
        file.execute("COMMIT")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
