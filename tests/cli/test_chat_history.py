"""What `chat` does with what was said before: ask it differently, find it, take it along."""

from __future__ import annotations

from pathlib import Path

from standins.behaviours import Answer
from standins.deepseek import DeepSeekStandIn
from tests.api.follow import order_of
from tests.conftest import Product

from .test_chat import chat, prompt, say


async def test_a_question_that_is_edited_is_asked_beside_the_first_one(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        assert "nothing was said yet" in await say(terminal, "/edit Anything")
        await say(terminal, "say: hello")
        assert "say what to ask instead" in await say(terminal, "/edit")
        upstream.play(Answer(text="Guten Tag", reasoning_tokens=0))
        assert "Guten Tag" in await say(terminal, "/edit And in German?")
        asked = [one["content"] for one in order_of(upstream)["messages"]]
        assert asked == ["And in German?"]
    _, session = await product.call("GET", "/sessions/1")
    first, answer = session["messages"]
    assert (first["content"], answer["content"]) == ("And in German?", "Guten Tag")
    assert len(first["siblings"]) == 2


async def test_words_are_found_in_all_sessions_and_a_session_is_written_to_a_file(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        upstream.play(Answer(text="A **lighthouse** by the sea", reasoning_tokens=0))
        await say(terminal, "Tell me of the coast")
        await say(terminal, "/new")
        await say(terminal, "say: other things")
        assert "say what to look for" in await say(terminal, "/search")
        found = await say(terminal, "/search lighthouse")
        assert "Tell me of the coast" in found
        assert "other things" not in found
        terminal.type("/open 1")
        await terminal.shows("session 1: Tell me of the coast")
        await prompt(terminal)
        assert "coast.md has this session" in await say(terminal, "/export coast.md")
        assert "session-1.md has this session" in await say(terminal, "/export")
    written = (tmp_path / "coast.md").read_text("utf-8")
    assert "A **lighthouse** by the sea" in written
    assert (tmp_path / "session-1.md").read_text("utf-8") == written
