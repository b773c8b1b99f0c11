"""Titles made by a model after the first answer: never late for it, never in a person's way."""

from __future__ import annotations

import asyncio

import pytest

from lite_llm_chat.app import create_app
from lite_llm_chat.config import Settings
from lite_llm_chat.errors import StartupError
from lite_llm_chat.history.naming import LONGEST, title_in
from standins.behaviours import Answer, Cut, Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .conftest import Launch
from .follow import at_end, begin, hold, order_of
from .test_sessions import make


@pytest.fixture
async def product(launch: Launch) -> Product:
    """A product whose conversations are named."""
    return await launch(titles="auto")


def plays(upstream: DeepSeekStandIn, *texts: str) -> None:
    for text in texts:
        upstream.play(Answer(text=text))


async def titles_made() -> None:
    """Wait until no title is being made any more."""
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("title-")]
    if tasks:
        await asyncio.wait(tasks)


async def ask(product: Product, text: str = "How do I bake bread?", **fields: object) -> None:
    status, reply = await product.call("POST", "/chat", question(text, stream=False, **fields))
    assert status == 200, reply


async def titled(product: Product, session_id: int = 1) -> tuple[str, str]:
    _, listed = await product.call("GET", "/sessions")
    [session] = [one for one in listed if one["id"] == session_id]
    return session["title"], session["title_by"]


async def test_a_conversation_is_named_after_its_first_answer_by_who_answered(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    plays(upstream, "Knead it well.", '**Title: "Baking bread at home."**')
    await ask(product)
    _, before = await product.call("GET", "/sessions/1")
    await titles_made()
    assert await titled(product) == ("Baking bread at home", "model")
    order = order_of(upstream)
    assert order["model"] == order_of(upstream, 0)["model"]
    assert order["thinking"] == {"type": "disabled"}
    assert order["max_tokens"] <= 64
    assert "user: How do I bake bread?" in order["messages"][-1]["content"]
    assert "assistant: Knead it well." in order["messages"][-1]["content"]
    _, after = await product.call("GET", "/sessions/1")
    assert after["updated_at"] == before["updated_at"], "a title moves nothing up"
    _, spent = await product.call("GET", "/usage?group_by=session")
    [row] = spent["rows"]
    assert (row["requests"], row["overhead"]["requests"]) == (1, 1)
    await ask(product, "say: more", session_id=1)
    await titles_made()
    assert len(upstream.chats) == 3, "only the first answer is followed by a title"


async def test_an_answer_does_not_wait_for_its_title(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    plays(upstream, "Knead it.")
    gate = hold(upstream, "Baking bread", None)
    await ask(product)
    _, session = await product.call("GET", "/sessions/1")
    assert (session["title_by"], session["messages"][1]["status"]) == ("words", "completed")
    await ask(product, "say: quite", session_id=1)
    gate.open()
    await titles_made()
    assert await titled(product) == ("Baking bread", "model")


@pytest.mark.parametrize("how", ["refused", "cut", "nonsense", "answer", "nothing"])
async def test_a_title_that_fails_changes_nothing_that_is_stored(
    product: Product, upstream: DeepSeekStandIn, how: str
) -> None:
    plays(upstream, "Knead it.")
    match how:
        case "refused":
            upstream.play(Status(500), times=4)
        case "cut":
            upstream.play(Answer(text="Baking bread at home"), Cut(after_tokens=1))
        case "nonsense":
            plays(upstream, "… ***")
        case "answer":
            plays(upstream, "To bake bread you need flour and water. " * 9)
        case _:
            plays(upstream, "")
    await ask(product)
    before = await product.call("GET", "/sessions/1")
    await titles_made()
    assert len(upstream.chats) >= 2
    assert await product.call("GET", "/sessions/1") == before
    assert await titled(product) == ("How do I bake bread?", "words")
    assert before[1]["messages"][1]["content"] == "Knead it."


async def test_a_person_who_renames_meanwhile_is_faster(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    plays(upstream, "Knead it.")
    gate = hold(upstream, "Baking bread", None)
    await ask(product)
    await product.call("PATCH", "/sessions/1", {"title": "How do I bake bread?"})
    gate.open()
    await titles_made()
    assert await titled(product) == ("How do I bake bread?", "person")


async def test_a_session_that_a_person_has_named_is_not_named(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await ask(product, title="Mine")
    await make(product, title="Made before")
    await ask(product, session_id=2)
    await titles_made()
    assert [await titled(product, one) for one in (1, 2)] == [
        ("Mine", "person"),
        ("Made before", "person"),
    ]
    assert len(upstream.chats) == 2


async def test_an_answer_that_is_not_whole_is_no_reason_for_a_title_but_the_next_one_is(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Status(402))
    plays(upstream, "Knead it.", "Baking bread")
    status, _ = await product.call("POST", "/chat", question("How?", stream=False))
    assert status == 502
    await titles_made()
    assert len(upstream.chats) == 1
    _, session = await product.call("GET", "/sessions/1")
    answer = session["messages"][1]["id"]
    status, _ = await product.call("POST", f"/messages/{answer}/regenerate", {"stream": False})
    assert status == 200
    await titles_made()
    assert await titled(product) == ("Baking bread", "model")


async def test_a_session_that_is_deleted_meanwhile_gets_no_title(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    plays(upstream, "Knead it.")
    gate = hold(upstream, "Baking bread", None)
    await ask(product)
    await product.call("DELETE", "/sessions/1")
    gate.open()
    await titles_made()
    _, back = await product.call("POST", "/sessions/1/restore")
    assert back["title_by"] == "words"


async def test_no_title_is_begun_while_the_server_stops(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Knead it.")
    stream = await product.ask("How?")
    generation = await begin(product, stream)
    product.parts.chat._engine.draining = True
    gate.open()
    assert (await at_end(product, generation))["status"] == "completed"
    await titles_made()
    assert len(upstream.chats) == 1
    assert await titled(product) == ("How?", "words")
    status, problem = await product.call("POST", "/sessions/1/title")
    assert (status, problem["code"]) == (503, "draining")


async def test_a_server_that_stops_gives_up_the_title_that_is_being_made(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    plays(upstream, "Knead it.")
    hold(upstream, "Baking bread", None)
    await ask(product)
    while len(upstream.chats) < 2:
        await upstream.wait_for_request()
    await product.restart()
    await upstream.wait_for_disconnect()
    assert await titled(product) == ("How do I bake bread?", "words")


async def test_with_titles_off_nobody_is_asked_but_by_request(
    launch: Launch, upstream: DeepSeekStandIn
) -> None:
    product = await launch(titles="off")
    plays(upstream, "Knead it.", "Baking bread")
    await ask(product)
    await titles_made()
    assert len(upstream.chats) == 1
    status, session = await product.call("POST", "/sessions/1/title")
    assert (status, session["title"], session["title_by"]) == (200, "Baking bread", "model")


async def test_a_new_title_is_made_on_request_though_a_person_made_the_old_one(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await ask(product, title="Mine")
    plays(upstream, "Brot backen")
    status, session = await product.call("POST", "/sessions/1/title")
    assert (status, session["title"], session["title_by"]) == (200, "Brot backen", "model")
    upstream.play(Status(400))
    status, problem = await product.call("POST", "/sessions/1/title")
    assert (status, problem["code"]) == (502, "no_title")
    assert await titled(product) == ("Brot backen", "model")
    await make(product)
    status, problem = await product.call("POST", "/sessions/2/title")
    assert (status, problem["code"]) == (409, "nothing_to_name")
    status, problem = await product.call("POST", "/sessions/9/title")
    assert (status, problem["code"]) == (404, "session_not_found")


async def test_a_long_conversation_is_named_by_its_beginning_and_its_end(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    for number in range(4):
        fields = {"session_id": 1} if number else {"title": "Mine"}
        await ask(product, f"say: word{number}", **fields)
    plays(upstream, "Words")
    await product.call("POST", "/sessions/1/title")
    shown = order_of(upstream)["messages"][-1]["content"]
    assert [f"say: word{number}" in shown for number in range(4)] == [True, False, False, True]


async def test_another_model_may_be_set_for_titles(
    launch: Launch, upstream: DeepSeekStandIn
) -> None:
    product = await launch(titles="auto", title_model="deepseek/deepseek-v4-pro")
    plays(upstream, "Knead it.", "Baking bread")
    await ask(product)
    await titles_made()
    assert order_of(upstream)["model"] == "deepseek-v4-pro"


@pytest.mark.parametrize("name", ["nobody/x", "deepseek/", "deepseek"])
async def test_a_wrong_model_for_titles_ends_the_start_with_a_sentence(
    settings: Settings, name: str
) -> None:
    app = create_app(settings.model_copy(update={"title_model": name}))
    with pytest.raises(StartupError) as caught:
        async with app.framework.router.lifespan_context(app.framework):
            pass
    assert caught.value.detail.startswith("TITLE_MODEL: ")


@pytest.mark.parametrize(
    ("reply", "title"),
    [
        ("Baking bread", "Baking bread"),
        ('"Baking bread."', "Baking bread"),
        ("# **Baking bread**\n", "Baking bread"),
        ("Here is a title:\n\n1. 'Baking bread'", "Baking bread"),
        ("Der Titel: Brot backen", "Der Titel: Brot backen"),
        ("Titel: „Brot backen“", "Brot backen"),
        ("標題：「麵包」", "麵包"),
        ("The title: `snake_case` names", "snake_case names"),
        ('"A" and "B"', '"A" and "B"'),
        ("<think>\nWell: bread?\n</think>\nBaking bread", "Baking bread"),
        ("C++\tand \u200b Rust\r\n", "C++ and Rust"),
        ("What is love?", "What is love?"),
        ("To be continued...", "To be continued..."),
        ("", None),
        ("***", None),
        ("{}", None),
        ("x" * 151, None),
        ("one\ntwo\nthree\nfour\nfive", None),
        ("The answer:", None),
    ],
)
def test_what_a_model_says_becomes_a_title_or_none(reply: str, title: str | None) -> None:
    assert title_in(reply) == title


@pytest.mark.parametrize("reply", ["word " * 25, "x" * 100, "é, " * 40])
def test_a_long_title_is_cut_where_a_word_ends(reply: str) -> None:
    title = title_in(reply)
    assert title is not None
    assert len(title) <= LONGEST
    assert title.endswith("…")
    assert title[-2] not in " ,"


async def test_each_of_a_crowd_is_named_until_too_many_wait(
    product: Product, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.always(Answer(text="Words"))
    await asyncio.gather(*(ask(product, f"word {number}") for number in range(6)))
    await titles_made()
    _, listed = await product.call("GET", "/sessions")
    assert [one["title"] for one in listed] == ["Words"] * 6
    monkeypatch.setattr("lite_llm_chat.history.titles.MOST_WAITING", 1)
    gate = hold(upstream, "Held")
    held = asyncio.create_task(ask(product, "word 6"))
    while upstream.in_flight == 0:
        await product.call("GET", "/health")
    await ask(product, "word 7")
    gate.open()
    await held
    await titles_made()
    assert await titled(product, 8) == ("word 7", "words")
    assert await titled(product, 7) == ("Words", "model")
