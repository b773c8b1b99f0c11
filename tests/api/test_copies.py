"""A session is forked at a message, or copied with all its branches; the old one stays."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import Connection

from lite_llm_chat.history.keeping import remove_condemned
from lite_llm_chat.store import copies
from lite_llm_chat.store import messages as message_rows
from standins.behaviours import Stall
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .attach import ask_about, kept
from .follow import begin, hold, messages, order_of, spoken
from .test_branches import talk
from .test_leaf import again, move

USER, ASSISTANT = "user", "assistant"
OWN = ("id", "parent_id", "generation_id", "siblings")  # of a message: not as in its copy


async def fork(product: Product, message_id: int, **fields: object) -> tuple[int, Any]:
    body = {"message_id": message_id, **fields}
    return await product.call("POST", "/sessions/1/fork", body)


def said(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages without what only one of two copies has."""
    return [{name: one[name] for name in one if name not in OWN} for one in found]


async def test_a_fork_has_what_was_said_up_to_a_message(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one", "two")
    before = await product.call("GET", "/sessions/1")
    status, session = await fork(product, 2)
    assert (status, session["id"], session["forked_from"]) == (201, 2, 2)
    assert (session["message_count"], session["leaf_id"]) == (2, 6)
    assert said(await messages(product, 2)) == said(before[1]["messages"][:2])
    assert [(one["id"], one["parent_id"]) for one in await messages(product, 2)] == [
        *((5, None), (6, 5)),
    ]
    await (await product.ask("say: three", session_id=2)).rest()
    assert [one["content"] for one in order_of(upstream)["messages"]] == [
        *("say: one", "one", "say: three"),
    ]
    assert await product.call("GET", "/sessions/1") == before


async def test_a_fork_may_begin_off_the_active_branch(product: Product) -> None:
    await talk(product, "one", "two")
    await again(product, 2)
    assert (await fork(product, 3))[0] == 201
    expected = [(USER, "say: one"), (ASSISTANT, "one"), (USER, "say: two")]
    assert await spoken(product, 2) == expected


async def test_a_copy_has_all_branches_and_the_same_active_one(product: Product) -> None:
    await talk(product, "one", "two")  # 1 2 3 4
    await again(product, 2)  # 1 5
    await move(product, 2)
    status, session = await product.call("POST", "/sessions/1/copy")
    assert (status, session["forked_from"], session["message_count"]) == (201, None, 4)
    assert said(await messages(product, 2)) == said(await messages(product))
    _, tree = await product.call("GET", "/sessions/2/tree")
    assert [(one["id"], one["parent_id"]) for one in tree["messages"]] == [
        *((6, None), (7, 6), (8, 7), (9, 8), (10, 6)),
    ]
    assert (await messages(product, 2))[1]["siblings"] == [7, 10]


async def test_a_copy_is_a_session_like_the_old_one(product: Product) -> None:
    wanted = {"title": "Plans", "provider": "deepseek", "model": "deepseek-reasoner"}
    await product.call("POST", "/sessions", wanted)
    await product.parts.database.write(_decorate)
    _, session = await product.call("POST", "/sessions/1/copy", {})
    assert {name: session[name] for name in wanted} == wanted
    assert (session["leaf_id"], session["message_count"]) == (None, 0)
    _, named = await product.call("POST", "/sessions/1/copy", {"title": "Mine"})
    assert named["title"] == "Mine"
    kept_of = await product.parts.database.read(_decorations)
    assert kept_of == [("Be brief", "a,b"), ("Be brief", "a,b"), ("Be brief", "a,b")]
    _, listed = await product.call("GET", "/sessions")
    assert [one["id"] for one in listed] == [3, 2, 1]


def _decorate(conn: Connection) -> None:
    conn.exec_driver_sql("UPDATE chat_sessions SET system_prompt = 'Be brief'")
    conn.exec_driver_sql("INSERT INTO session_tags VALUES (1, 'a'), (1, 'b')")


def _decorations(conn: Connection) -> list[tuple[str, str]]:
    query = (
        "SELECT system_prompt, (SELECT group_concat(tag) FROM session_tags WHERE session_id = id)"
        " FROM chat_sessions WHERE deleted_at IS NULL ORDER BY id"
    )
    return [tuple(row) for row in conn.exec_driver_sql(query)]


async def test_the_copy_of_an_answer_is_no_second_one_in_the_usage(product: Product) -> None:
    await talk(product, "one", "two")
    before = await product.call("GET", "/usage")
    await product.call("POST", "/sessions/1/copy")
    await fork(product, 2)
    assert await product.call("GET", "/usage") == before
    answer = (await messages(product, 2))[1]
    assert answer["usage"] == (await messages(product))[1]["usage"]
    assert (answer["model"], answer["generation_id"]) == ("deepseek-chat", None)


async def test_the_copy_of_an_answer_is_answered_again(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one")
    await product.call("POST", "/sessions/1/copy")
    stream = await product.stream("/messages/4/regenerate", {})
    assert (await stream.rest())[-1].data == {"done": True}
    assert (await messages(product, 2))[1]["siblings"] == [4, 5]


async def test_an_answer_in_the_making_is_copied_as_far_as_it_is(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    await begin(product, stream)
    assert (await product.call("POST", "/sessions/1/copy"))[0] == 201
    answer = (await messages(product, 2))[1]
    assert (answer["status"], answer["content"]) == ("interrupted", "Hello")
    gate.open()
    await stream.rest()
    assert (await messages(product))[1]["content"] == "Hello there"
    upstream.play(Stall(after_tokens=0))
    stream = await product.stream("/messages/4/continue", {})
    assert (await stream.until("content")).data == {"content": "Hello"}
    stream.leave()


async def test_files_are_beside_the_words_of_a_copy_too(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    notes = await kept(product, b"milk", "notes.txt")
    await ask_about(product, [notes], "say: one")
    await fork(product, 2)
    (question, _) = await messages(product, 2)
    assert [one["name"] for one in question["attachments"]] == ["notes.txt"]
    assert (await product.call("DELETE", "/sessions/1?permanent=true"))[0] == 204
    _, session = await product.call("GET", "/sessions/2")
    assert session["forked_from"] is None
    await (await product.ask("say: two", session_id=2)).rest()
    assert "milk" in order_of(upstream)["messages"][0]["content"]


async def test_a_fork_needs_a_message_of_its_session(product: Product) -> None:
    await talk(product, "one")
    await (await product.ask("say: other")).rest()
    for message_id in (3, 99):
        status, problem = await fork(product, message_id)
        assert (status, problem["code"]) == (404, "message_not_found")
    for path, body in (("fork", {"message_id": 1}), ("copy", {})):
        status, problem = await product.call("POST", f"/sessions/9/{path}", body)
        assert (status, problem["code"]) == (404, "session_not_found")
    assert (await fork(product, 1, title=" "))[0] == 422
    _, listed = await product.call("GET", "/sessions")
    assert len(listed) == 2


async def test_a_long_session_is_copied_in_small_steps(product: Product) -> None:
    await product.call("POST", "/sessions", {"title": "Long"})
    await product.parts.database.write(_fill)
    steps: list[str] = []
    write = product.parts.database.write

    async def counted(work: Any, early: Any = None) -> Any:
        task = asyncio.current_task()
        if task is not None and task.get_name() != "tidy":
            steps.append("step")
        return await write(work, early)

    product.parts.database.write = counted  # type: ignore[method-assign]
    status, session = await product.call("POST", "/sessions/1/copy")
    assert (status, session["message_count"]) == (201, LONG)
    assert len(steps) == LONG // 100 + 2
    assert said(await messages(product, 2)) == said(await messages(product))


LONG = 1200


def _fill(conn: Connection) -> None:
    """A branch of LONG messages."""
    conn.exec_driver_sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO chat_messages (id, session_id, role, content, created_at, parent_id, depth)"
        " SELECT i, 1, iif(i % 2, 'user', 'assistant'), 'word ' || i,"
        " '2026-11-01 10:00:00.000001', nullif(i - 1, 0), i FROM n",
        (LONG,),
    )
    conn.exec_driver_sql("UPDATE chat_sessions SET leaf_id = ?", (LONG,))


async def test_what_a_crash_left_of_a_copy_is_shown_nowhere_and_removed(product: Product) -> None:
    await talk(product, "one")
    database, at = product.parts.database, product.parts.now()
    whole = await database.read(lambda conn: copies.plan(conn, 1, None))
    copy_id = await database.write(lambda conn: copies.begin(conn, 1, None, None, at))
    found = await database.read(lambda conn: message_rows.some(conn, whole.ids))
    await database.write(lambda conn: copies.append(conn, copy_id, found[:1], {}))
    for query in ("", "?trashed=true"):
        _, listed = await product.call("GET", f"/sessions{query}")
        assert copy_id not in [one["id"] for one in listed]
    assert (await product.call("GET", f"/sessions/{copy_id}"))[0] == 404
    await product.restart()
    await remove_condemned(product.parts.database)
    left = await product.parts.database.read(_ids)
    assert left == [1]
    assert len(await messages(product)) == 2


def _ids(conn: Connection) -> list[int]:
    return [one for (one,) in conn.exec_driver_sql("SELECT id FROM chat_sessions")]


async def test_a_session_that_is_deleted_while_it_is_copied_leaves_no_half(
    product: Product,
) -> None:
    await product.call("POST", "/sessions", {"title": "Long"})
    await product.parts.database.write(_fill)
    read, reached, gone = product.parts.database.read, asyncio.Event(), asyncio.Event()

    async def halting(work: Any) -> Any:
        if getattr(work, "keywords", None):
            reached.set()
            await gone.wait()
        return await read(work)

    product.parts.database.read = halting  # type: ignore[method-assign]
    copying = asyncio.create_task(product.call("POST", "/sessions/1/copy"))
    await reached.wait()
    assert (await product.call("DELETE", "/sessions/1?permanent=true"))[0] == 204
    gone.set()
    status, problem = await copying
    assert (status, problem["code"]) == (404, "session_not_found")
    rows = await read(lambda conn: conn.exec_driver_sql("SELECT id FROM chat_sessions").all())
    assert rows == []
