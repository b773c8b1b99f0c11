"""The trash: what is in it is nowhere else, comes back as it was, and leaves in small steps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lite_llm_chat.history.keeping import Keeping
from lite_llm_chat.housekeeping import Tidied, tidy_sessions
from lite_llm_chat.store import trash
from lite_llm_chat.store.database import Connection
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .conftest import Launch
from .follow import begin, hold
from .test_sessions import ids, make

TABLES = ("chat_sessions", "chat_messages", "generations", "events", "session_tags")


async def rows(product: Product, table: str) -> int:
    def work(conn: Connection) -> Any:
        return conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()

    return int(await product.parts.database.read(work))


async def in_trash(product: Product) -> list[int]:
    return await ids(product, "?trashed=true")


async def asked(product: Product, text: str = "say: hi", **fields: object) -> str:
    """Ask and read the answer; the generation's id."""
    stream = await product.ask(text, **fields)
    await stream.rest()
    return stream.headers["X-Generation-Id"]


async def age(product: Product, session_id: int, days: float, column: str = "updated_at") -> None:
    """Make a session older."""
    moment = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")
    statement = f"UPDATE chat_sessions SET {column} = ? WHERE id = ?"

    def work(conn: Connection) -> None:
        conn.exec_driver_sql(statement, (moment, session_id))

    await product.parts.database.write(work)


async def tidied(product: Product, keeping: Keeping, **later: float) -> Tidied:
    at = datetime.now(UTC) + timedelta(**later)
    return await tidy_sessions(product.parts.database, at, keeping)


async def test_a_session_in_the_trash_is_404_everywhere_and_comes_back_as_it_was(
    product: Product,
) -> None:
    generation = await asked(product)
    await product.call("PATCH", "/sessions/1", {"pinned": True, "tags": ["work"]})
    before = await product.call("GET", "/sessions/1")
    assert (await product.call("DELETE", "/sessions/1"))[0] == 204
    question_in_it = question("Hi", session_id=1)
    for method, path, body in (
        ("GET", "/sessions/1", None),
        ("PATCH", "/sessions/1", {"title": "x"}),
        ("DELETE", "/sessions/1", None),
        ("GET", "/sessions/1/events", None),
        ("POST", "/sessions/1/title", None),
        ("DELETE", "/sessions/1/truncate/2", None),
        ("GET", f"/generations/{generation}", None),
        ("GET", f"/generations/{generation}/events", None),
        ("POST", f"/generations/{generation}/cancel", None),
        ("POST", "/messages/2/regenerate", {}),
        ("POST", "/messages/2/continue", {}),
        ("POST", "/chat", question_in_it),
    ):
        status, problem = await product.call(method, path, body)
        assert status == 404, (method, path, problem)
    assert (await ids(product), await in_trash(product)) == ([], [1])
    assert (await product.call("GET", "/tags"))[1] == []
    [lying] = (await product.call("GET", "/sessions?trashed=true"))[1]
    assert lying["deleted_at"] > lying["updated_at"]
    status, back = await product.call("POST", "/sessions/1/restore")
    assert (status, back["deleted_at"]) == (200, None)
    assert await product.call("GET", "/sessions/1") == before
    assert (await product.call("GET", f"/generations/{generation}"))[0] == 200
    assert await product.call("POST", "/sessions/1/restore") == (200, back)


async def test_a_question_whose_session_is_in_the_trash_is_not_replayed(product: Product) -> None:
    key = {"Idempotency-Key": "k"}
    body = question("say: hi", stream=False)
    assert (await product.call("POST", "/chat", body, key))[0] == 200
    await product.call("DELETE", "/sessions/1")
    status, problem = await product.call("POST", "/chat", body, key)
    assert (status, problem["code"]) == (404, "generation_not_found")
    await product.call("DELETE", "/trash")
    assert (await product.call("POST", "/chat", body, key))[0] == 200


async def test_restoring_what_is_nowhere_is_404(product: Product) -> None:
    assert (await product.call("POST", "/sessions/9/restore"))[1]["code"] == "session_not_found"
    await make(product)
    await product.call("DELETE", "/sessions/1?permanent=true")
    assert (await product.call("POST", "/sessions/1/restore"))[1]["code"] == "session_not_found"


@pytest.mark.parametrize("first", ["", "trashed"])
async def test_a_permanent_deletion_leaves_no_row(product: Product, first: str) -> None:
    await asked(product)
    await asked(product, session_id=1)
    await product.call("PATCH", "/sessions/1", {"tags": ["a", "b"]})
    if first:
        await product.call("DELETE", "/sessions/1")
    assert (await product.call("DELETE", "/sessions/1?permanent=true"))[0] == 204
    assert [await rows(product, table) for table in TABLES] == [0] * len(TABLES)
    status, problem = await product.call("DELETE", "/sessions/1?permanent=true")
    assert (status, problem["code"]) == (404, "session_not_found")


async def test_the_trash_is_emptied_and_nothing_else(product: Product) -> None:
    for _ in range(3):
        await asked(product)
    for session_id in (1, 3):
        await product.call("DELETE", f"/sessions/{session_id}")
    assert await in_trash(product) == [3, 1], "most recently deleted first"
    for _ in range(2):
        assert (await product.call("DELETE", "/trash"))[0] == 204
        assert (await in_trash(product), await ids(product)) == ([], [2])
    assert await rows(product, "chat_messages") == 2


async def test_deleting_all_moves_all_to_the_trash(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.history.trash.STEP", 2)
    for _ in range(5):
        await make(product)
    await product.call("DELETE", "/sessions/3?permanent=true")
    assert (await product.call("DELETE", "/sessions"))[0] == 204
    assert await ids(product) == []
    assert sorted(await in_trash(product)) == [1, 2, 4, 5]


async def test_with_no_days_in_the_trash_a_deletion_is_for_good(launch: Launch) -> None:
    product = await launch(trash_days=0)
    await asked(product)
    assert (await product.call("DELETE", "/sessions/1"))[0] == 204
    assert await rows(product, "chat_messages") == 0
    assert (await product.call("POST", "/sessions/1/restore"))[0] == 404


async def test_an_answer_in_the_making_is_stopped_before_its_session_is_trashed(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there")
    generation = await begin(product, await product.ask("Hi"))
    assert (await product.call("DELETE", "/sessions/1"))[0] == 204
    await upstream.wait_for_disconnect()
    await product.call("POST", "/sessions/1/restore")
    _, kept = await product.call("GET", f"/generations/{generation}")
    assert kept["status"] == "cancelled"
    _, session = await product.call("GET", "/sessions/1")
    assert session["messages"][1]["content"] == "Hello"
    assert session["unread"] is False


async def test_a_long_session_leaves_in_steps_and_what_it_took_stays_counted(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        await asked(product, session_id=1) if await ids(product) else await asked(product)
    _, before = await product.call("GET", "/usage?group_by=model")
    monkeypatch.setattr(trash, "MESSAGES_A_STEP", 3)
    monkeypatch.setattr(trash, "EVENTS_A_STEP", 2)
    most = 0

    def step(conn: Connection, run: Any = trash.step) -> bool:
        nonlocal most
        left = conn.exec_driver_sql("SELECT count(*) FROM chat_messages").scalar_one()
        more = bool(run(conn))
        now = conn.exec_driver_sql("SELECT count(*) FROM chat_messages").scalar_one()
        most = max(most, left - now)
        return more

    monkeypatch.setattr(trash, "step", step)
    assert (await product.call("DELETE", "/sessions/1?permanent=true"))[0] == 204
    assert most == 3
    assert [await rows(product, table) for table in TABLES] == [0] * len(TABLES)
    assert await product.call("GET", "/usage?group_by=model") == (200, before)


async def test_what_a_killed_process_left_half_removed_is_in_no_trash_and_goes_at_the_next_tidying(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await asked(product, session_id=1) if await ids(product) else await asked(product)
    monkeypatch.setattr(trash, "MESSAGES_A_STEP", 2)

    def half(conn: Connection) -> None:
        trash.condemn(conn, [1])
        trash.step(conn)

    await product.parts.database.write(half)
    assert await rows(product, "chat_messages") == 4
    assert (await ids(product), await in_trash(product)) == ([], [])
    assert (await product.call("POST", "/sessions/1/restore"))[0] == 404
    assert await tidied(product, Keeping()) == Tidied(0, 0)
    assert [await rows(product, table) for table in TABLES] == [0] * len(TABLES)


async def test_the_trash_forgets_after_its_days(product: Product) -> None:
    for _ in range(2):
        await make(product)
        await product.call("DELETE", f"/sessions/{await rows(product, 'chat_sessions')}")
    await age(product, 1, 31, "deleted_at")
    assert await tidied(product, Keeping()) == Tidied(retired=0, expired=1)
    assert await in_trash(product) == [2]
    assert await tidied(product, Keeping(), days=31) == Tidied(retired=0, expired=1)
    assert await in_trash(product) == []


async def test_what_is_unused_for_long_goes_to_the_trash_but_not_what_is_pinned_or_answered(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    for _ in range(4):
        await make(product)
    hold(upstream, "Hello there")
    await begin(product, await product.ask("Hi", session_id=3))
    await product.call("PATCH", "/sessions/2", {"pinned": True})
    for session_id in (1, 2, 3):
        await age(product, session_id, 8)
    keeping = Keeping(unused=timedelta(days=7))
    assert await tidied(product, keeping) == Tidied(retired=1, expired=0)
    assert await in_trash(product) == [1]
    assert sorted(await ids(product)) == [2, 3, 4]
    assert await tidied(product, Keeping(), days=3650) == Tidied(retired=0, expired=1)


async def test_a_folder_has_its_own_time_and_inner_ones_have_it_too(product: Product) -> None:
    async def folder(**fields: object) -> int:
        return int((await product.call("POST", "/folders", fields))[1]["id"])

    short = await folder(name="Scratch", retention_days=3)
    inner = await folder(name="Inner", parent_id=short)
    kept = await folder(name="For ever", parent_id=short, retention_days=0)
    for place in (short, inner, kept, None):
        session_id = await make(product)
        await product.call("PATCH", f"/sessions/{session_id}", {"folder_id": place})
        await age(product, session_id, 5)
    assert await tidied(product, Keeping(unused=timedelta(days=30))) == Tidied(2, 0)
    assert sorted(await in_trash(product)) == [1, 2]
    assert await tidied(product, Keeping(unused=timedelta(days=4))) == Tidied(1, 0)
    assert sorted(await ids(product)) == [3]


async def test_what_is_restored_does_not_go_again_within_the_hour(launch: Launch) -> None:
    product = await launch(retention_days=7)
    await make(product)
    await age(product, 1, 8)
    keeping = Keeping(unused=timedelta(days=7))
    await tidied(product, keeping)  # unless the server itself was faster
    assert await in_trash(product) == [1]
    await product.call("POST", "/sessions/1/restore")
    assert (await tidied(product, keeping)).retired == 0
    assert await ids(product) == [1]


async def test_many_that_delete_at_once_leave_nothing_behind(product: Product) -> None:
    for _ in range(6):
        await asked(product)
    paths = [f"/sessions/{number}?permanent=true" for number in range(1, 7)]
    deleted = await asyncio.gather(*(product.call("DELETE", path) for path in paths))
    assert {status for status, _ in deleted} == {204}
    assert [await rows(product, table) for table in TABLES] == [0] * len(TABLES)


async def test_what_is_still_being_made_is_in_no_trash(product: Product) -> None:
    await make(product)
    statement = "UPDATE chat_sessions SET deleted_at = '9999-01-01 00:00:00.000000'"
    await product.parts.database.write(lambda conn: conn.exec_driver_sql(statement).rowcount)
    assert (await ids(product), await in_trash(product)) == ([], [])
    assert (await product.call("POST", "/sessions/1/restore"))[0] == 404
    assert (await product.call("DELETE", "/sessions/1?permanent=true"))[0] == 404
    assert (await product.call("DELETE", "/trash"))[0] == 204
    await tidied(product, Keeping(), days=100)
    assert await rows(product, "chat_sessions") == 1
