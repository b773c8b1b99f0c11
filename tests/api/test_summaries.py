"""What no longer fits a window is summed up for the turns that come, while nobody waits."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from standins.behaviours import Answer, Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import KEY, Product, question

from .conftest import Launch
from .follow import hold, order_of

MODEL = "deepseek-flash"
STORY = "Tell me more of the harbour and of the people who live beside it. " * 8
ENDPOINT = """
[[endpoint]]
id = "small"
base_url = "{url}"
key = "{key}"
models = [{{id = "deepseek-flash", context_length = 4000, max_output_tokens = 400}}]
"""


@pytest.fixture
async def small(launch: Launch, upstream: DeepSeekStandIn, tmp_path: Path) -> Product:
    """A product whose model has a small window."""
    own = tmp_path / "endpoints.toml"
    own.write_text(ENDPOINT.format(url=upstream.url, key=KEY))
    return await launch(endpoints_file=str(own), summarize_dropped=True)


def sums_up(chat: Any) -> bool:
    return "Sum up the conversation" in chat.body["messages"][0]["content"]


async def ask(product: Product, session: int | None = None) -> Any:
    body = question(STORY, provider="small", model=MODEL, session_id=session, stream=False)
    status, reply = await product.call("POST", "/chat", body)
    assert status == 200, reply
    return reply


async def until_left_out(product: Product) -> tuple[int, list[str], int]:
    """The session whose window has just become too small, what its answer warned of, and how many
    questions that took."""
    reply, asked = await ask(product), 1
    while not reply["warnings"]:
        reply = await ask(product, reply["session_id"])
        asked += 1
    return reply["session_id"], reply["warnings"], asked


async def summary_made(_product: Product) -> None:
    """Wait until what is asked beside the answers is over. It began before the answer did."""
    beside = [task for task in asyncio.all_tasks() if task.get_name().startswith("summary-")]
    if beside:
        await asyncio.wait(beside)


def rows(tmp_path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(next(tmp_path.glob("*.db")))) as file:
        return file.execute(query).fetchall()


async def test_the_next_prompt_has_a_summary_in_the_place_of_what_is_left_out(
    small: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    session, first, asked = await until_left_out(small)
    assert "summary" not in first[0]
    await summary_made(small)
    assert [sums_up(chat) for chat in upstream.chats] == [*[False] * asked, True]
    assert order_of(upstream)["messages"][1]["content"].startswith("user: Tell me more")
    [(summary,)] = rows(tmp_path, "SELECT text FROM summaries")
    reply = await ask(small, session)
    assert "a summary stands for them" in reply["warnings"][0]
    sent = order_of(upstream)["messages"]
    assert sent[0] == {
        "role": "system",
        "content": f"What was said before, summed up because it no longer fits: {summary}",
    }
    assert sent[1]["role"] == "user"
    counted = rows(tmp_path, "SELECT purpose, session_id, provider, input_tokens > 0 FROM asides")
    assert counted == [("summary", session, "small", 1)]
    _, shown = await small.call("GET", f"/sessions/{session}")
    assert {one["role"] for one in shown["messages"]} == {"user", "assistant"}


async def test_a_summary_that_fails_is_missed_by_nobody(
    small: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    *_, asked = await until_left_out(small)
    await summary_made(small)
    upstream.play(Answer(), times=asked)
    upstream.play(Status(402))
    session, *_ = await until_left_out(small)
    await summary_made(small)
    query = f"SELECT * FROM summaries WHERE session_id = {session}"
    assert rows(tmp_path, query) == []
    reply = await ask(small, session)
    assert "summary" not in reply["warnings"][0]
    assert reply["message"]["status"] == "completed"


async def test_a_session_that_is_deleted_meanwhile_leaves_no_summary(
    small: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    *_, asked = await until_left_out(small)
    await summary_made(small)
    upstream.play(Answer(), times=asked)
    gate = hold(upstream, "It was about a harbour.")
    session, *_ = await until_left_out(small)
    assert (await small.call("DELETE", f"/sessions/{session}?permanent=true"))[0] == 204
    gate.open()
    await summary_made(small)
    query = f"SELECT * FROM summaries WHERE session_id = {session}"
    assert rows(tmp_path, query) == []
    beside = "SELECT count(*) FROM asides WHERE session_id IS NULL AND purpose = 'summary'"
    assert rows(tmp_path, beside) == [(1,)]


async def test_a_summary_is_made_of_the_one_before_it_and_of_what_came_after(
    small: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    session, *_ = await until_left_out(small)
    await summary_made(small)
    [(first,)] = rows(tmp_path, "SELECT text FROM summaries")
    while sum(map(sums_up, upstream.chats)) < 2:
        await ask(small, session)
        await summary_made(small)
    again: Any = next(chat for chat in reversed(upstream.chats) if sums_up(chat))
    said = again.body["messages"][1]["content"]
    assert said.startswith(f"What was said before, summed up: {first}")
    assert len(rows(tmp_path, "SELECT * FROM summaries")) == 2
