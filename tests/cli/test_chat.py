"""`chat` in a pseudo-terminal: what a person types and sees."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from standins.behaviours import Answer, Gate, Pause, Status
from standins.deepseek import DeepSeekStandIn
from standins.words import pieces
from tests.api.follow import order_of
from tests.conftest import Product
from tests.docs.cutter import Cutter
from tests.durability.processes import Server

from .terminal import Terminal, command

STORY = " ".join(f"word{n}" for n in range(1, 201))
PROMPT = "\n› "
MARKDOWN = """# Lighthouses

Some *light* words with `code` and [a link](https://example.org/x).

1. first

2. second

```python
print("hi")
```

| a | b |
|---|---|
| 1 | 2 |

The end."""


async def prompt(terminal: Terminal) -> str:
    """Wait for the prompt; what came before it."""
    return await terminal.shows(PROMPT)


async def say(terminal: Terminal, text: str) -> str:
    """Type a line and wait for the next prompt; what came in between."""
    terminal.type(text)
    return await prompt(terminal)


def held(upstream: DeepSeekStandIn, text: str = STORY) -> Gate:
    """The next answer begins and waits before the gate."""
    gate = Gate()
    upstream.play(Answer(text=text, reasoning_tokens=0), Pause(gate, after_tokens=4))
    return gate


def chat(product: Product, folder: Path, *words: str) -> Terminal:
    return Terminal(folder, "chat", "--url", product.url, *words)


async def test_it_greets_answers_and_says_what_the_answer_took(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.play(Answer(text="Hello there", reasoning="She greets me."))
    async with chat(product, tmp_path) as terminal:
        greeting = await prompt(terminal)
        assert "Lite-LLM-Chat Backend 1.0.0" in greeting
        assert product.url in greeting
        await say(terminal, "Hi")
        terminal.press("\x04")
        assert await terminal.ended() == 0
        assert "│ She greets me.\n\nHello there\n\ndeepseek-flash · " in terminal.screen
        assert " tokens (" in terminal.screen
        assert " · $0.0000" in terminal.screen


async def test_markdown_is_drawn_and_every_word_of_it_stands_there_once(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    seen = ("Lighthouses", "light", "first", "second", "print", "hi", "The")
    gates = {word: Gate() for word in seen}
    starts = {word: MARKDOWN.index(word.split()[-1]) + len(word.split()[-1]) for word in seen}
    pauses = [Pause(gate, len(pieces(MARKDOWN[: starts[word]]))) for word, gate in gates.items()]
    upstream.play(Answer(text=MARKDOWN, reasoning_tokens=0), *pauses)
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        terminal.type("Hi")
        for word, gate in gates.items():  # each time the last block is drawn as it grows
            await terminal.shows(word)
            gate.open()
        await prompt(terminal)
        shown = terminal.screen.partition("› Hi\n")[2]
    page, _, took = shown.partition("\ndeepseek-flash")
    assert took
    assert [line.strip() for line in page.split("\n")] == [
        *("Lighthouses", ""),
        *("Some light words with code and a link (https://example.org/x).", ""),
        *("1 first", "2 second", ""),
        *('print("hi")', ""),
        *("a  b", "────", "1  2", ""),
        *("The end.", ""),
    ]


async def test_an_answer_longer_than_the_terminal_stands_there_once(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    items = [f"- item {n}" for n in range(1, 81)]
    gate = Gate()
    text = "\n".join(items)
    upstream.play(Answer(text=text, reasoning_tokens=0), Pause(gate, after_tokens=200))
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        terminal.type("Hi")
        await terminal.shows("item 60")
        gate.open()
        await prompt(terminal)
        lines = [line.strip(" •") for line in terminal.screen.split("\n")]
        shown = [line for line in lines if line.startswith("item ")]
        assert shown == [item.removeprefix("- ") for item in items]


async def test_ctrl_c_stops_the_answer_and_its_words_are_kept(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    held(upstream)
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        terminal.type("Hi")
        await terminal.shows("word1")
        terminal.press("\x03")
        await terminal.shows("it was stopped; what it said is kept")
        await prompt(terminal)
        upstream.play(Answer(text="more", reasoning_tokens=0))
        await say(terminal, "/continue")
        assert "more" in terminal.screen
    _, session = await product.call("GET", "/sessions/1")
    assert [one["role"] for one in session["messages"]] == ["user", "assistant"]


async def test_ctrl_c_twice_at_the_prompt_leaves(product: Product, tmp_path: Path) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        await terminal.interrupt(partial(terminal.shows, "Ctrl-C again, or Ctrl-D, leaves"))
        await prompt(terminal)
        assert await terminal.interrupt(terminal.ended) == 0
        assert "Traceback" not in terminal.text


async def test_a_connection_that_breaks_is_resumed_without_a_word_lost_or_doubled(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    words = [f"word{n}" for n in range(1, 5001)]
    async with (
        Cutter(product.url, bytes_each=20_000) as cutter,
        Terminal(tmp_path, "chat", "--url", cutter.url) as terminal,
    ):
        await prompt(terminal)
        upstream.play(Answer(text=" ".join(words), reasoning_tokens=0))
        await say(terminal, "Hi")
        assert cutter.cuts > 1
        assert "connection lost, resuming…" in terminal.text
        shown = terminal.screen.rpartition("deepseek-flash")[0].split()
        assert [word for word in shown if word.startswith("word")] == words


async def test_a_server_that_is_killed_is_waited_for_and_the_answer_can_be_continued(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    held(upstream)
    async with (
        Server("main", tmp_path, upstream.url) as server,
        Terminal(tmp_path, "chat", "--url", server.url) as terminal,
    ):
        await prompt(terminal)
        terminal.type("Hi")
        await terminal.shows("word1")
        await server.kill()
        await terminal.shows("connection lost, resuming…")
        await server.start()
        await terminal.shows("connected again")
        await terminal.shows("/continue goes on")
        await prompt(terminal)
        upstream.play(Answer(text=" and all was well", reasoning_tokens=0))
        await say(terminal, "/continue")
        assert "and all was well" in terminal.screen


async def test_resume_shows_the_answer_that_is_being_made_elsewhere(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    gate = held(upstream)
    body = {"messages": [{"role": "user", "content": "Hi"}], "background": True}
    await product.call("POST", "/chat", body)
    async with chat(product, tmp_path, "--session", "1") as terminal:
        assert "session 1: Hi" in await prompt(terminal)
        terminal.type("/resume")
        await terminal.shows("word1")
        gate.open()
        await terminal.shows("word200")
        await prompt(terminal)
        assert "word200" in await say(terminal, "/resume")  # it has ended: shown once more


async def test_stop_ends_an_answer_that_runs_elsewhere(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    held(upstream)
    body = {"messages": [{"role": "user", "content": "Hi"}], "background": True}
    await product.call("POST", "/chat", body)
    await upstream.wait_for_request()
    async with chat(product, tmp_path, "-c") as terminal:
        await prompt(terminal)
        assert "stopped" in await say(terminal, "/stop")
        assert "nothing is being answered" in await say(terminal, "/stop")


async def test_a_model_is_chosen_for_a_new_session_and_for_one_that_is_there(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with chat(product, tmp_path, "--model", "deepseek/deepseek-chat") as terminal:
        await prompt(terminal)
        await say(terminal, "say: one")
        assert order_of(upstream)["thinking"] == {"type": "disabled"}
        assert "deepseek/deepseek-v4-pro" in await say(terminal, "/model deepseek-v4-pro")
        await say(terminal, "say: two")
        assert order_of(upstream)["model"] == "deepseek-v4-pro"
        assert "deepseek/deepseek-chat" in await say(terminal, "/models")


async def test_sessions_are_listed_opened_named_and_left(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        await say(terminal, "say: one")
        assert "Tides" in await say(terminal, "/title Tides")
        await say(terminal, "/new")
        await say(terminal, "say: two")
        listed = await say(terminal, "/sessions")
        assert "Tides" in listed
        assert listed.index("say: two") < listed.index("Tides")
        terminal.type("/open 1")
        assert "› say: one" in await terminal.shows("session 1: Tides")
        await prompt(terminal)
        await say(terminal, "say: three")
        asked = [one["content"] for one in order_of(upstream)["messages"]]
        assert asked == ["say: one", "one", "say: three"]


async def test_a_system_prompt_a_file_and_thoughts_are_for_the_next_questions(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    (tmp_path / "n.txt").write_text("Milk, eggs", "utf-8")
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        await say(terminal, "/system Be brief.")
        await say(terminal, "/file n.txt")
        await say(terminal, "/reasoning off")
        upstream.play(Answer(text="yes", reasoning="Secret thoughts"))
        await say(terminal, "Look")
        system, question = order_of(upstream)["messages"]
        assert system["content"] == "Be brief."
        assert "Milk, eggs" in question["content"]
        assert "thought for 0 s" in terminal.screen
        assert "Secret" not in terminal.screen


async def test_retry_asks_again_beside_the_first_answer(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        upstream.play(Answer(text="heads", reasoning_tokens=0))
        await say(terminal, "Toss a coin")
        upstream.play(Answer(text="tails", reasoning_tokens=0))
        assert "tails" in await say(terminal, "/retry")
    _, session = await product.call("GET", "/sessions/1")
    assert [one["content"] for one in session["messages"]] == ["Toss a coin", "tails"]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("/modle", "there is no /modle: did you mean /model?"),
        ("/xyz", "there is no /xyz: /help lists what there is"),
        ("/resume", "nothing was said yet: ask something, or /open a session"),
        ("/open first", "name a session by its number"),
        ("/open 99", "session 99"),
        ("/reasoning maybe", "say /reasoning on, or /reasoning off"),
        ("/file nowhere.txt", "nowhere.txt cannot be read"),
    ],
)
async def test_what_cannot_be_done_is_one_line_and_the_talk_goes_on(
    product: Product, tmp_path: Path, typed: str, sentence: str
) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        assert sentence in await say(terminal, typed)
        assert "hello" in await say(terminal, "say: hello")


async def test_a_failure_of_the_vendor_is_its_sentence_and_the_talk_goes_on(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        upstream.play(Status(402))
        assert "balance" in (await say(terminal, "Hi")).lower()
        assert "hello" in await say(terminal, "say: hello")


async def test_a_text_of_many_lines_is_one_question_and_stays_one_in_the_history(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        terminal.type('"""')
        await terminal.shows("… ")
        terminal.type("say: one")
        await terminal.shows("… ")
        terminal.type('two"""')
        await prompt(terminal)
        assert order_of(upstream)["messages"][0]["content"] == "say: one\ntwo"
        terminal.press("\x1b[200~say: three\nfour\x1b[201~\r")  # pasted
        await prompt(terminal)
        assert order_of(upstream)["messages"][-1]["content"] == "say: three\nfour"
    history = tmp_path / "state" / "lite-llm-chat" / "history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.parent.stat().st_mode & 0o777 == 0o700
    kept = [json.loads(line) for line in history.read_text("utf-8").splitlines()]
    assert kept == ["say: one\ntwo", "say: three\nfour"]
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        terminal.press("\x1b[A")
        await terminal.shows("four")


async def test_tab_completes_commands_and_models(product: Product, tmp_path: Path) -> None:
    async with chat(product, tmp_path) as terminal:
        await prompt(terminal)
        terminal.press("/rea\t")
        await terminal.shows("/reasoning")
        terminal.type(" off")
        await prompt(terminal)
        terminal.press("/model deepseek/deepseek-v4-p\t")
        await terminal.shows("deepseek/deepseek-v4-pro")


async def test_without_a_terminal_lines_are_read_and_the_text_is_plain(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.play(Answer(text="**bold** \x1b[31mred", reasoning_tokens=0))
    said = await command(
        tmp_path, "chat", "--url", product.url, stdin=b"Hi\n/title\n/quit\nnever\n"
    )
    assert (said.code, said.err) == (0, "")
    assert "**bold** [31mred\n" in said.out
    assert "\x1b" not in said.out
    assert "[bye]" in said.out
    assert len(upstream.chats) == 1


async def test_no_colour_means_plain_text_in_a_terminal_too(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.play(Answer(text="**bold**", reasoning="Hm."))
    words = ("chat", "--url", product.url)
    async with Terminal(tmp_path, *words, env={"NO_COLOR": "1"}) as terminal:
        await prompt(terminal)
        assert "[thinking] Hm.\n\n**bold**" in await say(terminal, "Hi")


async def test_a_talk_that_cannot_begin_is_one_sentence(tmp_path: Path) -> None:
    said = await command(tmp_path, "chat", "--url", "http://127.0.0.1:9")
    assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)
