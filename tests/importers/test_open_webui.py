"""Open WebUI: its export, older ones, and its database."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from tests.api.attach import png
from tests.conftest import Product

from .bring import as_json, branch, bring, counts, database, rows, sessions, talk

AT = 1_750_000_000
SCHEMA = """
CREATE TABLE chat (id VARCHAR PRIMARY KEY, user_id VARCHAR, title TEXT, chat JSON,
  created_at BIGINT, updated_at BIGINT, share_id TEXT, archived BOOLEAN, pinned BOOLEAN,
  meta JSON, folder_id TEXT);
CREATE TABLE folder (id TEXT PRIMARY KEY, parent_id TEXT, user_id TEXT, name TEXT);
CREATE TABLE chat_message (id TEXT PRIMARY KEY, chat_id TEXT, user_id TEXT, role TEXT,
  parent_id TEXT, content JSON, output JSON, model_id TEXT, files JSON, usage JSON, done BOOLEAN,
  error JSON, created_at BIGINT, updated_at BIGINT);
"""


def said(key: str, parent: str | None, role: str, content: str, **more: Any) -> dict[str, Any]:
    model = {"model": "llama3"} if role == "assistant" else {}
    return {
        "id": key,
        "parentId": parent,
        "childrenIds": [],
        "role": role,
        "content": content,
        "timestamp": AT,
        **model,
        **more,
    }


def chat(*messages: dict[str, Any], current: str | None = None) -> dict[str, Any]:
    return {
        "title": "Inner",
        "models": ["usual"],
        "history": {
            "currentId": current or messages[-1]["id"],
            "messages": {one["id"]: one for one in messages},
        },
        "messages": [{"id": "flat", "role": "user", "content": "not this"}],
    }


def item(inner: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "w-1",
        "user_id": "u",
        "title": "Web talk",
        "chat": inner,
        "meta": {"tags": ["work", "work", "  a b "]},
        "pinned": True,
        "archived": True,
        "folder_id": None,
        "created_at": AT,
        "updated_at": AT + 5,
        **more,
    }


async def test_a_chat_comes_with_its_branches_its_tags_and_its_state(product: Product) -> None:
    inner = chat(
        said("1", None, "user", "Hi"),
        said("2", "1", "assistant", "Old", done=False),
        said("3", "1", "assistant", "New", usage={"prompt_tokens": 3, "completion_tokens": 4}),
    )
    inner["params"] = {"system": "Be kind"}
    done = await bring(product, as_json([item(inner)]))
    assert (done["format"], counts(done)) == ("open-webui", {"imported": 1})
    _, answered = await branch(product, "Web talk")
    assert (answered["content"], answered["model"]) == ("New", "llama3")
    assert answered["usage"]["total_tokens"] == 7
    assert rows(product, "SELECT tag FROM session_tags ORDER BY tag") == [("a b",), ("work",)]
    [row] = rows(
        product, "SELECT pinned, archived_at IS NULL, system_prompt, source_id FROM chat_sessions"
    )
    assert row == (1, 0, "Be kind", "w-1")
    [(origin,)] = rows(product, "SELECT origin FROM chat_messages WHERE content = 'Old'")
    assert json.loads(origin)["status"] == "interrupted"


async def test_the_output_is_preferred_to_the_text(product: Product) -> None:
    output = [
        {"type": "reasoning", "content": [{"type": "output_text", "text": "Hm"}], "duration": 2},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": [{"text": "2"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Two"}]},
        {"type": "something_new"},
    ]
    html = '<details type="reasoning" done="true"><summary>x</summary>&gt; Hm</details>\nTwo'
    inner = chat(said("1", None, "user", "Hi"), said("2", "1", "assistant", html, output=output))
    await bring(product, as_json([item(inner)]))
    _, answered = await branch(product, "Web talk")
    assert (answered["content"], answered["thought_process"]) == ("Two", "Hm")
    assert [part["type"] for part in answered["parts"]] == [
        *("reasoning", "tool_call", "tool_result", "text"),
    ]


async def test_details_are_taken_out_of_a_text(product: Product) -> None:
    html = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n'
        "&gt; One &amp; two\n&gt; three\n</details>\nFour"
        '<details type="tool_calls" name="x">\n<summary>Ran</summary>\n</details>\n'
        "<details><summary>mine</summary>stays</details>"
    )
    inner = chat(said("1", None, "user", "Hi"), said("2", "1", "assistant", html))
    await bring(product, as_json([item(inner)]))
    _, answered = await branch(product, "Web talk")
    assert answered["thought_process"] == "One & two\nthree"
    assert answered["content"] == "Four<details><summary>mine</summary>stays</details>"


async def test_older_chats_are_flat_or_without_a_wrapper(product: Product) -> None:
    inner = chat(said("1", None, "user", "Hi"), said("2", "1", "assistant", "Ho"))
    flat = {"title": "Flat", "models": ["m"], "timestamp": AT * 1000}
    flat["messages"] = [
        {"id": "1", "parentId": None, "role": "user", "content": "Hi"},
        {"id": "2", "parentId": "1", "role": "assistant", "content": "Ho"},
    ]
    done = await bring(product, as_json([{**inner, "title": "Bare"}, flat]))
    assert counts(done) == {"imported": 2}
    for title in ("Bare", "Flat"):
        assert await talk(product, title) == [("user", "Hi"), ("assistant", "Ho")]
    assert (await sessions(product))["Flat"]["created_at"] == "2025-06-15T15:06:40.000000Z"
    again = await bring(product, as_json([{**inner, "title": "Bare"}, flat]))
    assert counts(again) == {"already_here": 2}


async def test_files_of_a_chat_are_kept_where_it_holds_them(product: Product) -> None:
    url = f"data:image/png;base64,{base64.b64encode(png(2, 2)).decode()}"
    files = [
        {"type": "image", "url": url},
        {"type": "file", "name": "a.md", "file": {"data": {"content": "# A"}}},
        {"type": "file", "name": "far.pdf", "url": "/api/v1/files/7"},
        {"type": "image", "url": "data:image/png;base64,%%%", "name": "bad.png"},
    ]
    inner = chat(said("1", None, "user", "Look", files=files))
    done = await bring(product, as_json([item(inner)]))
    [asked] = await branch(product, "Web talk")
    assert [one["name"] for one in asked["attachments"]] == ["image", "a.md"]
    assert [one["media_type"] for one in asked["attachments"]] == ["image/png", "text/markdown"]
    missing = "is missing: it stays in Open WebUI: the export only names it"
    assert done["entries"][0]["notes"] == [
        f"the file {n} {missing}" for n in ("far.pdf", "bad.png")
    ]


async def test_a_failed_answer_says_so(product: Product) -> None:
    failed = said("2", "1", "assistant", "", error={"content": "no such model"})
    await bring(product, as_json([item(chat(said("1", None, "user", "Hi"), failed))]))
    _, answered = await branch(product, "Web talk")
    assert answered["status"] == "failed"
    assert answered["error"] == {"code": "failed_elsewhere", "detail": "no such model"}


async def test_the_database_has_folders_and_messages_as_rows(
    product: Product, tmp_path: Path
) -> None:
    inner = chat(said("1", None, "user", "Hi"), said("2", "1", "assistant", "Ho"))
    row = {"user_id": "u", "archived": 0, "pinned": 0, "created_at": AT, "updated_at": AT}
    tables: dict[str, list[dict[str, Any]]] = {
        "folder": [
            {"id": "f1", "parent_id": None, "name": "Work"},
            {"id": "f2", "parent_id": "f1", "name": "Clients"},
            {"id": "f3", "parent_id": "f3", "name": "Circle"},
        ],
        "chat": [
            {"id": "a", "title": "Blob", "chat": json.dumps(inner), "folder_id": "f2", **row},
            {"id": "b", "title": "Rows", "chat": '{"title": "Rows"}', "folder_id": "f3", **row},
            {"id": "c", "title": "Broken", "chat": '{"title"', "folder_id": None, **row},
        ],
        "chat_message": [
            {
                "id": "b-1",
                "chat_id": "b",
                "role": "user",
                "content": '"Hi"',
                "done": 1,
                "created_at": AT,
            },
            {
                "id": "b-2",
                "chat_id": "b",
                "role": "assistant",
                "parent_id": "b-1",
                "output": json.dumps([{"type": "message", "content": [{"text": "Row"}]}]),
                "model_id": "qwen",
                "done": 1,
                "usage": '{"input_tokens": 1, "output_tokens": 2}',
                "created_at": AT + 1,
            },
        ],
    }
    done = await bring(product, database(tmp_path, SCHEMA, tables), name="webui.db")
    assert (done["format"], counts(done)) == ("open-webui", {"imported": 2, "broken": 1})
    assert await talk(product, "Blob") == [("user", "Hi"), ("assistant", "Ho")]
    asked, answered = await branch(product, "Rows")
    assert (asked["content"], answered["content"], answered["model"]) == ("Hi", "Row", "qwen")
    assert answered["usage"]["total_tokens"] == 3
    places = rows(
        product,
        "SELECT s.title, f.name, p.name FROM chat_sessions AS s JOIN folders AS f"
        " ON f.id = s.folder_id LEFT JOIN folders AS p ON p.id = f.parent_id ORDER BY s.title",
    )
    assert places == [("Blob", "Clients", "Work"), ("Rows", "Circle", None)]
    [left] = [one for one in done["entries"] if one["outcome"] == "broken"]
    assert (left["title"], left["why"]) == ("Broken", "its JSON cannot be read")
