"""Products that keep pairs of a question and an answer: llm's logs and AnythingLLM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.api.attach import png
from tests.conftest import Product

from .bring import as_json, branch, bring, counts, database, rows, sessions, talk

LLM = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, resolved_model TEXT, prompt TEXT,
  system TEXT, prompt_json TEXT, options_json TEXT, response TEXT, response_json TEXT,
  conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT, input_tokens INTEGER,
  output_tokens INTEGER, token_details TEXT, schema_id TEXT);
CREATE TABLE attachments (id TEXT PRIMARY KEY, type TEXT, path TEXT, url TEXT, content BLOB);
CREATE TABLE prompt_attachments (response_id TEXT, attachment_id TEXT, "order" INTEGER);
CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT, source TEXT);
CREATE TABLE prompt_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
CREATE TABLE system_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, response_id TEXT, tool_id INTEGER, name TEXT,
  arguments TEXT, tool_call_id TEXT);
CREATE TABLE tool_results (id INTEGER PRIMARY KEY, response_id TEXT, tool_id INTEGER, name TEXT,
  output TEXT, tool_call_id TEXT, exception TEXT);
"""
PARTS = """
CREATE TABLE parts (id INTEGER PRIMARY KEY, response_id TEXT, direction TEXT, role TEXT,
  part_type TEXT, "order" INTEGER, content TEXT, content_json TEXT, tool_call_id TEXT,
  server_executed INTEGER);
"""
ANYTHING = """
CREATE TABLE workspaces (id INTEGER PRIMARY KEY, name TEXT, slug TEXT);
CREATE TABLE workspace_threads (id INTEGER PRIMARY KEY, name TEXT, slug TEXT);
CREATE TABLE workspace_chats (id INTEGER PRIMARY KEY, workspaceId INTEGER, prompt TEXT,
  response TEXT, include BOOLEAN, user_id INTEGER, thread_id INTEGER, createdAt DATETIME,
  feedbackScore BOOLEAN);
"""


def response(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"r{number}",
        "model": "gpt-4o",
        "prompt": f"Q{number}",
        "response": f"A{number}",
        "conversation_id": "k",
        "datetime_utc": f"2025-01-01T00:00:0{number}+00:00",
        **more,
    }


async def test_the_rows_of_a_log_are_questions_and_answers_in_time(
    product: Product, tmp_path: Path
) -> None:
    tables: dict[str, list[dict[str, Any]]] = {
        "conversations": [{"id": "k", "name": "Logged", "model": "gpt-4o"}],
        "responses": [
            response(2, resolved_model="gpt-4o-2024", input_tokens=5, output_tokens=6),
            response(1, system="Be short"),
            response(3, conversation_id=None, prompt="Alone"),
        ],
        "fragments": [{"id": 1, "content": "long text"}, {"id": 2, "content": "rules"}],
        "prompt_fragments": [{"response_id": "r2", "fragment_id": 1, "order": 0}],
        "system_fragments": [{"response_id": "r1", "fragment_id": 2, "order": 0}],
        "attachments": [
            {"id": "x", "type": "image/png", "content": png(1, 1)},
            {"id": "y", "type": "image/png", "path": "/pictures/ann/cat.png"},
            {"id": "z", "type": "image/png", "url": "https://example.com/dog.png"},
        ],
        "prompt_attachments": [
            {"response_id": "r2", "attachment_id": key, "order": at} for at, key in enumerate("xyz")
        ],
        "tool_calls": [
            {"id": 1, "response_id": "r1", "name": "add", "arguments": "{}", "tool_call_id": "t"}
        ],
        "tool_results": [
            {"id": 1, "response_id": "r2", "name": "add", "output": "2", "tool_call_id": "t"}
        ],
    }
    done = await bring(product, database(tmp_path, LLM, tables), name="logs.db")
    assert (done["format"], counts(done)) == ("llm", {"imported": 2})
    assert await talk(product, "Logged") == [
        ("system", "rules\n\nBe short"),
        ("user", "Q1"),
        ("assistant", "A1"),
        ("user", "long text\n\nQ2"),
        ("assistant", "A2"),
    ]
    *_, first, asked, second = await branch(product, "Logged")
    assert first["parts"][-1] == {"type": "tool_result", "id": "t", "content": "2", "failed": False}
    assert [one["name"] for one in asked["attachments"]] == ["image"]
    assert (second["model"], second["usage"]["total_tokens"]) == ("gpt-4o-2024", 11)
    assert second["created_at"] == "2025-01-01T00:00:02.000000Z"
    notes = [note for one in done["entries"] for note in one["notes"]]
    assert [note.split(": it is in ")[0] for note in notes] == [
        "the file cat.png is missing",
        "the file dog.png is missing",
    ]
    assert "/pictures/ann" not in str(notes)
    assert await talk(product, "Alone") == [("user", "Alone"), ("assistant", "A3")]


async def test_parts_are_preferred_where_a_log_has_them(product: Product, tmp_path: Path) -> None:
    def part(order: int, direction: str, kind: str, content: str, **more: Any) -> dict[str, Any]:
        base = {"response_id": "r1", "direction": direction, "part_type": kind, "order": order}
        role = "user" if direction == "input" else "assistant"
        return {**base, "content": content, "role": role, **more}

    call = json.dumps({"name": "add", "arguments": {"a": 1}})
    tables = {
        "conversations": [{"id": "k", "name": "Parts"}],
        "responses": [response(1, response="whole")],
        "parts": [
            part(0, "input", "text", "Asked"),
            part(1, "output", "reasoning", "Hm"),
            part(2, "output", "tool_call", "", content_json=call, tool_call_id="t"),
            part(3, "output", "tool_result", "2", tool_call_id="t"),
            part(4, "output", "text", "Two"),
        ],
    }
    await bring(product, database(tmp_path, LLM + PARTS, tables))
    asked, answered = await branch(product, "Parts")
    assert (asked["content"], answered["content"]) == ("Asked", "Two")
    assert [one["type"] for one in answered["parts"]] == [
        *("reasoning", "tool_call", "tool_result", "text"),
    ]
    assert answered["parts"][1]["arguments"] == '{"a":1}'


async def test_very_old_logs_are_chained_by_their_chat(product: Product, tmp_path: Path) -> None:
    schema = """CREATE TABLE log (id INTEGER PRIMARY KEY, provider TEXT, system TEXT, prompt TEXT,
      chat_id INTEGER, response TEXT, model TEXT, timestamp TEXT);"""
    listed = [
        {"id": 1, "prompt": "Q1", "response": "A1", "model": "m", "timestamp": "2023-05-01 10:00"},
        {"id": 2, "prompt": "Q2", "response": "A2", "model": "m", "chat_id": 1},
        {"id": 3, "prompt": "Q3", "response": "A3", "model": "m"},
    ]
    done = await bring(product, database(tmp_path, schema, {"log": listed}))
    assert counts(done) == {"imported": 2}
    assert [words for _, words in await talk(product, "Q1")] == ["Q1", "A1", "Q2", "A2"]
    assert [words for _, words in await talk(product, "Q3")] == ["Q3", "A3"]


async def test_a_workspace_is_a_talk_for_each_thread_and_user(
    product: Product, tmp_path: Path
) -> None:
    def pair(number: int, thread: int | None, text: object, **more: Any) -> dict[str, Any]:
        value = text if isinstance(text, str) else json.dumps(text)
        at = f"2025-02-0{number} 10:00:00"
        return {"id": number, "workspaceId": 1, "thread_id": thread, "prompt": f"Q{number}",
                "response": value, "createdAt": at, "include": 1, **more}  # fmt: skip

    told = {"text": "<think>\nHm\n</think>\n\nA1", "sources": [], "metrics": {
        "completion_tokens": 4, "prompt_tokens": 3, "model": "llama3"}}  # fmt: skip
    tables = {
        "workspaces": [{"id": 1, "name": "Work", "slug": "work"}],
        "workspace_threads": [{"id": 9, "name": "Thread", "slug": "t"}],
        "workspace_chats": [
            pair(1, None, told),
            pair(2, 9, {"text": "A2"}),
            pair(3, None, "{broken"),
            pair(4, None, {"text": "forgotten"}, include=0),
        ],
    }
    done = await bring(product, database(tmp_path, ANYTHING, tables), name="anythingllm.db")
    assert (done["format"], counts(done)) == ("anythingllm", {"imported": 2})
    assert [words for _, words in await talk(product, "Work")] == ["Q1", "A1", "Q3", "{broken"]
    _, answered, *_ = await branch(product, "Work")
    assert (answered["thought_process"], answered["model"]) == ("Hm", "llama3")
    assert answered["usage"]["total_tokens"] == 7
    assert [words for _, words in await talk(product, "Work / Thread")] == ["Q2", "A2"]


async def test_the_exports_of_workspaces_are_read_as_json_and_as_csv(product: Product) -> None:
    listed = [
        {"id": n, "username": "ann", "workspace": "Home" if n % 2 else "Work", "prompt": f"Q{n}",
         "response": f"A{n}", "sent_at": "2025-02-01T10:00:00.000Z", "rating": "--"}
        for n in range(1, 5)
    ]  # fmt: skip
    done = await bring(product, as_json(listed))
    assert (done["format"], counts(done)) == ("anythingllm", {"imported": 2})
    assert [words for _, words in await talk(product, "Home/ann")] == ["Q1", "A1", "Q3", "A3"]
    table = (
        "id,username,workspace,prompt,response,sent_at,rating\n"
        '9,bob,Lab,"Q, ""9""","A9",2025-02-01,\n'
    )
    done = await bring(product, table.encode())
    assert (done["format"], counts(done)) == ("anythingllm", {"imported": 1})
    assert [words for _, words in await talk(product, "Lab/bob")] == ['Q, "9"', "A9"]
    assert len(await sessions(product)) == 3
    assert len(rows(product, "SELECT id FROM chat_messages")) == 10
