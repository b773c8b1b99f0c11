"""Each program of the cookbook does what it says, against a running product."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from lite_llm_chat.config import Settings
from standins.behaviours import Answer, Stall
from standins.deepseek import DeepSeekStandIn
from tests.api.follow import order_of
from tests.conftest import Product
from tests.durability.processes import names_in

from .conftest import python, run
from .cutter import Cutter

MAIN = Path(__file__).resolve().parents[2] / "main.py"
STORY = " ".join(f"word{n}" for n in range(1, 61))


def test_every_program_has_a_test_and_a_row(cookbook: Path) -> None:
    programs = {path.name for path in cookbook.iterdir() if path.suffix in (".py", ".sh")}
    assert programs == {
        *("stream.py", "stream.sh", "ask_later.py", "ask_about_a_file.py", "stop.py", "sum_up.sh"),
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
    for name in ("stream.py", "ask_later.py", "stop.py"):
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
