"""LibreChat: one conversation, many, and its two collections."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Product

from .bring import as_json, branch, bring, counts, rows, sessions, talk, zipped

NOBODY = "00000000-0000-0000-0000-000000000000"


def said(key: str, parent: str, words: str, **more: Any) -> dict[str, Any]:
    by_user = more.pop("by_user", False)
    return {
        "messageId": key,
        "parentMessageId": parent,
        "conversationId": "l-1",
        "sender": "User" if by_user else "GPT-4",
        "isCreatedByUser": by_user,
        "text": words,
        "model": None if by_user else "gpt-4.1",
        "endpoint": "openAI",
        "error": False,
        "unfinished": False,
        "createdAt": f"2025-05-01T10:00:0{len(key)}.000Z",
        **more,
    }


def talked(**more: Any) -> dict[str, Any]:
    return {
        "conversationId": "l-1",
        "title": "Libre",
        "endpoint": "openAI",
        "exportAt": "10:00:00 GMT+0200",
        "branches": True,
        "recursive": True,
        "options": {"model": "gpt-4.1", "promptPrefix": "Answer in verse"},
        **more,
    }


def in_tree() -> dict[str, Any]:
    answer = said("m3", "m1", "", content=[
        {"type": "think", "think": "Hm"},
        {"type": "tool_call",
         "tool_call": {"id": "t", "name": "add", "args": {"a": 1}, "output": "2"}},
        {"type": "text", "text": {"value": "Two"}},
    ])  # fmt: skip
    more = said("m4444", "m3", "More", by_user=True)
    question = said("m1", NOBODY, "Hi", by_user=True)
    return talked(
        messagesTree=[
            {**question, "children": [
                {**said("m2", "m1", "One"), "children": []},
                {**answer, "children": [{**more, "children": []}]},
            ]}
        ]
    )  # fmt: skip


async def test_a_recursive_export_is_a_tree(product: Product) -> None:
    done = await bring(product, as_json(in_tree()), name="libre.json")
    assert (done["format"], counts(done)) == ("librechat", {"imported": 1})
    asked, answered, more = await branch(product, "Libre")
    assert (asked["content"], answered["content"], more["content"]) == ("Hi", "Two", "More")
    assert (answered["provider"], answered["model"]) == ("openai", "gpt-4.1")
    assert answered["thought_process"] == "Hm"
    assert answered["parts"][1]["arguments"] == '{"a":1}'
    assert answered["parts"][2] == {
        "type": "tool_result",
        "id": "t",
        "content": "2",
        "failed": False,
    }
    assert rows(product, "SELECT system_prompt FROM chat_sessions") == [("Answer in verse",)]
    assert len(rows(product, "SELECT id FROM chat_messages")) == 4


async def test_a_tree_may_be_deeper_than_any_recursion(product: Product) -> None:
    listed = [said(f"m{n}", f"m{n - 1}" if n else NOBODY, str(n)) for n in range(3000)]
    done = await bring(product, as_json(talked(messages=listed)))
    assert (counts(done), done["messages"]) == ({"imported": 1}, 3000)
    assert len(await branch(product, "Libre")) == 3000


async def test_flat_exports_come_alone_in_arrays_in_lines_and_in_zips(product: Product) -> None:
    def flat(number: int) -> dict[str, Any]:
        messages = [said("m1", NOBODY, "Hi", by_user=True), said("m2", "m1", "Ho", error=True)]
        return talked(title=f"L{number}", conversationId=f"l-{number}", messages=messages)

    lines = b"\n".join(as_json(flat(n)) for n in (4, 5)) + b"\n"
    for data, expected in (
        (json.dumps(flat(1), indent=2).encode(), 1),
        (as_json([flat(2), flat(3)]), 2),
        (lines, 2),
        (zipped({"a.json": flat(6), "b.ndjson": b"\xef\xbb\xbf" + as_json(flat(7))}), 2),
    ):
        assert counts(await bring(product, data)) == {"imported": expected}
    assert sorted(await sessions(product)) == [f"L{n}" for n in range(1, 8)]
    _, failed = await branch(product, "L7")
    assert (failed["status"], failed["error"]["detail"]) == ("failed", "Ho")


async def test_two_collections_are_joined_whatever_their_order(product: Product) -> None:
    def row(key: str, parent: str, talk_id: str, words: str, **more: Any) -> dict[str, Any]:
        one = said(key, parent, words, conversationId=talk_id, **more)
        at = {"$date": "2025-05-01T10:00:00Z"}
        return {"_id": {"$oid": key}, **one, "createdAt": at}

    messages = [
        row("m2", "m1", "a", "Ho"),
        row("x1", NOBODY, "b", "Other", by_user=True),
        row("m1", NOBODY, "a", "Hi", by_user=True),
    ]
    heads = [
        {"conversationId": "a", "title": "Joined", "tags": ["t"], "messages": [{"$oid": "m1"}],
         "isArchived": True, "updatedAt": {"$date": {"$numberLong": "1746093600000"}}},
        {"conversationId": "c", "title": "Empty", "messages": []},
    ]  # fmt: skip
    archive = zipped(
        {
            "messages.json": b"\n".join(map(as_json, messages)),
            "conversations.json": as_json(heads),
        }
    )
    done = await bring(product, archive)
    assert counts(done) == {"imported": 2, "skipped": 1}
    assert await talk(product, "Joined") == [("user", "Hi"), ("assistant", "Ho")]
    assert await talk(product, "Other") == [("user", "Other")]
    assert rows(product, "SELECT tag FROM session_tags") == [("t",)]
    assert rows(product, "SELECT archived_at FROM chat_sessions WHERE title = 'Joined'") == [
        ("2025-05-01 10:00:00.000000",)
    ]
