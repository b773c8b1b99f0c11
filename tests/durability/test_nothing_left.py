"""When answers have ended nothing of them is left in memory, and a stop leaves no answer behind."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import pytest

import lite_llm_chat
from lite_llm_chat.assembly import server
from lite_llm_chat.config import Settings
from lite_llm_chat.domain import Event, Text
from lite_llm_chat.drain import Drain
from lite_llm_chat.store import generations
from lite_llm_chat.store.database import Connection
from standins.behaviours import Cut, Gate, Pause, Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from . import oracle
from .disk import Disk
from .processes import until

PACKAGE = Path(lite_llm_chat.__file__).parent
OURS = ("run-", "spring-", "accept", "leave-", "drain", "cut-")


def leftovers(product: Product) -> dict[str, int]:
    """How much the parts still hold of answers, by name; nothing of what they never forget."""
    chat = product.parts.chat
    log, engine = chat._log, chat._engine
    return {
        "live logs": len(log._live),
        "dirty logs": len(log._dirty) + len(log._urgent),
        "resting sources": len(log._resting),
        "runs": len(engine._runs),
        "accepting": len(chat._accepting),
        "leaving": len(chat._leaving),
        "doomed": len(chat._doomed),
        "tasks": sum(task.get_name().startswith(OURS) for task in asyncio.all_tasks()),
    }


def things() -> dict[str, int]:
    """How many objects of an answer's life there are."""
    gc.collect()
    kinds = [type(thing).__name__ for thing in gc.get_objects()]
    ours = ("LiveLog", "_Run", "_Part", "Tail", "PlainStream", "NumberedStream")
    return {name: kinds.count(name) for name in ours}


async def idle(product: Product) -> None:
    """Return when nothing runs any more."""
    await until(lambda: not any(leftovers(product).values()))


async def every_kind_of_answer(product: Product, upstream: DeepSeekStandIn) -> None:
    """One that is read, one that is left, one that is cancelled, cut, refused, deleted …"""
    stream = await product.ask("say: read to its end")
    session_id = (await stream.until("session_id")).data["session_id"]
    await stream.rest()
    await product.call("POST", "/chat", question("say: whole", stream=False))
    upstream.play(Cut(after_tokens=2))
    await (await product.ask("say: one two three", session_id=session_id)).rest()
    upstream.play(Status(400))
    await (await product.ask("say: refused", session_id=session_id)).rest()
    for end in ("leave", "cancel", "delete", "leave to cancel"):
        gate = Gate()
        upstream.play(Pause(gate, after_tokens=2))
        wish = "cancel" if end == "leave to cancel" else "continue"
        stream = await product.ask("say: one two three four", on_disconnect=wish)
        head = (await stream.until("session_id")).data
        await stream.until("content")
        match end:
            case "cancel":
                await product.call("POST", f"/generations/{head['generation_id']}/cancel")
                await stream.rest()
            case "delete":
                await product.call("DELETE", f"/sessions/{head['session_id']}")
                await stream.rest()
            case _:
                stream.leave()
        gate.open()


async def test_after_many_answers_nothing_is_held(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await every_kind_of_answer(product, upstream)
    await idle(product)
    before = things()
    tasks = len(asyncio.all_tasks())
    for _ in range(5):
        await every_kind_of_answer(product, upstream)
    await idle(product)
    assert leftovers(product) == dict.fromkeys(leftovers(product), 0)
    assert things() == before
    assert before["LiveLog"] == before["_Run"] == 0
    assert len(asyncio.all_tasks()) <= tasks


def ours(thing: object) -> str:
    """The name of an object of this package, or of a frame that ran its code; else "" """
    if isinstance(thing, FrameType):
        path = Path(thing.f_code.co_filename)
        return f"frame of {path.stem}" if PACKAGE in path.parents else ""
    kind = type(thing)
    return kind.__qualname__ if kind.__module__.startswith(PACKAGE.name) else ""


async def test_what_has_ended_does_not_wait_for_the_garbage_collector(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await every_kind_of_answer(product, upstream)
    await idle(product)
    gc.collect()
    gc.disable()
    try:
        await every_kind_of_answer(product, upstream)
        gate = Gate()
        upstream.play(Pause(gate, after_tokens=1))
        stream = await product.ask("say: one two", session_id=1)
        await stream.until("content")
        status, _ = await product.call("POST", "/chat", question("say: no", session_id=1))
        assert status == 409
        assert (await product.call("GET", "/sessions/99"))[0] == 404
        gate.open()
        await stream.rest()
        await idle(product)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        names = sorted({ours(thing) for thing in gc.garbage} - {""})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert names == []


async def test_a_refused_question_leaves_nothing_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "Database", Disk)
    product = await Product(settings).start()
    disk = product.parts.database
    assert isinstance(disk, Disk)
    disk.refusing = True
    for _ in range(3):
        assert (await product.call("POST", "/chat", question("say: no")))[0] == 503
    assert (await product.call("POST", "/chat", question("x", session_id=99)))[0] == 503
    disk.refusing = False
    assert (await product.call("POST", "/chat", question("x", session_id=99)))[0] == 404
    assert leftovers(product) == dict.fromkeys(leftovers(product), 0)
    await product.stop()


async def test_memory_does_not_grow_with_the_number_of_answers(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    async def twenty() -> None:
        for _ in range(20):
            await product.call("POST", "/chat", question("say: a few words", stream=False))
        upstream.reset()
        gc.collect()

    for _ in range(3):
        await twenty()
    tracemalloc.start()
    await twenty()
    first, _ = tracemalloc.get_traced_memory()
    for _ in range(4):
        await twenty()
    last, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert last - first < 80 * 2048  # two KiB an answer would be a leak of a log or a task


# ── the last moments ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reader", ["waits", "left"])
async def test_a_question_accepted_while_the_server_stops_is_ended_too(
    reader: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, upstream: DeepSeekStandIn
) -> None:
    monkeypatch.setattr(server, "Database", Disk)
    upstream.always(Pause(Gate(), after_tokens=1))
    product = await Product(settings).start()
    disk, chat = product.parts.database, product.parts.chat
    assert isinstance(disk, Disk)
    disk.gate.clear()
    asking = asyncio.create_task(product.call("POST", "/chat", question("x", background=True)))
    await until(lambda: any(task.get_name() == "accept" for task in asyncio.all_tasks()))
    await asyncio.sleep(0)  # one turn of the loop: its transaction stands before the gate now
    drain = Drain(chat._engine, chat._log, 0.2)
    drain.begin()  # as a signal does
    await until(lambda: drain._task is not None and drain._task.done())
    if reader == "left":
        asking.cancel()
    disk.gate.set()
    await asyncio.wait({asking})
    await chat.settle()
    await drain.finish()
    assert leftovers(product)["runs"] == 0
    await product.stop()
    path = Path(settings.database_url.removeprefix("sqlite:///"))
    assert oracle.findings(path) == []
    assert {log.code for log in oracle.logs(path).values()} == {"server_stopped"}


async def test_no_question_is_taken_while_the_server_stops(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = Gate()
    upstream.play(Pause(gate, after_tokens=1))
    stream = await product.ask("say: hello there")
    await stream.until("content")
    chat = product.parts.chat
    drain = Drain(chat._engine, chat._log, 30)
    drain.begin()
    assert (await stream.rest())[-1].data["code"] == "server_stopping"
    status, body = await product.call("POST", "/chat", question("say: no"))
    assert (status, body["code"]) == (503, "draining")
    status, body = await product.call("GET", "/health/ready")
    assert (status, body["code"]) == (503, "draining")
    gate.open()
    await drain.finish()
    _, session = await product.call("GET", "/sessions/1")
    assert session["messages"][1]["content"] == "hello there"


async def test_a_log_that_cannot_be_written_is_ended_with_what_it_has(
    settings: Settings, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = await Product(settings).start()
    gate = Gate()
    upstream.play(Pause(gate, after_tokens=2))
    stream = await product.ask("say: one two three")
    head = (await stream.until("generation_id")).data
    await stream.until("content")
    refused = generations.append

    def refuse(conn: Connection, events: Sequence[Event]) -> None:
        if any(isinstance(event.body, Text) for event in events):
            raise ValueError("a defect")
        refused(conn, events)

    monkeypatch.setattr(generations, "append", refuse)
    gate.open()
    await stream.rest()
    monkeypatch.setattr(generations, "append", refused)
    status, found = await product.call("GET", f"/generations/{head['generation_id']}")
    assert (status, found["status"]) == (200, "failed")
    assert found["error"]["code"] == "internal_error"
    status, body = await product.call(
        "POST", "/chat", question("say: on we go", session_id=1, stream=False)
    )
    assert (status, body["message"]["content"]) == (200, "on we go")
    await idle(product)
    await product.stop()
    assert oracle.findings(Path(settings.database_url.removeprefix("sqlite:///"))) == []
