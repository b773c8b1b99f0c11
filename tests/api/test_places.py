"""Where sessions are put: pinned, archived, unread, in folders, with tags; one or many."""

from __future__ import annotations

from typing import Any

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .follow import at_end, begin, hold
from .test_sessions import ids, make
from .truth import send


async def patch(product: Product, session_id: int, **fields: object) -> Any:
    status, session = await product.call("PATCH", f"/sessions/{session_id}", fields)
    assert status == 200, session
    return session


async def folder(product: Product, name: str, **fields: object) -> int:
    status, made = await product.call("POST", "/folders", {"name": name, **fields})
    assert status == 201, made
    return int(made["id"])


async def bulk(product: Product, action: str, sessions: list[int], **fields: object) -> Any:
    body = {"action": action, "ids": sessions, **fields}
    status, outcome = await product.call("POST", "/sessions/bulk", body)
    assert status == 200, outcome
    return outcome


async def refused(product: Product, method: str, path: str, body: object) -> tuple[int, str]:
    status, problem = await product.call(method, path, body)
    return status, problem["code"]


# ── one session ───────────────────────────────────────────────────────────────────────────────


async def test_putting_a_session_somewhere_does_not_move_it_up(product: Product) -> None:
    for _ in range(3):
        await make(product)
    _, before = await product.call("GET", "/sessions/1")
    del before["messages"]
    work = await folder(product, "Work")
    put = {"pinned": True, "unread": True, "folder_id": work, "tags": ["b", "a"]}
    after = await patch(product, 1, **put)
    assert after == before | put | {"tags": ["a", "b"]}
    assert (await patch(product, 1, archived=True))["archived_at"] > before["created_at"]
    assert (await patch(product, 1, archived=False))["archived_at"] is None
    assert await ids(product) == [3, 2, 1]
    back = await patch(product, 1, pinned=False, unread=False, folder_id=None, tags=[])
    assert back == before


async def test_null_leaves_what_cannot_be_empty_and_empties_what_can(product: Product) -> None:
    await make(product)
    work = await folder(product, "Work")
    put = await patch(product, 1, pinned=True, unread=True, folder_id=work, tags=["a"])
    same = await patch(product, 1, pinned=None, unread=None, archived=None, tags=None, title=None)
    assert same == put
    assert (await patch(product, 1, folder_id=None))["folder_id"] is None


async def test_an_archived_session_keeps_the_moment_and_is_listed_when_asked_for(
    product: Product,
) -> None:
    for _ in range(2):
        await make(product)
    moment = (await patch(product, 1, archived=True))["archived_at"]
    assert (await patch(product, 1, archived=True))["archived_at"] == moment
    assert await ids(product) == [2]
    assert await ids(product, "?archived=false") == [2]
    assert await ids(product, "?archived=true") == [1]
    assert await ids(product, "?archived=any") == [2, 1]
    assert (await product.call("GET", "/sessions/1"))[0] == 200


async def test_tags_are_trimmed_of_one_form_and_each_there_once(product: Product) -> None:
    await make(product)
    typed = [" cafe\u0301 ", "caf\u00e9", "a/b", "x" * 64]
    assert (await patch(product, 1, tags=typed))["tags"] == ["a/b", "caf\u00e9", "x" * 64]
    too_long = (["x" * 65], ["x".ljust(65)], ["e\u0301" * 33])
    for bad in (*too_long, ["a\nb"], [""], [" "], ["a\0"], ["x"] * 33, [7], "a"):
        verdict = await refused(product, "PATCH", "/sessions/1", {"tags": bad})
        assert verdict == (422, "validation_error"), bad
    assert await refused(product, "PATCH", "/sessions/1", {"folder_id": 9}) == (
        404,
        "folder_not_found",
    )


async def test_the_list_is_filtered_by_each_and_by_all_together(product: Product) -> None:
    for _ in range(4):
        await make(product)
    work = await folder(product, "Work")
    await patch(product, 1, pinned=True, tags=["a", "b"], folder_id=work)
    await patch(product, 2, unread=True, tags=["a"])
    await patch(product, 3, folder_id=work, unread=True)
    for query, found in (
        ("pinned=true", [1]),
        ("pinned=false", [4, 3, 2]),
        ("unread=true", [3, 2]),
        ("unread=false", [4, 1]),
        (f"folder_id={work}", [3, 1]),
        ("folder_id=none", [4, 2]),
        ("folder_id=99", []),
        ("tag=a", [2, 1]),
        ("tag=a&tag=b", [1]),
        ("tag=%20a", [2, 1]),
        ("tag=c", []),
        (f"tag=a&folder_id={work}&pinned=true", [1]),
    ):
        assert await ids(product, f"?{query}") == found, query
    for query in ("pinned=x", "folder_id=0", "archived=maybe", "trashed=7"):
        reply = await send(product, "GET", f"/api/v1/sessions?{query}")
        assert reply.verdict == (422, "validation_error"), query


async def test_pages_by_key_show_each_session_once_though_one_moves_up(product: Product) -> None:
    for _ in range(7):
        await make(product)
    _, first = await product.call("GET", "/sessions?limit=3")
    await patch(product, 2, title="now at the top")
    seen, last = [one["id"] for one in first], first[-1]
    while True:
        key = f"{last['updated_at']},{last['id']}"
        _, page = await product.call("GET", f"/sessions?limit=3&before={key}")
        if not page:
            break
        seen += [one["id"] for one in page]
        last = page[-1]
    assert seen == [7, 6, 5, 4, 3, 1]
    for number in (1, 3, 5):
        await product.call("DELETE", f"/sessions/{number}")
    _, [newest, *_] = await product.call("GET", "/sessions?trashed=true&limit=1")
    key = f"{newest['deleted_at']},{newest['id']}"
    assert await ids(product, f"?trashed=true&before={key}") == [3, 1]
    for bad in ("x", "7", "2026-13-03T12:00:00.000000Z,7", f"{last['updated_at']},", ",7"):
        reply = await send(product, "GET", f"/api/v1/sessions?before={bad}")
        assert reply.verdict == (422, "invalid_cursor"), bad


# ── unread ────────────────────────────────────────────────────────────────────────────────────


async def unread(product: Product, session_id: int = 1) -> bool:
    _, session = await product.call("GET", f"/sessions/{session_id}")
    return bool(session["unread"])


async def test_an_answer_that_is_followed_to_its_end_is_read(product: Product) -> None:
    await (await product.ask("say: hi")).rest()
    assert await unread(product) is False
    assert (await product.call("POST", "/chat", question("Hi", stream=False)))[0] == 200
    assert await unread(product, 2) is False


async def test_an_answer_that_nobody_follows_is_unread_until_somebody_says_so_or_asks_on(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    for clear in ("patch", "ask"):
        gate = hold(upstream, "Hello there")
        stream = await product.ask("Hi", session_id=1 if clear == "ask" else None)
        generation = await begin(product, stream)
        stream.leave()
        while product.parts.chat._log.followers(generation):
            await product.call("GET", "/health")
        gate.open()
        await product.parts.chat._log.wait_end(generation)
        assert await unread(product) is True
        await at_end(product, generation)
        assert await unread(product) is True, "to read it changes nothing"
        if clear == "patch":
            assert (await patch(product, 1, unread=False))["unread"] is False
        else:
            await (await product.ask("say: on", session_id=1)).rest()
        assert await unread(product) is False


async def test_an_answer_in_the_background_is_read_by_whoever_follows_it(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there")
    _, ticket = await product.call("POST", "/chat", question("Hi", background=True))
    follower = await product.stream(f"/generations/{ticket['generation_id']}/events")
    await follower.next()
    gate.open()
    await follower.rest()
    assert await unread(product) is False


async def test_who_stops_an_answer_knows_it(product: Product, upstream: DeepSeekStandIn) -> None:
    hold(upstream, "Hello there")
    _, ticket = await product.call("POST", "/chat", question("Hi", background=True))
    await upstream.wait_for_request()
    await product.call("POST", f"/generations/{ticket['generation_id']}/cancel")
    assert await unread(product) is False


async def test_an_answer_that_the_server_left_behind_is_unread(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there")
    _, ticket = await product.call("POST", "/chat", question("Hi", background=True))
    await upstream.wait_for_request()
    await product.restart()
    _, generation = await product.call("GET", f"/generations/{ticket['generation_id']}")
    assert generation["status"] == "interrupted"
    assert await unread(product) is True


# ── folders ───────────────────────────────────────────────────────────────────────────────────


async def test_folders_lie_in_each_other_and_say_how_many_sessions_they_hold(
    product: Product,
) -> None:
    work = await folder(product, "Work", retention_days=30)
    clients = await folder(product, "Clients", parent_id=work)
    for number in (1, 2):
        await make(product)
        await patch(product, number, folder_id=clients)
    await product.call("DELETE", "/sessions/2")
    _, listed = await product.call("GET", "/folders")
    shown = [(one["name"], one["parent_id"], one["session_count"]) for one in listed]
    assert shown == [("Clients", work, 1), ("Work", None, 0)]
    assert [one["retention_days"] for one in listed] == [None, 30]
    status, moved = await product.call(
        "PATCH", f"/folders/{clients}", {"parent_id": None, "name": "Customers"}
    )
    assert (status, moved["parent_id"], moved["name"]) == (200, None, "Customers")
    _, same = await product.call("PATCH", f"/folders/{clients}", {"name": None})
    assert same == moved
    _, kept = await product.call("PATCH", f"/folders/{work}", {"retention_days": None})
    assert kept["retention_days"] is None


async def test_a_folder_is_refused_where_it_does_not_fit(product: Product) -> None:
    path = [await folder(product, "1")]
    for depth in range(2, 9):
        path.append(await folder(product, f"{depth}", parent_id=path[-1]))
    ninth = {"name": "9", "parent_id": path[-1]}
    assert await refused(product, "POST", "/folders", ninth) == (409, "folder_too_deep")
    high = await folder(product, "high")
    await folder(product, "low", parent_id=high)
    verdict = await refused(product, "PATCH", f"/folders/{high}", {"parent_id": path[6]})
    assert verdict == (409, "folder_too_deep")
    for inner in (path[0], path[3]):
        verdict = await refused(product, "PATCH", f"/folders/{path[0]}", {"parent_id": inner})
        assert verdict == (409, "folder_in_itself")
    assert await refused(product, "POST", "/folders", {"name": "1"}) == (409, "folder_exists")
    verdict = await refused(product, "PATCH", f"/folders/{high}", {"name": "1"})
    assert verdict == (409, "folder_exists")
    assert await folder(product, "1", parent_id=high)
    for method, where, body in (
        ("POST", "/folders", {"name": "x", "parent_id": 99}),
        ("PATCH", "/folders/99", {}),
        ("PATCH", f"/folders/{high}", {"parent_id": 99}),
        ("DELETE", "/folders/99", None),
    ):
        assert await refused(product, method, where, body) == (404, "folder_not_found"), where
    for bad in ({"name": ""}, {"name": "x", "retention_days": -1}, {}):
        assert await refused(product, "POST", "/folders", bad) == (422, "validation_error")


@pytest.mark.parametrize("with_sessions", [False, True])
async def test_a_deleted_folder_takes_its_inner_ones_and_only_if_asked_the_sessions(
    product: Product, with_sessions: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.history.trash.STEP", 2)
    work = await folder(product, "Work")
    inner = await folder(product, "Inner", parent_id=work)
    other = await folder(product, "Other")
    for number, place in enumerate((work, inner, inner, inner, other), start=1):
        await make(product)
        await patch(product, number, folder_id=place)
    query = "?with_sessions=true" if with_sessions else ""
    assert (await product.call("DELETE", f"/folders/{work}{query}"))[0] == 204
    assert [one["name"] for one in (await product.call("GET", "/folders"))[1]] == ["Other"]
    assert await ids(product) == ([5] if with_sessions else [5, 4, 3, 2, 1])
    if with_sessions:
        assert sorted(await ids(product, "?trashed=true")) == [1, 2, 3, 4]
        _, back = await product.call("POST", "/sessions/2/restore")
        assert back["folder_id"] is None
    assert await ids(product, "?folder_id=none") == ([2] if with_sessions else [4, 3, 2, 1])


# ── tags ──────────────────────────────────────────────────────────────────────────────────────


async def tags(product: Product) -> dict[str, int]:
    _, listed = await product.call("GET", "/tags")
    return {one["name"]: one["session_count"] for one in listed}


async def test_tags_are_counted_renamed_merged_and_removed_everywhere(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.history.places.STEP", 1)
    for number, own in enumerate((["a", "b/c"], ["a"], ["b/c"]), start=1):
        await make(product)
        await patch(product, number, tags=own)
    assert await tags(product) == {"a": 2, "b/c": 2}
    await product.call("DELETE", "/sessions/3")
    assert await tags(product) == {"a": 2, "b/c": 1}
    assert (await product.call("PATCH", "/tags/b%2Fc", {"name": "a"}))[0] == 204
    assert await tags(product) == {"a": 2}
    _, back = await product.call("POST", "/sessions/3/restore")
    assert back["tags"] == ["a"], "what is in the trash is renamed with the others"
    assert (await product.call("PATCH", "/tags/a", {"name": "a"}))[0] == 204
    assert await tags(product) == {"a": 3}
    for nobodys in ("%20", "%09a", "%00", "a%0A"):
        verdict = await refused(product, "DELETE", f"/tags/{nobodys}", None)
        assert verdict == (422, "validation_error"), nobodys
    assert (await product.call("DELETE", "/tags/a"))[0] == 204
    assert await tags(product) == {}
    assert await refused(product, "DELETE", "/tags/a", None) == (404, "tag_not_found")
    assert await refused(product, "PATCH", "/tags/a", {"name": "b"}) == (404, "tag_not_found")
    assert await refused(product, "PATCH", "/tags/a", {"name": "\n"}) == (422, "validation_error")


# ── many ──────────────────────────────────────────────────────────────────────────────────────


async def test_one_action_for_many_says_how_many_changed_and_who_is_missing(
    product: Product,
) -> None:
    work = await folder(product, "Work")
    for _ in range(3):
        await make(product)
    for action, fields, field, value in (
        ("pin", {}, "pinned", True),
        ("unpin", {}, "pinned", False),
        ("unread", {}, "unread", True),
        ("read", {}, "unread", False),
        ("move", {"folder_id": work}, "folder_id", work),
        ("move", {"folder_id": None}, "folder_id", None),
        ("tag", {"tags": ["a", "b"]}, "tags", ["a", "b"]),
        ("untag", {"tags": ["b", "c"]}, "tags", ["a"]),
    ):
        outcome = await bulk(product, action, [1, 2, 9, 2], **fields)
        assert outcome == {"changed": 2, "missing": [9]}, action
        assert await bulk(product, action, [1, 2], **fields) == {"changed": 0, "missing": []}
        _, listed = await product.call("GET", "/sessions")
        untouched = listed[0][field]
        assert [one[field] for one in listed] == [untouched, value, value], action
    assert await bulk(product, "archive", [1]) == {"changed": 1, "missing": []}
    assert await bulk(product, "archive", [1]) == {"changed": 0, "missing": []}
    assert await bulk(product, "unarchive", [1, 2]) == {"changed": 1, "missing": []}
    assert await ids(product) == [3, 2, 1], "none of this moves a session up"


async def test_many_are_trashed_restored_and_deleted(product: Product) -> None:
    for _ in range(3):
        await (await product.ask("say: hi")).rest()
    assert await bulk(product, "trash", [1, 2, 9]) == {"changed": 2, "missing": [9]}
    assert await bulk(product, "trash", [1]) == {"changed": 0, "missing": [1]}
    assert await bulk(product, "pin", [1, 3]) == {"changed": 1, "missing": [1]}
    assert await bulk(product, "restore", [1, 3, 9]) == {"changed": 1, "missing": [9]}
    assert await bulk(product, "delete", [1, 2, 9]) == {"changed": 2, "missing": [9]}
    assert (await ids(product, "?trashed=true"), await ids(product)) == ([], [3])


async def test_too_many_tags_are_refused_and_nothing_is_changed(product: Product) -> None:
    await make(product)
    await make(product)
    await patch(product, 2, tags=[f"t{number}" for number in range(31)])
    body = {"action": "tag", "ids": [1, 2], "tags": ["a", "b"]}
    assert await refused(product, "POST", "/sessions/bulk", body) == (409, "too_many_tags")
    assert "a" not in await tags(product)


async def test_a_bulk_action_that_makes_no_sense_is_refused(product: Product) -> None:
    await make(product)
    for bad in (
        {"action": "explode", "ids": [1]},
        {"action": "pin", "ids": []},
        {"action": "pin", "ids": list(range(1, 1002))},
        {"action": "move", "ids": [1]},
        {"action": "tag", "ids": [1]},
        {"action": "tag", "ids": [1], "tags": []},
    ):
        verdict = await refused(product, "POST", "/sessions/bulk", bad)
        assert verdict == (422, "validation_error"), bad
    body = {"action": "move", "ids": [1], "folder_id": 9}
    assert await refused(product, "POST", "/sessions/bulk", body) == (404, "folder_not_found")


async def test_the_address_for_many_takes_one_method(product: Product) -> None:
    for method in ("GET", "PATCH", "DELETE", "PUT"):
        verdict = await refused(product, method, "/sessions/bulk", None)
        assert verdict == (405, "method_not_allowed"), method
    async with product.request("PUT", "/sessions/bulk") as response:
        assert response.headers["allow"] == "POST"
