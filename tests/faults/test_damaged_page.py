"""A page of the database file that holds garbage is never served as if it were whole.

A server that is started on such a file does not start, and says why; or it answers every read
with what was there before or with an error that names the damage.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import signal
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import question
from tests.durability import oracle
from tests.durability.processes import Server
from tests.torture import record, replayable, scaled, seed

PAGE = 4096
SESSIONS = 8
PAGES = scaled(12, 10_000)  # at most
NODE = "tests/faults/test_damaged_page.py"
Reads = Mapping[str, tuple[int, str]]


async def talked(folder: Path, upstream: DeepSeekStandIn) -> Reads:
    """Short and long answers in a file that was closed well; what all reads say of them."""
    async with Server("main", folder, upstream.url) as server:
        async with aiohttp.ClientSession(server.url) as client:
            for number in range(SESSIONS):
                said = f"say: {number} " + "words and more words " * (3 if number % 2 else 700)
                async with client.post("/api/v1/chat", json=question(said)) as response:
                    assert response.status == 200
                    await response.read()
        reads = await read_all(server, sorted(oracle.logs(server.database)))
        server.signal(signal.SIGTERM)
        await server.ended()
    return reads


async def read_all(server: Server, generation_ids: Sequence[str]) -> Reads:
    """The list of sessions, every session, and every log. How many messages the list counts is
    left out: it is a bare number, and a file without checksums cannot vouch for one."""
    paths = ["/sessions", *(f"/sessions/{number}" for number in range(1, SESSIONS + 1))]
    paths += [f"/generations/{one}/events" for one in generation_ids]
    found = {}
    async with aiohttp.ClientSession(server.url) as client:
        for path in paths:
            async with client.get(f"/api/v1{path}") as response:
                text = re.sub(r'"message_count":-?\d+', "", await response.text())
                found[path] = (response.status, text)
    return found


def damage(file: Path, page: int, rng: random.Random) -> None:
    """Overwrite one page with random bytes."""
    with file.open("r+b") as raw:
        raw.seek(page * PAGE)
        raw.write(rng.randbytes(PAGE))


async def verdict(good: Reads, folder: Path) -> tuple[str, list[str]]:
    """What came of a start on a damaged file, and what is wrong with that."""
    generation_ids = [path.split("/")[2] for path in good if path.startswith("/generations/")]
    server = Server("main", folder, log_level="error")
    try:
        await server.start()
    except AssertionError:
        clear = server.output.count("cannot start: ") == 1 and "Traceback" not in server.output
        return "refused", [] if clear else [f"an unclear end: {server.output[-800:]}"]
    try:
        reads = await read_all(server, generation_ids)
    finally:
        await server.kill()
    wrong = [f"{path}: {status} {text[:300]}" for path, (status, text) in reads.items()
             if not vouched(good[path], (status, text))]  # fmt: skip
    return "read" if reads == good else "partly read", wrong


def vouched(good: tuple[int, str], read: tuple[int, str]) -> bool:
    """Whether a read says what was there before, or that it cannot. A log may say both: its
    beginning, and then why it goes no further."""
    status, text = read
    said, _, complaint = text.partition("event: shutdown\n")
    if status == 200:
        begun = good[1].startswith(said) and "storage_unavailable" in complaint
        return read == good or begun
    return status == 503 and "storage_unavailable" in text


@pytest.mark.parametrize(
    ("status", "text", "right"),
    [
        (200, "one two", True),
        (200, "one", False),
        (200, "one twx", False),
        (200, "one event: shutdown\nstorage_unavailable", True),
        (200, "onx event: shutdown\nstorage_unavailable", False),
        (200, "one event: shutdown\ninternal_error", False),
        (503, "storage_unavailable", True),
        (500, "storage_unavailable", False),
        (503, "draining", False),
    ],
)
def test_a_read_is_right_or_says_that_it_cannot_be(status: int, text: str, right: bool) -> None:
    assert vouched((200, "one two"), (status, text)) is right


@pytest.mark.timeout(3600)
async def test_a_page_of_garbage_is_never_served_as_if_it_were_whole(
    tmp_path: Path, upstream: DeepSeekStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    good = await talked(tmp_path, upstream)
    file = tmp_path / "chat.db"
    first = seed()
    count = file.stat().st_size // PAGE
    pages = random.Random(first).sample(range(count), min(PAGES, count))
    ends: dict[str, int] = {}
    findings: list[str] = []

    async def try_page(page: int, busy: asyncio.Semaphore) -> None:
        folder = tmp_path / f"page-{page}"
        async with busy:
            folder.mkdir()
            shutil.copy(file, folder / "chat.db")
            damage(folder / "chat.db", page, random.Random(first + page))
            end, wrong = await verdict(good, folder)
        ends[end] = ends.get(end, 0) + 1
        findings.extend(f"page {page} of {count}: {one}" for one in wrong)

    busy = asyncio.Semaphore(2)
    await asyncio.gather(*(try_page(page, busy) for page in pages))
    with capsys.disabled():
        result = f"{len(pages)} of {count} pages: {ends}, findings {len(findings)}"
        record("G14", "a page of garbage", "detected, not served", result, not findings)
    with replayable(NODE, first):
        assert findings == []


async def test_a_start_that_meets_the_damage_says_so_in_one_sentence(
    tmp_path: Path, upstream: DeepSeekStandIn
) -> None:
    good = await talked(tmp_path, upstream)
    with closing(sqlite3.connect(tmp_path / "chat.db")) as file:
        roots = "SELECT rootpage FROM sqlite_master WHERE name = 'generations'"
        (root,) = file.execute(roots).fetchone()
    damage(tmp_path / "chat.db", root - 1, random.Random(1))
    assert await verdict(good, tmp_path) == ("refused", [])
