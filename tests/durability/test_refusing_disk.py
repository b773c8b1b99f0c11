"""A disk that refuses: nothing is shown that is not saved, and the server recovers by itself."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest

from lite_llm_chat import eventlog
from lite_llm_chat.assembly import server
from lite_llm_chat.config import Settings
from lite_llm_chat.store import search
from lite_llm_chat.store.database import Database
from lite_llm_chat.store.location import Location
from standins.behaviours import Flood, Gate, Pause
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from . import oracle
from .disk import Disk
from .processes import until

FULL_KIB = 1024


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try a refused write again at once, and let a test hold the disk."""
    monkeypatch.setattr(eventlog, "RETRY_S", 0.01)
    monkeypatch.setattr(server, "Database", Disk)


@pytest.fixture
async def product(settings: Settings) -> AsyncIterator[Product]:
    running = await Product(settings).start()
    yield running
    disk_of(running).refusing = False
    await running.stop()
    assert oracle.findings(file_of(settings)) == []


def disk_of(product: Product) -> Disk:
    return cast("Disk", product.parts.database)


def file_of(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


def text_of(frames: list[object]) -> str:
    return "".join(frame.data.get("content", "") for frame in frames)  # type: ignore[attr-defined]


async def ready(product: Product) -> tuple[int, str | None]:
    status, body = await product.call("GET", "/health/ready")
    return status, body.get("code")


async def is_ready(product: Product, wanted: bool) -> bool:
    return ((await ready(product))[0] == 200) is wanted


# ── a disk that refuses for a while ───────────────────────────────────────────────────────────


async def test_the_server_says_that_it_is_not_ready_and_recovers_by_itself(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = Gate()
    upstream.play(Pause(gate, after_tokens=3))
    stream = await product.ask("say: one two three four five six " + "and more " * 50)
    seen = (await stream.until("content")).data["content"]
    disk_of(product).refusing = True
    gate.open()
    rest = asyncio.create_task(stream.rest())
    await until(lambda: is_ready(product, False))
    assert await ready(product) == (503, "storage_unavailable")
    status, body = await product.call("POST", "/chat", question("say: no"))
    assert (status, body["code"]) == (503, "storage_unavailable")
    assert not rest.done()
    disk_of(product).refusing = False
    frames = await rest
    assert await ready(product) == (200, None)
    _, session = await product.call("GET", "/sessions/1")
    answer = session["messages"][1]
    assert seen + text_of(frames) == answer["content"]  # type: ignore[arg-type]
    assert len(session["messages"]) == 2
    status, body = await product.call("POST", "/chat", question("say: yes", stream=False))
    assert (status, body["message"]["content"]) == (200, "yes")


async def test_an_answer_that_the_disk_cut_is_marked_and_its_vendor_is_closed(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    going, never = Gate(), Gate()
    upstream.play(Pause(going, after_tokens=2), Pause(never, after_tokens=4))
    stream = await product.ask("say: one two three four five six")
    seen = (await stream.until("content")).data["content"]
    disk_of(product).refusing = True
    going.open()
    await upstream.wait_for_disconnect()
    assert await ready(product) == (503, "storage_unavailable")
    disk_of(product).refusing = False
    frames = await stream.rest()
    assert frames[-1].data["code"] == "storage_unavailable"
    _, session = await product.call("GET", "/sessions/1")
    answer = session["messages"][1]
    assert (answer["status"], answer["error"]["code"]) == ("interrupted", "storage_unavailable")
    assert answer["content"] == seen + text_of(frames[:-1])  # type: ignore[arg-type]
    status, body = await product.call(
        "POST", f"/messages/{answer['id']}/continue", {"stream": False}
    )
    assert (status, body["message"]["content"]) == (200, "one two three four five six")


@pytest.mark.parametrize("number", range(1, 8))
async def test_a_write_that_is_refused_once_loses_nothing_that_was_shown(
    number: int, product: Product
) -> None:
    disk_of(product).refuse_at(number)
    stream = await product.ask("say: hello there, whoever you are")
    if stream.status == 503:
        await stream.response.read()
        stream = await product.ask("say: hello there, whoever you are")
    frames = await stream.rest()
    assert stream.status == 200
    last = frames[-1].data
    assert last == {"done": True} or last["code"] == "storage_unavailable"
    _, session = await product.call("GET", "/sessions/1")
    assert text_of(frames[:-1]) == session["messages"][1]["content"]  # type: ignore[arg-type]
    assert await ready(product) == (200, None)


async def test_the_server_stops_in_time_although_the_disk_refuses(
    settings: Settings, upstream: DeepSeekStandIn
) -> None:
    product = await Product(settings).start()
    upstream.play(Pause(Gate(), after_tokens=2))
    stream = await product.ask("say: one two three four")
    seen = (await stream.until("content")).data["content"]
    disk_of(product).refusing = True
    async with asyncio.timeout(settings.drain_seconds + 5):
        await product.stop()
    await product.start()
    _, session = await product.call("GET", "/sessions/1")
    answer = session["messages"][1]
    assert (answer["status"], answer["error"]["code"]) == ("interrupted", "server_stopped")
    assert answer["content"].startswith(seen)
    await product.stop()
    assert oracle.findings(file_of(settings)) == []


# ── a disk that is really full ────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A filesystem of one mebibyte, in memory; skips the test where none may be made."""
    folder.mkdir()
    size = f"size={FULL_KIB}k"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no small filesystem may be mounted here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def grow(folder: Path) -> None:
    """Make room."""
    subprocess.run(["mount", "-o", "remount,size=32m", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Take what is left: a disk that refuses a large write may still have room for a small one."""
    with (folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 512)


async def test_a_really_full_disk_is_survived(
    settings: Settings, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small") as folder:
        changes = {"database_url": f"sqlite:///{folder}/chat.db", "max_answer_bytes": 10**8}
        settings = settings.model_copy(update=changes)
        product = await Product(settings).start()
        await product.call("POST", "/chat", question("say: first", stream=False))
        upstream.play(Flood(count=400, width=4096))
        stream = await product.ask("fill it")
        rest = asyncio.create_task(stream.rest())
        await until(lambda: is_ready(product, False))
        await asyncio.to_thread(fill, folder)
        await until(lambda: is_ready(product, False))
        assert not rest.done()
        assert (await product.call("POST", "/chat", question("say: x")))[0] == 503
        _, session = await product.call("GET", "/sessions/1")
        assert session["messages"][1]["content"] == "first"
        await asyncio.to_thread(grow, folder)
        frames = await asyncio.wait_for(rest, 10)
        await until(lambda: is_ready(product, True))
        _, session = await product.call("GET", "/sessions/2")
        answer = session["messages"][1]
        assert answer["content"] == text_of(frames)  # type: ignore[arg-type]
        assert answer["status"] == "interrupted"
        _, body = await product.call("POST", "/chat", question("say: again", stream=False))
        assert body["message"]["content"] == "again"
        await product.stop()
        assert oracle.findings(file_of(settings)) == []


async def test_a_write_that_changes_nothing_does_not_say_that_the_disk_takes_any(
    tmp_path: Path,
) -> None:
    database = Database(Location(tmp_path / "alone.db"))  # beside a server others write
    await database.open()
    database.writable = False
    seen = []
    for work in (search.settle, search.renew):
        await database.write(work)
        seen.append(database.writable)
    await database.close()
    assert seen == [False, True]
