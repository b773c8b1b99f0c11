"""Each program of the cookbook does what it says, against a running product."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import aiohttp
import pytest

from lite_llm_chat.config import Settings
from standins.behaviours import Answer, Stall
from standins.deepseek import DeepSeekStandIn
from tests.api.follow import order_of
from tests.conftest import Product
from tests.durability.processes import names_in
from tests.importers.bring import as_json
from tests.importers.chatgpt import plain

from .conftest import python, run
from .cutter import Cutter

MAIN = Path(__file__).resolve().parents[2] / "main.py"
STORY = " ".join(f"word{n}" for n in range(1, 61))


def test_every_program_has_a_test_and_a_row(cookbook: Path) -> None:
    programs = {path.name for path in cookbook.iterdir() if path.suffix in (".py", ".sh")}
    assert programs == {
        *("stream.py", "stream.sh", "ask_later.py", "ask_about_a_file.py", "stop.py", "sum_up.sh"),
        *("several_models.py", "tidy_up.py", "share.py", "import_chats.py", "search.py"),
        "preset.py",
    }
    text = (cookbook / "README.md").read_text("utf-8")
    assert [name for name in sorted(programs) if f"[{name}]({name})" not in text] == []


async def test_stream_prints_the_answer_once_though_its_connection_breaks(
    product: Product, cookbook: Path
) -> None:
    # a head and the whole story fit into what passes at once, but not what else is said
    async with Cutter(product.url, bytes_each=1_000) as cutter:
        ran = await python(cookbook / "stream.py", f"say: {STORY}", cutter.url)
        assert cutter.cuts
    assert (ran.code, ran.out) == (0, f"{STORY}\n[completed]\n")


async def test_a_refused_question_is_the_sentence_of_the_server(
    settings: Settings, cookbook: Path
) -> None:
    keyless = {"deepseek_api_key": None, "default_provider": "deepseek"}
    product = await Product(settings.model_copy(update=keyless)).start()
    for name in ("stream.py", "ask_later.py", "share.py", "stop.py"):
        ran = await python(cookbook / name, "Hello!", product.url)
        assert (ran.code, ran.out) == (1, "")
        assert "503: deepseek cannot answer: set DEEPSEEK_API_KEY" in ran.err
    await product.stop()


async def test_curl_shows_the_frames_and_what_was_kept(product: Product, cookbook: Path) -> None:
    question = 'say: Hello there, "friend"'
    ran = await run("sh", str(cookbook / "stream.sh"), question, product.url)
    assert (ran.code, ran.err) == (0, "")
    *frames, kept = ran.out.strip().split("\n\n")
    assert frames[0].startswith('data: {"session_id": 1')
    assert frames[-1] == 'data: {"done": true}'
    assert json.loads(kept)["messages"][1]["content"] == 'Hello there, "friend"'


async def test_a_question_that_is_asked_twice_is_answered_once(
    product: Product, upstream: DeepSeekStandIn, cookbook: Path
) -> None:
    ran = await python(cookbook / "ask_later.py", "say: Paris", product.url)
    assert (ran.code, ran.out) == (0, "completed: Paris\n")
    assert len(upstream.chats) == 1


async def test_a_file_is_uploaded_and_asked_about(
    product: Product, upstream: DeepSeekStandIn, cookbook: Path, tmp_path: Path
) -> None:
    program, file = cookbook / "ask_about_a_file.py", tmp_path / 'my "notes".txt'
    file.write_text("Milk, eggs", "utf-8")
    ran = await python(program, str(file), "say: A shopping list", product.url)
    assert (ran.code, ran.err) == (0, "")
    (asked,) = order_of(upstream)["messages"]
    assert asked["content"].startswith("say: A shopping list\n\nThe file \"my 'notes'.txt\"")
    assert "\nMilk, eggs\n" in asked["content"]
    file.write_bytes(b"MZ\0")
    ran = await python(program, str(file), "What?", product.url)
    assert (ran.code, ran.out) == (1, "")
    assert "422: no model is shown the file" in ran.err


async def test_a_conversation_is_shared(product: Product, cookbook: Path) -> None:
    ran = await python(cookbook / "share.py", "say: A tower", product.url)
    answer, link = ran.out.split()[:2], ran.out.split()[-1]
    assert (ran.code, answer) == (0, ["A", "tower"])
    async with aiohttp.ClientSession() as anybody, anybody.get(link) as page:
        assert page.status == 200
        assert "A tower" in await page.text()
    assert f"DELETE {product.url}/api/v1/shares/1" in ran.err


async def test_conversations_are_brought_and_what_became_of_them_is_told(
    product: Product, cookbook: Path, tmp_path: Path
) -> None:
    program, file = cookbook / "import_chats.py", tmp_path / "chats.json"
    file.write_bytes(as_json([plain(1), plain(2), {"title": "A folder"}]))
    dry = await python(program, str(file), "--dry-run", product.url)
    told = "  A folder: skipped, it is no conversation that is known here\n"
    assert (dry.code, dry.out) == (0, f"chatgpt: completed: 2 imported, 1 skipped\n{told}")
    ran = await python(program, str(file), product.url)
    assert (ran.code, ran.out) == (0, dry.out)
    again = await python(program, str(file), product.url)
    assert again.out == f"chatgpt: completed: 2 already here, 1 skipped\n{told}"
    file.write_bytes(b"nothing")
    ran = await python(program, str(file), product.url)
    assert (ran.code, ran.out.startswith("None: failed: ")) == (1, True)


async def test_a_stopped_answer_keeps_its_words(
    product: Product, upstream: DeepSeekStandIn, cookbook: Path
) -> None:
    upstream.play(Answer(reasoning_tokens=2), Stall(after_tokens=6))
    ran = await python(cookbook / "stop.py", f"say: {STORY}", product.url)
    await upstream.wait_for_disconnect()
    status, _, text = ran.out.strip().partition(": ")
    assert (ran.code, status) == (0, "cancelled")
    assert text
    assert STORY.startswith(text)


async def test_several_models_are_asked_and_one_is_gone_on_with(
    product: Product, upstream: DeepSeekStandIn, cookbook: Path
) -> None:
    program, names = cookbook / "several_models.py", "deepseek/deepseek-chat,deepseek-flash"
    ran = await python(program, "say: A shade of blue", names, product.url)
    assert (ran.code, ran.err) == (0, "")
    *answers, last = ran.out.splitlines()
    assert sorted(answers) == [
        "deepseek-flash: A shade of blue [completed]",
        "deepseek/deepseek-chat: A shade of blue [completed]",
    ]
    assert last == "going on with deepseek/deepseek-chat"
    _, session = await product.call("GET", "/sessions/1")
    assert session["messages"][1]["siblings"] == [2, 3]
    refused = await python(program, "x", "nobody/x,deepseek-chat", product.url)
    assert (refused.code, refused.out) == (1, "")
    assert "422: there is no provider 'nobody'" in refused.err


async def test_what_is_old_is_archived_but_not_what_is_pinned_or_tagged(
    product: Product, cookbook: Path
) -> None:
    for number in range(1, 6):
        await product.call("POST", "/sessions", {"title": f"{number}"})
    await product.call("PATCH", "/sessions/2", {"pinned": True})
    await product.call("PATCH", "/sessions/3", {"tags": ["work"]})
    program = cookbook / "tidy_up.py"
    ran = await python(program, "1", product.url)
    assert (ran.code, ran.out) == (0, "0 archived\n")
    ran = await python(program, "0", product.url)
    assert (ran.code, ran.out) == (0, "3 archived\n")
    _, left = await product.call("GET", "/sessions")
    assert [one["id"] for one in left] == [3, 2]


async def test_a_script_that_asks_keeps_whole_answers_only(
    product: Product,
    upstream: DeepSeekStandIn,
    cookbook: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = tmp_path / "bin" / "lite-llm-chat"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{MAIN}" "$@"\n', "utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    text = tmp_path / "notes.txt"
    text.write_text("Milk, eggs", "utf-8")
    upstream.play(Answer(text="A list", finish_reason="length"))
    cut = await run("sh", str(cookbook / "sum_up.sh"), str(text), product.url)
    assert (cut.code, cut.out) == (6, "")
    assert "try again later" in cut.err
    upstream.play(Answer(text="A shopping list"))
    whole = await run("sh", str(cookbook / "sum_up.sh"), str(text), product.url)
    assert (whole.code, whole.out, whole.err) == (0, "", "")
    assert order_of(upstream)["messages"][0]["content"].endswith("lines.\n\nMilk, eggs")
    kept = [name for name in names_in(tmp_path) if name.startswith("notes")]
    assert kept == ["notes.txt", "notes.txt.summary"]
    assert (tmp_path / "notes.txt.summary").read_text("utf-8") == "A shopping list\n"


async def test_conversations_are_found_by_their_words_page_after_page(
    product: Product, cookbook: Path
) -> None:
    for number in range(25):
        said = f"say: the lighthouse number {number} on the rocks"
        await (await product.ask(said, title=f"Trip {number}")).rest()
    ran = await python(cookbook / "search.py", '"the lighthouse" rocks', product.url)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert sorted(lines[0::2]) == sorted(f"Trip {n} ({n + 1})" for n in range(25))
    assert all("*the lighthouse* number" in line for line in lines[1::2])
    ran = await python(cookbook / "search.py", "🙂", product.url)
    assert (ran.code, ran.out) == (1, "")
    assert "422: there is no word to look for" in ran.err


async def test_a_preset_changes_for_the_next_conversations_only(
    product: Product, upstream: DeepSeekStandIn, cookbook: Path
) -> None:
    ran = await python(cookbook / "preset.py", "say: The sea", product.url)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "The sea\nthe preset is at version 2, this chat at 1\n"
    assert order_of(upstream)["messages"][0]["content"] == "You answer in rhymes."
    ran = await python(cookbook / "preset.py", "say: The sky", product.url)
    assert ran.out == "The sky\nthe preset is at version 2, this chat at 2\n"
