"""Links: a snapshot for whoever has its token, until it ends or is taken back."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from lite_llm_chat.exporters import snapshots
from lite_llm_chat.exporters.page import LINK_POLICY
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .attach import kept, pdf, png
from .follow import begin, hold
from .marked import Page, dangers
from .truth import Reply, post_bytes, send
from .whole import Said, Whole, answer, attached, keep, parts, run

TALK = Whole(
    "Of <talks>",
    (
        Said("system", "A private prompt"),
        Said("user", "First question", 0),
        answer("First **answer**", 1, reasoning="A private thought"),
        Said("user", "Second question", 2),
        answer("Second answer", 3),
        answer("Another answer", 3),
    ),
    4,
    {"system_prompt": "A private rule", "source": "chatgpt", "source_id": "private-7"},
    ("private-tag",),
)


async def ask_for(product: Product, session_id: int, **wanted: Any) -> Reply:
    path = f"/api/v1/sessions/{session_id}/shares"
    return await post_bytes(product, path, json.dumps(wanted).encode())


async def share(product: Product, session_id: int, **wanted: Any) -> Any:
    reply = await ask_for(product, session_id, **wanted)
    assert reply.status == 201, reply.body
    return reply.json


async def look(product: Product, link: Any, more: str = "") -> Reply:
    return await send(product, "GET", f"{link['url']}{more}")


async def rows(product: Product, statement: str) -> list[Any]:
    return await product.parts.database.read(lambda conn: list(conn.execute(text(statement))))


# ── the page ──────────────────────────────────────────────────────────────────────────────────


async def test_whoever_has_the_link_sees_the_talk_and_nothing_else(product: Product) -> None:
    link = await share(product, await keep(product, TALK))
    reply = await look(product, link)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    html = reply.body.decode()
    page = Page(html)
    assert dangers(html, styles=1) == []
    for said in ("Of <talks>", "First question", "First answer", "Second answer", "deepseek-chat"):
        assert said in page.text, said
    assert "Another answer" not in html
    found = await look(product, link, ".json")
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    assert [one["content"] for one in found.json["messages"]] == [
        *("First question", "First **answer**", "Second question", "Second answer"),
    ]
    assert all("rivate" not in one.body.decode() for one in (reply, found))


async def test_a_page_asks_every_reader_to_keep_it_to_himself(product: Product) -> None:
    link = await share(product, await keep(product, TALK))
    for address in (link["url"], f"{link['url']}.json", "/s/unknown", "/s/unknown.json"):
        headers = (await send(product, "GET", address)).headers
        assert headers["content-security-policy"] == LINK_POLICY
        assert headers["cache-control"] == "private, no-store"
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers


async def test_a_link_shows_what_was_there_when_it_was_made(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await (await product.ask("say: Before")).rest()
    (session,) = (await product.call("GET", "/sessions"))[1]
    link = await share(product, session["id"])
    await (await product.ask("say: Afterwards", session_id=session["id"])).rest()
    await product.call("PATCH", f"/sessions/{session['id']}", {"title": "Renamed"})
    for _ in range(2):
        page = (await look(product, link)).body.decode()
        assert "Before" in page
        assert "Afterwards" not in page
        assert "Renamed" not in page
        await product.restart()
    again = await share(product, session["id"])
    assert "Afterwards" in (await look(product, again)).body.decode()


async def test_a_running_answer_is_shared_as_far_as_it_is(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there, friend", 1)
    stream = await product.ask("Greet me")
    await begin(product, stream)
    link = await share(product, 1)
    gate.open()
    await stream.rest()
    page = Page((await look(product, link)).body.decode())
    assert "Hello" in page.text
    assert "friend" not in page.text
    assert "interrupted before its end" in page.text


async def test_a_branch_may_be_chosen_by_its_last_message(product: Product) -> None:
    session_id = await keep(product, TALK)
    ids = [row.id for row in await rows(product, "SELECT id FROM chat_messages ORDER BY id")]
    other = await share(product, session_id, message_id=ids[5])
    assert "Another answer" in (await look(product, other)).body.decode()
    short = await share(product, session_id, message_id=ids[2])
    assert "Second question" not in (await look(product, short)).body.decode()
    foreign = await keep(product, Whole("B", (Said("user", "Q"),)))
    refused = await ask_for(product, foreign, message_id=ids[2])
    assert refused.verdict == (404, "message_not_found")


async def test_thoughts_and_tools_are_shown_only_if_that_was_asked(product: Product) -> None:
    said = parts(
        ("reasoning", "private thought"),
        ("tool_call", {"id": "c", "name": "private_tool", "arguments": "{}"}),
        ("tool_result", {"call_id": "c", "content": "private result"}),
        ("seal", {"maker": "anthropic", "data": "sealed"}),
        ("text", "The answer"),
    )
    whole = (
        *(Said("user", "Q"), answer("The answer", 0, parts=said)),
        Said("tool", "private output", 1, {"call_id": "c"}),
    )
    session_id = await keep(product, Whole("T", whole))
    for more in ("", ".json"):
        plain = await look(product, await share(product, session_id), more)
        assert "rivate" not in plain.body.decode()
        full = await look(product, await share(product, session_id, with_reasoning=True), more)
        for word in ("thought", "_tool", "result", "output"):
            assert f"private{' ' * (word[0] != '_')}{word}" in full.body.decode()
        assert "sealed" not in full.body.decode()


# ── files ─────────────────────────────────────────────────────────────────────────────────────


async def with_files(product: Product) -> tuple[int, dict[str, str]]:
    ids = {
        "picture.png": await kept(product, png(3, 2), "picture.png"),
        "paper.pdf": await kept(product, pdf("words"), "paper.pdf"),
        "page.html": await kept(product, b"<script>alert(1)</script>", "page.html"),
    }
    types = {"picture.png": "image/png", "paper.pdf": "application/pdf", "page.html": "text/plain"}
    file = attached(*((one, name, types[name], 70) for name, one in ids.items()))
    said = Said("user", "Look", None, file, tuple(ids.values())), answer("Nice", 0)
    return await keep(product, Whole("Files", said)), ids


async def test_files_are_there_only_with_the_wish_and_only_those_of_the_talk(
    product: Product,
) -> None:
    session_id, ids = await with_files(product)
    alone = await kept(product, b"nobody attached this", "alone.txt")
    without = await share(product, session_id)
    page = (await look(product, without)).body.decode()
    assert not any(name in page or one in page for name, one in ids.items())
    for one in (*ids.values(), alone):
        assert (await look(product, without, f"/files/{one}")).status == 404
    link = await share(product, session_id, with_files=True)
    html = (await look(product, link)).body.decode()
    assert dangers(html, styles=1) == []
    shown = Page(html)
    (image,) = shown.all("img")
    for url in (image["src"], *(one["href"] for one in shown.all("a"))):
        assert url.startswith(f"{link['url']}/files/")
        assert (await send(product, "GET", url)).status == 200
    assert (await look(product, link, f"/files/{alone}")).status == 404
    assert (await look(product, link, "/files/..%2f..%2fchat.db")).status == 404


async def test_no_file_is_run_by_a_browser(product: Product) -> None:
    session_id, ids = await with_files(product)
    link = await share(product, session_id, with_files=True)
    for name, kind in (("picture.png", "inline"), ("paper.pdf", "attachment"), ("page.html", "")):
        reply = await look(product, link, f"/files/{ids[name]}")
        assert reply.status == 200
        assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "private, no-store"
        wanted = f'{kind or "attachment"}; filename="{name}"'
        assert reply.headers["content-disposition"] == wanted
        assert not reply.headers["content-type"].startswith("text/html")


# ── ends ──────────────────────────────────────────────────────────────────────────────────────


async def gone(product: Product, link: Any, file_id: str) -> None:
    """The link leads nowhere, and says the same as one that never was."""
    for more in ("", ".json", f"/files/{file_id}"):
        never = await send(product, "GET", f"/s/{'x' * 32}{more}")
        reply = await look(product, link, more)
        assert (reply.status, reply.body) == (404, never.body)
        hidden = {"date", "x-request-id"}
        assert {
            name: value for name, value in reply.headers.items() if name.lower() not in hidden
        } == {name: value for name, value in never.headers.items() if name.lower() not in hidden}
    assert (await look(product, link, ".json")).verdict == (404, "share_not_found")


async def test_a_link_that_was_taken_back_is_dead_at_once(product: Product) -> None:
    session_id, ids = await with_files(product)
    link = await share(product, session_id, with_files=True)
    assert (await look(product, link)).status == 200
    path = f"/api/v1/shares/{link['id']}"
    assert (await send(product, "DELETE", path)).status == 204
    await gone(product, link, ids["picture.png"])
    assert (await send(product, "DELETE", path)).status == 204
    assert (await send(product, "DELETE", "/api/v1/shares/99")).verdict == (404, "share_not_found")
    assert await rows(product, "SELECT * FROM share_files") == []
    assert [row.snapshot for row in await rows(product, "SELECT snapshot FROM shares")] == [""]
    (listed,) = (await send(product, "GET", "/api/v1/shares")).json
    assert (listed["open"], bool(listed["revoked_at"])) == (False, True)


async def test_a_link_ends_at_its_moment(product: Product) -> None:
    session_id, ids = await with_files(product)
    link = await share(product, session_id, with_files=True, expires_in_days=7)
    now = product.parts.now()
    until = datetime.fromisoformat(link["expires_at"])
    assert timedelta(days=7, minutes=-5) < until - now <= timedelta(days=7)
    assert (await look(product, link)).status == 200
    object.__setattr__(product.parts, "now", lambda: until - timedelta(microseconds=1))
    assert (await look(product, link)).status == 200
    object.__setattr__(product.parts, "now", lambda: until)
    await gone(product, link, ids["picture.png"])
    (listed,) = (await send(product, "GET", f"/api/v1/sessions/{session_id}/shares")).json
    assert listed["open"] is False


async def test_a_trashed_session_is_shown_to_nobody_until_it_is_back(product: Product) -> None:
    session_id, ids = await with_files(product)
    link = await share(product, session_id, with_files=True)
    assert (await look(product, link)).status == 200
    trashed = "UPDATE chat_sessions SET deleted_at = :at"
    await run(product, trashed, at="2026-03-01 09:30:00.000000")
    await gone(product, link, ids["picture.png"])
    await run(product, trashed, at=None)
    assert (await look(product, link)).status == 200


async def test_nothing_is_left_of_the_links_of_a_deleted_session(product: Product) -> None:
    session_id, ids = await with_files(product)
    link = await share(product, session_id, with_files=True)
    await run(product, "DELETE FROM chat_sessions")
    await gone(product, link, ids["picture.png"])
    assert await rows(product, "SELECT id FROM shares") == []
    assert (await send(product, "DELETE", f"/api/v1/files/{ids['page.html']}")).status == 204


# ── tokens ────────────────────────────────────────────────────────────────────────────────────


async def test_a_token_is_shown_once_and_kept_nowhere(product: Product) -> None:
    session_id = await keep(product, TALK)
    links = [await share(product, session_id) for _ in range(3)]
    tokens = {link["token"] for link in links}
    assert len(tokens) == 3
    for link in links:
        assert link["url"] == f"/s/{link['token']}"
        assert len(link["token"]) == 32  # 192 bits in base64
        listed = await send(product, "GET", "/api/v1/shares")
        assert link["token"] not in listed.body.decode()
    stored = str(await rows(product, "SELECT * FROM shares"))
    assert not any(token in stored for token in tokens)
    assert hashlib.sha256(links[0]["token"].encode()).hexdigest() in stored


@pytest.mark.parametrize("token", ["", ".json", "%00", "%FF%FE", "x" * 5000, "a%2Fb", "é"])
async def test_what_is_no_token_leads_nowhere(product: Product, token: str) -> None:
    assert (await send(product, "GET", f"/s/{token}")).status == 404


# ── making and listing ────────────────────────────────────────────────────────────────────────


async def test_links_are_listed_newest_first(product: Product) -> None:
    first, second = await keep(product, TALK), await keep(product, Whole("B", TALK.said))
    made = [await share(product, one) for one in (first, second, first)]
    listed = (await send(product, "GET", "/api/v1/shares")).json
    assert [one["id"] for one in listed] == [link["id"] for link in reversed(made)]
    assert listed[0] == {name: made[2][name] for name in listed[0]}
    assert set(made[0]) - set(listed[0]) == {"token", "url"}
    page = (await send(product, "GET", "/api/v1/shares?skip=1&limit=1")).json
    assert [one["id"] for one in page] == [made[1]["id"]]
    mine = (await send(product, "GET", f"/api/v1/sessions/{first}/shares")).json
    assert [one["id"] for one in mine] == [made[2]["id"], made[0]["id"]]
    nobody = await send(product, "GET", "/api/v1/sessions/99/shares")
    assert nobody.verdict == (404, "session_not_found")


async def test_a_link_may_end_at_a_given_moment(product: Product) -> None:
    session_id = await keep(product, TALK)
    link = await share(product, session_id, expires_at="2027-03-01T13:00:00+01:00")
    assert link["expires_at"] == "2027-03-01T12:00:00.000000Z"
    whole = await share(product, session_id, expires_in_days=1.0)
    assert whole["open"] is True
    forever = await share(product, session_id)
    assert (forever["expires_at"], forever["open"]) == (None, True)
    assert "This link works until 2027-03-01 12:00 UTC" in (
        (await look(product, link)).body.decode()
    )


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "invalid_expiry"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "invalid_expiry"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "invalid_expiry"),
        ({"expires_at": "2027-03-01T12:00:00"}, "validation_error"),
        ({"expires_in_days": 0}, "validation_error"),
        ({"expires_in_days": 1, "expires_at": "2027-03-01T12:00:00Z"}, "validation_error"),
        ({"message_id": "1"}, "validation_error"),
        ({"expires_in_day": 7}, "validation_error"),
    ],
)
async def test_a_link_that_cannot_be_made_is_refused(
    product: Product, wanted: dict[str, Any], code: str
) -> None:
    session_id = await keep(product, TALK)
    assert (await ask_for(product, session_id, **wanted)).verdict == (422, code)
    assert (await send(product, "GET", "/api/v1/shares")).json == []


async def test_there_must_be_something_to_share(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await ask_for(product, 9)).verdict == (404, "session_not_found")
    empty = await keep(product, Whole("Empty", (Said("system", "Be nice"),)))
    assert (await ask_for(product, empty)).verdict == (409, "nothing_to_share")
    monkeypatch.setattr(snapshots, "LARGEST", 500)
    large = await keep(product, TALK)
    assert (await ask_for(product, large)).verdict == (413, "share_too_large")
