"""Search in a million messages: how long a query takes, how large the index is, what it costs a
commit.

    the product makes its file ─▶ fill() ─▶ product ─▶ GET /search, query after query
                                        └─▶ commits of one message, with its words and without

The words are put into the index as the product does it (lite_llm_chat/store/search.py), only many
in one transaction.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from .client import Connection, Failed, Whole, connect, get
from .report import Row, goal, percentile, quantiles
from .servers import Servers
from .zipf import SPACED, Message, Zipf

PER_SESSION = 20
LONGEST_MS = 50.0  # p99 of a query
LARGEST = 1.2  # index ÷ text
SEED = 2026
GROUP = 20_000  # messages in one transaction
MERGED_EVERY = 64  # messages; the product merges every few seconds
MODELS = ("deepseek-flash", "deepseek-v4-pro", "gpt-6-luna", "claude-opus")
PUT = "INSERT INTO search_index (rowid, words) VALUES (?, ?)"
SAY = (
    "INSERT INTO chat_messages (id, session_id, role, content, created_at, parent_id, depth)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
BEGIN = (
    "INSERT INTO chat_sessions (id, title, provider, model, created_at, updated_at, leaf_id)"
    " VALUES (?, ?, 'deepseek', ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Searches:
    """How many messages there are, how many queries of each kind and commits are timed."""

    messages: int
    queries: int
    commits: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes."""

    text: int
    index: int


async def searching(servers: Servers, folder: Path, amount: Searches) -> list[Row]:
    """Times of queries, size of the index, times of commits."""
    database = folder / "search.db"
    url = f"sqlite:///{database}"
    servers.stop(await servers.product(DATABASE_URL=url, LOCAL_MODEL="off"))
    zipf = Zipf(SEED)
    sizes = fill(database, zipf, amount.messages)
    product = await servers.product(DATABASE_URL=url, LOCAL_MODEL="off")
    connection = await connect(product.port)
    try:
        taken = {
            kind: [await _ask_ms(connection, one) for one in asked]
            for kind, asked in queries(zipf, amount.queries).items()
        }
    finally:
        connection.close()
        servers.stop(product)
    of = f"out of {amount.messages:,} messages"
    return [
        _times(f"search {of}: a query, p50 / p99", taken),
        _size(f"search {of}: the index", sizes),
        _commits(f"search {of}: the commit of a message, p50 / p99", database, zipf, amount),
    ]


# ── the file ──────────────────────────────────────────────────────────────────────────────────


def fill(database: Path, zipf: Zipf, count: int) -> Sizes:
    """Add that many messages to an empty file of the product, a question and an answer at a time,
    over a year; every session ends before the next one begins."""
    text_bytes = 0
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous=OFF")
        file.execute("PRAGMA cache_size=-200000")
        for start in range(1, count + 1, GROUP):
            ids = range(start, min(start + GROUP, count + 1))
            said = [zipf.message() for _ in ids]
            text_bytes += sum(len(one.text.encode()) for one in said)
            file.execute("BEGIN")
            firsts = [id_ for id_ in ids if id_ % PER_SESSION == 1]
            file.executemany(BEGIN, (_session(id_, count, said[id_ - start]) for id_ in firsts))
            file.executemany(SAY, map(_row, ids, said, [count] * len(said)))
            file.executemany(PUT, _titles(firsts, said, start))
            file.executemany(PUT, map(_words, ids, said))
            file.execute("DELETE FROM search_waiting")
            file.execute("COMMIT")
        # What the product does step by step, and a file of a million messages has behind it.
        file.execute("INSERT INTO search_index (search_index) VALUES ('optimize')")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Sizes(text_bytes, index_bytes(file))


def index_bytes(file: sqlite3.Connection) -> int:
    """What the index keeps: its pages and the lengths of the rows."""
    pages = "SELECT sum(length(block)) FROM search_index_data"
    lengths = "SELECT sum(length(sz)) + 4 * count(*) FROM search_index_docsize"
    return sum(int(file.execute(one).fetchone()[0]) for one in (pages, lengths))


def _session(first_id: int, count: int, said: Message) -> tuple[object, ...]:
    last = min(first_id + PER_SESSION - 1, count)
    number = _session_of(first_id)
    began, ended = _moment(first_id, count), _moment(last, count)
    return number, said.text[:60], MODELS[number % len(MODELS)], began, ended, last


def _session_of(message_id: int) -> int:
    return (message_id - 1) // PER_SESSION + 1


def _moment(message_id: int, count: int) -> str:
    at = datetime.now(UTC) - timedelta(days=365) * (1 - message_id / count)
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def _row(id_: int, said: Message, count: int) -> tuple[object, ...]:
    depth = (id_ - 1) % PER_SESSION + 1
    role, parent = ("user", "assistant")[1 - id_ % 2], id_ - 1 if depth > 1 else None
    return id_, _session_of(id_), role, said.text, _moment(id_, count), parent, depth


def _words(id_: int, said: Message) -> tuple[int, str]:
    return id_, f"\ue000{_session_of(id_)} {' '.join(said.words)}"


def _titles(firsts: list[int], said: list[Message], start: int) -> Iterator[tuple[int, str]]:
    for id_ in reversed(firsts):  # the rows of a transaction have to rise
        number = _session_of(id_)
        yield -number, f"\ue000{number} {' '.join(said[id_ - start].words[:8])}"


# ── queries ───────────────────────────────────────────────────────────────────────────────────


def queries(zipf: Zipf, count: int) -> dict[str, list[str]]:
    """Query strings of each kind, the same for the same text."""
    dice = random.Random(SEED)

    def any_of(first: int, last: int, kind: int | None = None) -> str:
        kind = dice.randrange(SPACED) if kind is None else kind
        words = zipf.vocabularies[kind]
        return words[min(dice.randrange(first, last), len(words) - 1)]

    def side_by_side(length: int) -> str:
        while len(words := zipf.message().words) < length + 1:
            pass
        start = dice.randrange(len(words) - length)
        unspaced = len(max(words, key=len)) == 1
        return ("" if unspaced else " ").join(words[start : start + length])

    def chinese(length: int) -> str:
        return "".join(any_of(0, 300, dice.randrange(SPACED, 5)) for _ in range(length))

    kinds: dict[str, Callable[[], str]] = {
        "a rare word": lambda: f"{any_of(10_000, 60_000)} ",
        "a common word": lambda: f"{any_of(0, 15)} ",
        "two common words": lambda: f"{any_of(0, 40, 0)} {any_of(0, 40, 0)} ",
        "a common and a rare word": lambda: f"{any_of(0, 15, 0)} {any_of(1000, 9000, 0)} ",
        "words that never meet": lambda: f"{any_of(0, 5, 0)} {any_of(0, 5, 1)} ",
        "a phrase": lambda: f'"{side_by_side(3)}"',
        "Chinese, Japanese, Korean": lambda: chinese(2),
        "four characters": lambda: chinese(4),
        "a word while it is typed": lambda: any_of(200, 5000)[: dice.randint(3, 5)],
        "without a word": lambda: f"{any_of(0, 15, 0)} -{any_of(0, 15, 0)}",
    }
    found = {kind: [f"q={quote(one())}" for _ in range(count)] for kind, one in kinds.items()}
    common = found["a common word"]
    found["a common word of one role"] = [f"{one}&role=user" for one in common]
    found["a common word of one model"] = [f"{one}&model={dice.choice(MODELS)}" for one in common]
    long_ago = (datetime.now(UTC) - timedelta(days=300)).strftime("%Y-%m-%d")
    found["a common word, long ago"] = [f"{one}&before={long_ago}" for one in common]
    found["a common word in one session"] = [f"{one}&session_id=7" for one in common]
    found["a common word in titles"] = [f"{one}&in=titles" for one in common]
    return found


async def _ask_ms(connection: Connection, query: str) -> float:
    begun, answer = time.perf_counter(), Whole()
    status = await connection.ask(get(f"/api/v1/search?{query}"), answer)
    taken_s = time.perf_counter() - begun
    if status != 200 or json.loads(answer.body)["indexed"] != 1:
        raise Failed(f"search for {query} answered {status}, or not of all messages")
    return taken_s * 1e3


# ── what is said of it ────────────────────────────────────────────────────────────────────────


def _times(what: str, taken: dict[str, list[float]]) -> Row:
    p50, p99 = quantiles([one for each in taken.values() for one in each])
    slowest = max(taken, key=lambda kind: percentile(taken[kind], 99))
    worst = quantiles(taken[slowest])
    return Row(
        what,
        "–",
        f"{p50:.1f} / {p99:.1f} ms",
        f"the slowest of {len(taken)} kinds, {slowest}: {worst[0]:.1f} / {worst[1]:.1f} ms",
        goal(f"p99 ≤ {LONGEST_MS:g} ms", p99 <= LONGEST_MS),
    )


def _size(what: str, sizes: Sizes) -> Row:
    ratio = sizes.index / sizes.text
    return Row(
        what,
        f"{ratio:.2f} (index ÷ text)",
        f"{sizes.index / 1e6:.0f} MB",
        f"text: {sizes.text / 1e6:.0f} MB",
        goal(f"≤ {LARGEST:g}", ratio <= LARGEST),
    )


def _commits(what: str, database: Path, zipf: Zipf, amount: Searches) -> Row:
    """In turn with and without the words, on the same file; merging is timed for itself."""
    taken: tuple[list[float], list[float]] = ([], [])
    merges: list[float] = []
    with closing(sqlite3.connect(database, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous=FULL")
        for number in range(amount.messages + 1, amount.messages + 2 * amount.commits + 1):
            taken[number % 2].append(_commit_ms(file, number, zipf.message(), bool(number % 2)))
            if number % (2 * MERGED_EVERY) == 0:
                merges += _merge_ms(file)
    without, indexed = map(quantiles, taken)
    return Row(
        what,
        f"{statistics.median(taken[0]) / statistics.median(taken[1]):.2f} (p50 ÷ p50)",
        f"{without[0]:.2f} / {without[1]:.2f} ms",
        f"had it to teach the index its words: {indexed[0]:.2f} / {indexed[1]:.2f} ms; a step of"
        f" merging, which is a commit of its own: p99 {percentile(merges or [0.0], 99):.1f} ms",
    )


def _commit_ms(file: sqlite3.Connection, id_: int, said: Message, indexed: bool) -> float:
    begun = time.perf_counter()
    file.execute("BEGIN IMMEDIATE")
    file.execute(SAY, (id_, 1, "user", said.text, "2026-11-30 00:00:00.000000", None, 1))
    if indexed:
        file.execute(PUT, _words(id_, said))
    file.execute("DELETE FROM search_waiting WHERE id = ?", (id_,))
    file.execute("COMMIT")
    return (time.perf_counter() - begun) * 1e3


def _merge_ms(file: sqlite3.Connection) -> Iterator[float]:
    """Until there is nothing to merge, as the product's upkeep does it."""
    while True:
        begun, before = time.perf_counter(), file.total_changes
        file.execute("INSERT INTO search_index (search_index, rank) VALUES ('merge', 50)")
        yield (time.perf_counter() - begun) * 1e3
        if file.total_changes - before < 2:
            return
