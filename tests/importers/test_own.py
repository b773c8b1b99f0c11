"""Our own export comes back as it was."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.conftest import Product

from .bring import as_json, branch, bring, counts, rows, sessions, zipped

NOTES = b"my notes"
DIGEST = hashlib.sha256(NOTES).hexdigest()
AT = "2026-01-02T03:04:05.000006Z"
MANIFEST = {"format": "lite-llm-chat", "version": 1}


def said(n: int, parent: int | None, role: str, content: str, **more: Any) -> dict[str, Any]:
    return {
        "n": n,
        "parent": parent,
        "role": role,
        "content": content,
        "created_at": AT,
        "reasoning": None,
        "parts": None,
        "call_id": None,
        "origin": None,
        "source_id": None,
        **more,
    }


def session(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "uid": "u" * 26,
        "title": "Mine",
        "title_by": "model",
        "provider": "deepseek",
        "model": "deepseek-chat",
        "created_at": AT,
        "updated_at": "2026-02-02T03:04:05.000000Z",
        "pinned": True,
        "unread": True,
        "archived_at": AT,
        "folder": ["Work", "Clients"],
        "tags": ["b", "a"],
        "system_prompt": "Be brief",
        "options": {"temperature": 0.5},
        "preset": {"name": "Short", "version": 2},
        "source": None,
        "source_id": None,
        "active": len(messages) or None,
        "messages": list(messages),
        **more,
    }


def export(*listed: dict[str, Any], **files: object) -> bytes:
    version = {
        "provider": None,
        "model": "m",
        "system_prompt": "x",
        "options": {"top_p": 0.5},
        "created_at": AT,
    }
    presets = [{"name": "Short", "versions": [{"version": n, **version} for n in (1, 2)]}]
    folders = [
        {"path": ["Empty"], "retention_days": 30},
        {"path": ["Work"], "retention_days": None},
        {"path": ["Work", "Clients"], "retention_days": 7},
    ]
    head = {"manifest.json": MANIFEST, "folders.json": folders, "presets.json": presets}
    talks = {f"sessions/{one['uid']}.json": one for one in listed}
    return zipped(
        {
            **head,
            **talks,
            f"files/{DIGEST}": NOTES,
            f"files/{DIGEST}.json": {"name": "first-name.txt", "media_type": "text/plain"},
            **files,
        }
    )


ATTACHMENT = {"id": DIGEST, "name": "n.txt", "media_type": "text/plain", "size_bytes": 8}


def whole() -> dict[str, Any]:
    answer = {
        "provider": "deepseek",
        "model": "deepseek-chat",
        "status": "interrupted",
        "usage": {"input": 1, "output": 2},
        "fault": {"code": "shutdown", "detail": "it was cut"},
    }
    return session(
        said(1, None, "user", "Hi", parts=[["attachment", as_json(ATTACHMENT).decode()]]),
        said(2, 1, "assistant", "One", origin=answer, reasoning="Hm"),
        said(3, 1, "assistant", "Two", origin=answer),
        said(4, 3, "user", "More"),
        active=2,
    )


async def test_everything_of_a_session_comes_back(product: Product) -> None:
    empty = session(uid="e" * 26, title="Empty", folder=None, preset=None, options=None)
    done = await bring(product, export(whole(), empty), name="export.zip")
    assert (done["format"], done["error"]) == ("lite-llm-chat", None)
    assert (counts(done), done["messages"], done["files"]) == ({"imported": 2}, 4, 1)
    first, second = await branch(product, "Mine")
    assert [(one["id"], one["name"]) for one in first["attachments"]] == [(DIGEST, "n.txt")]
    assert (second["status"], second["error"]["code"]) == ("interrupted", "shutdown")
    assert (second["thought_process"], second["usage"]["total_tokens"]) == ("Hm", 3)
    [row] = rows(
        product,
        "SELECT s.uid, title_by, pinned, unread, archived_at, s.updated_at, f.name,"
        " f.retention_days, system_prompt, s.options, p.name, preset_version"
        " FROM chat_sessions AS s"
        " JOIN folders AS f ON f.id = folder_id JOIN presets AS p ON p.id = preset_id",
    )
    at = "2026-01-02 03:04:05.000006"
    assert row == (
        *("u" * 26, "model", 1, 1, at, "2026-02-02 03:04:05.000000", "Clients", 7),
        *("Be brief", '{"temperature":0.5}', "Short", 2),
    )
    tags = rows(product, "SELECT tag FROM session_tags ORDER BY tag")
    assert [tag for (tag,) in tags] == ["a", "a", "b", "b"]
    assert rows(product, "SELECT name, retention_days FROM folders WHERE name = 'Empty'") == [
        ("Empty", 30)
    ]
    assert rows(product, "SELECT name FROM files") == [("first-name.txt",)]
    assert rows(product, "SELECT version, options FROM preset_versions") == [
        (1, '{"top_p":0.5}'),
        (2, '{"top_p":0.5}'),
    ]


async def test_a_second_time_changes_nothing_and_a_grown_one_grows(product: Product) -> None:
    await bring(product, export(whole()))
    before = rows(product, "SELECT * FROM chat_messages"), rows(product, "SELECT * FROM presets")
    again = await bring(product, export(whole()))
    assert (counts(again), again["messages"], again["files"]) == ({"already_here": 1}, 0, 0)
    assert before == (
        rows(product, "SELECT * FROM chat_messages"),
        rows(product, "SELECT * FROM presets"),
    )
    grown = whole()
    grown["messages"] += [said(5, 2, "user", "Go on"), said(6, 5, "assistant", "Yes")]
    grown["active"] = 6
    done = await bring(product, export(grown))
    assert (counts(done), done["messages"]) == ({"updated": 1}, 2)
    assert [one["content"] for one in await branch(product, "Mine")] == [
        "Hi",
        "One",
        "Go on",
        "Yes",
    ]
    assert counts(await bring(product, export(grown))) == {"already_here": 1}


async def test_siblings_of_one_moment_are_told_apart(product: Product) -> None:
    both = session(
        said(1, None, "user", "Hi"),
        said(2, 1, "assistant", "Same"),
        said(3, 1, "assistant", "Same"),
        said(4, 3, "user", "On"),
    )
    await bring(product, export(both))
    assert counts(await bring(product, export(both))) == {"already_here": 1}
    assert len(rows(product, "SELECT id FROM chat_messages")) == 4


async def test_an_export_without_a_session_is_an_export(product: Product) -> None:
    bare = zipped({"manifest.json": MANIFEST, "folders.json": [], "presets.json": []})
    done = await bring(product, bare)
    assert (done["status"], done["format"], counts(done)) == ("completed", "lite-llm-chat", {})


async def test_one_session_alone_is_an_export(product: Product) -> None:
    done = await bring(product, as_json(session(said(1, None, "user", "Hi"), preset=None)))
    assert (done["format"], counts(done)) == ("lite-llm-chat", {"imported": 1})
    assert "Mine" in await sessions(product)


async def test_a_file_that_is_not_there_is_named_and_its_message_stays(product: Product) -> None:
    done = await bring(product, as_json(whole()))
    first, _ = await branch(product, "Mine")
    assert (first["content"], first["attachments"]) == ("Hi", None)
    assert done["entries"][0]["notes"] == [
        "the file n.txt is missing: the archive does not hold it"
    ]


async def test_a_broken_session_stops_nothing_and_a_newer_version_everything(
    product: Product,
) -> None:
    broken = session(said(1, None, "robot", "Hi"), uid="b" * 26, title="Broken")
    odd = {**session(), "uid": "o" * 26, "title": "Odd", "created_at": "today"}
    cut = session(said(1, None, "user", "Hi", parts=[["text", 5]]), uid="c" * 26, title="Cut")
    done = await bring(product, export(broken, odd, cut, whole()))
    assert counts(done) == {"imported": 1, "broken": 3}
    newer = zipped({"manifest.json": {**MANIFEST, "version": 2}, "sessions/a.json": whole()})
    done = await bring(product, newer)
    assert (done["status"], counts(done)) == ("failed", {})
    assert "newer version" in done["error"]
