"""Sessions: made, read, listed in order, changed, deleted, also while they are being answered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from lite_llm_chat.errors import RuleBroken
from lite_llm_chat.store.tables import messages as message_rows
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import hold, messages, order_of, spoken
from .truth import post_bytes, send

KEYS = [
    *("id", "title", "provider", "model", "created_at", "updated_at", "message_count"),
    *("leaf_id", "forked_from"),
    *("title_by", "pinned", "unread", "archived_at", "deleted_at", "folder_id", "tags", "source"),
    *("system_prompt", "options", "preset", "temporary"),
]


async def make(product: Product, **fields: object) -> int:
    status, session = await product.call("POST", "/sessions", fields)
    assert status == 201, session
    return int(session["id"])


async def ids(product: Product, query: str = "") -> list[int]:
    status, listed = await product.call("GET", f"/sessions{query}")
    assert status == 200, listed
    return [one["id"] for one in listed]


@pytest.mark.readme("endpoint-session-create", "status-201", "feature-sessions", "schema-session")
async def test_a_created_session_is_this_object(product: Product) -> None:
    wanted = {"title": "Plans", "provider": "deepseek", "model": "deepseek-reasoner"}
    status, session = await product.call("POST", "/sessions", wanted)
    assert status == 201
    assert list(session) == KEYS
    assert session["created_at"] == session["updated_at"]
    assert {name: session[name] for name in wanted} == wanted
    assert (session["id"], session["message_count"]) == (1, 0)


@pytest.mark.readme("endpoint-session-read", "schema-message")
async def test_a_session_is_read_with_its_messages_oldest_first(product: Product) -> None:
    await (await product.ask("say: hello", title="Greeting")).rest()
    status, session = await product.call("GET", "/sessions/1")
    assert status == 200
    assert list(session) == [*KEYS, "messages"]
    assert session["title"] == "Greeting"
    assert session["message_count"] == 2
    assert [(one["id"], one["parent_id"]) for one in session["messages"]] == [(1, None), (2, 1)]
    assert await spoken(product) == [("user", "say: hello"), ("assistant", "hello")]


async def test_a_session_without_wishes_gets_the_defaults(product: Product) -> None:
    status, session = await product.call("POST", "/sessions", {})
    assert status == 201
    assert session["provider"] == "deepseek"
    _, models = await product.call("GET", "/models?provider=deepseek")
    assert session["model"] == models[0]["id"]
    assert session["title"]


async def test_a_title_has_1_to_255_characters(product: Product) -> None:
    for good in ("x", "é" * 255, "🙂" * 255, "it's; DROP TABLE --"):
        status, session = await product.call("POST", "/sessions", {"title": good})
        assert (status, session["title"]) == (201, good)
        status, session = await product.call("PATCH", "/sessions/1", {"title": good})
        assert (status, session["title"]) == (200, good)
    for bad in ("", "  \n", "a\0", "x" * 256, 7, ["x"]):
        for method, path in (("POST", "/sessions"), ("PATCH", "/sessions/1")):
            status, problem = await product.call(method, path, {"title": bad})
            assert (status, problem["code"]) == (422, "validation_error"), (method, bad)
        status, _ = await product.call("POST", "/chat", question("Hi", title=bad))
        assert status == 422


async def test_a_new_session_is_called_after_its_first_question(product: Product) -> None:
    await (await product.ask("say: hi", title="My Chat")).rest()
    await (await product.ask("How   do I\nbake bread?\nsay: warmly")).rest()
    await (await product.ask("long " * 40)).rest()
    _, listed = await product.call("GET", "/sessions")
    titles = [one["title"] for one in listed]
    assert titles[2] == "My Chat"
    assert titles[1] == "How do I bake bread? say: warmly"
    assert titles[0].endswith("…")
    assert len(titles[0]) <= 61


@pytest.mark.readme("endpoint-sessions-list")
async def test_the_most_recently_updated_session_comes_first(product: Product) -> None:
    for title in ("one", "two", "three"):
        await make(product, title=title)
    assert await ids(product) == [3, 2, 1]
    await (await product.ask("say: hi", session_id=1)).rest()
    assert await ids(product) == [1, 3, 2]
    await product.call("PATCH", "/sessions/2", {"title": "two again"})
    assert await ids(product) == [2, 1, 3]
    await product.call("PATCH", "/sessions/3", {})
    assert await ids(product) == [2, 1, 3]


async def test_the_list_is_cut_into_pages(product: Product) -> None:
    for _ in range(5):
        await make(product)
    assert await ids(product, "?skip=1&limit=2") == [4, 3]
    assert await ids(product, "?skip=4") == [1]
    assert await ids(product, "?skip=5") == []
    assert await ids(product, f"?skip={2**63 - 1}") == []
    assert await ids(product, "?limit=1000") == [5, 4, 3, 2, 1]
    for query in ("skip=-1", "limit=0", "limit=1001", "limit=x", f"skip={2**63}", "limit=1.5"):
        reply = await send(product, "GET", f"/api/v1/sessions?{query}")
        assert reply.verdict == (422, "validation_error"), query


@pytest.mark.readme("endpoint-session-update")
async def test_a_change_touches_only_what_it_names(product: Product) -> None:
    await make(product, title="Before", model="deepseek-chat")
    _, before = await product.call("GET", "/sessions/1")
    status, after = await product.call("PATCH", "/sessions/1", {"title": "After"})
    assert status == 200
    assert list(after) == KEYS
    assert after["updated_at"] > before["updated_at"]
    del before["messages"]
    assert after == before | {"title": "After", "updated_at": after["updated_at"]}
    status, changed = await product.call("PATCH", "/sessions/1", {"model": "deepseek-v4-pro"})
    assert (changed["title"], changed["model"]) == ("After", "deepseek-v4-pro")
    status, same = await product.call("PATCH", "/sessions/1", {"title": None, "odd": 1})
    assert (status, same) == (200, changed)


async def test_a_change_to_nobody_changes_nothing(product: Product) -> None:
    await make(product, title="Before")
    body = b'{"title": "After", "provider": "nobody"}'
    reply = await send(
        product, "PATCH", "/api/v1/sessions/1", body, {"content-type": "application/json"}
    )
    assert reply.verdict == (422, "unknown_provider")
    _, session = await product.call("GET", "/sessions/1")
    assert session["title"] == "Before"


@pytest.mark.readme("endpoint-session-delete", "status-204", "status-404")
async def test_a_deleted_session_is_gone_with_all_that_was_in_it(product: Product) -> None:
    stream = await product.ask("say: hi")
    await stream.rest()
    await make(product)
    reply = await send(product, "DELETE", "/api/v1/sessions/1")
    assert (reply.status, reply.body) == (204, b"")
    for path in ("/sessions/1", f"/generations/{stream.headers['X-Generation-Id']}"):
        assert (await send(product, "GET", f"/api/v1{path}")).verdict[0] == 404
    assert (await send(product, "DELETE", "/api/v1/sessions/1")).verdict == (
        404,
        "session_not_found",
    )
    assert await ids(product) == [2]
    assert await make(product) == 3, "an id is never given twice"


async def test_all_sessions_can_be_deleted_at_once(product: Product) -> None:
    for _ in range(3):
        await make(product)
    for _ in range(2):
        reply = await send(product, "DELETE", "/api/v1/sessions")
        assert (reply.status, reply.body) == (204, b"")
        assert await ids(product) == []


@pytest.mark.parametrize("path", ["/sessions/1", "/sessions"])
async def test_deleting_what_is_being_answered_stops_the_answer_first(
    product: Product, upstream: DeepSeekStandIn, path: str
) -> None:
    hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    await stream.until("content")
    assert (await send(product, "DELETE", f"/api/v1{path}")).status == 204
    await upstream.wait_for_disconnect()
    frames = await stream.rest()
    assert [frame.data["code"] for frame in frames] == ["cancelled"]
    assert await ids(product) == []
    generation = f"/api/v1/generations/{stream.headers['X-Generation-Id']}"
    assert (await send(product, "GET", generation)).verdict == (404, "generation_not_found")
    assert upstream.in_flight == 0


async def test_unknown_sessions_are_404_everywhere(product: Product) -> None:
    json = {"content-type": "application/json"}
    for method, path, body in (
        ("GET", "/sessions/9", None),
        ("PATCH", "/sessions/9", b'{"title": "x"}'),
        ("DELETE", "/sessions/9", None),
        ("DELETE", "/sessions/9/truncate/1", None),
        ("GET", "/sessions/9/events", None),
        ("POST", "/chat", b'{"session_id": 9, "messages": [{"role": "user", "content": "x"}]}'),
    ):
        reply = await send(product, method, f"/api/v1{path}", body, json if body else None)
        assert reply.verdict == (404, "session_not_found"), path
    for path in ("/sessions/0", "/sessions/-1", f"/sessions/{2**63}", "/sessions/abc"):
        assert (await send(product, "GET", f"/api/v1{path}")).verdict[0] == 422, path


async def test_a_session_remembers_whom_it_was_asked_of(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: a", model="deepseek-v4-pro")).rest()
    bare = b'{"session_id": 1, "stream": false, "messages": [{"role": "user", "content": "b"}]}'
    assert (await post_bytes(product, "/api/v1/chat", bare)).status == 200
    assert [order_of(upstream, n)["model"] for n in (0, 1)] == ["deepseek-v4-pro"] * 2
    await (await product.ask("say: c", session_id=1, model="deepseek-chat")).rest()
    _, session = await product.call("GET", "/sessions/1")
    assert session["model"] == "deepseek-chat"


async def test_a_message_may_be_answered_by_another_model_only_this_once(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: a", model="deepseek-chat")).rest()
    for wish in ({"message_model": "deepseek-v4-pro"}, {"message_provider": "deepseek"}):
        body = {"session_id": 1, "messages": [{"role": "user", "content": "say: b"}], **wish}
        await (await product.stream("/chat", body)).rest()
    _, session = await product.call("GET", "/sessions/1")
    assert (session["provider"], session["model"]) == ("deepseek", "deepseek-chat")
    models = [one["model"] for one in await messages(product) if one["role"] == "assistant"]
    assert models == ["deepseek-chat", "deepseek-v4-pro", "deepseek-chat"]


async def test_a_new_session_is_the_models_it_was_asked_of_not_of_the_first_message(
    product: Product,
) -> None:
    await (
        await product.ask("say: a", model="deepseek-chat", message_model="deepseek-v4-pro")
    ).rest()
    _, session = await product.call("GET", "/sessions/1")
    assert session["model"] == "deepseek-chat"
    assert session["messages"][1]["model"] == "deepseek-v4-pro"


@pytest.mark.readme("feature-sqlite-history", "variable-database-url")
async def test_the_history_is_in_the_database_file_and_there_after_a_restart(
    product: Product, tmp_path: Path
) -> None:
    await (await product.ask("say: remember me")).rest()
    before = await product.call("GET", "/sessions/1")
    await product.restart()
    assert await product.call("GET", "/sessions/1") == before
    assert (tmp_path / "chat.db").read_bytes().startswith(b"SQLite format 3\x00")


@pytest.mark.readme("schema-message-session-key")
async def test_there_is_no_message_without_its_session(product: Product) -> None:
    await (await product.ask("say: hi")).rest()
    await send(product, "DELETE", "/api/v1/sessions/1?permanent=true")
    count = select(func.count()).select_from(message_rows)
    assert await product.parts.database.read(lambda conn: conn.execute(count).scalar_one()) == 0
    stray = insert(message_rows).values(
        session_id=1, role="user", content="x", created_at=datetime.now(UTC)
    )
    with pytest.raises(RuleBroken):
        await product.parts.database.write(lambda conn: conn.execute(stray).rowcount)
