"""Claude's export."""

from __future__ import annotations

from typing import Any

from tests.conftest import Product

from .bring import branch, bring, counts, rows, sessions, talk, zipped

NOBODY = "00000000-0000-4000-8000-000000000000"


def message(uuid: str, sender: str, *blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    words = "\n\n".join(block.get("text", "") for block in blocks)
    return {
        "uuid": uuid,
        "text": words,
        "content": list(blocks),
        "sender": sender,
        "created_at": "2025-03-01T10:00:00.123456Z",
        "updated_at": "2025-03-01T10:00:00.123456Z",
        "attachments": [],
        "files": [],
        **more,
    }


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "citations": []}


def talked(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "uuid": "cl-1",
        "name": "A plan",
        "created_at": "2025-03-01T09:59:59.000000Z",
        "updated_at": "2025-03-01T11:00:00+01:00",
        "account": {"uuid": "me"},
        "chat_messages": list(messages),
        **more,
    }


def export(*talks: dict[str, Any]) -> bytes:
    files = {"users.json": [{"uuid": "me", "full_name": "Ann"}], "projects.json": []}
    return zipped({"conversations.json": list(talks), **files})


async def test_a_talk_comes_with_thinking_tools_and_attached_text(product: Product) -> None:
    asked = message(
        "m1",
        "human",
        text("Sum this up"),
        attachments=[
            {"file_name": "a.txt", "file_size": 5, "file_type": "txt", "extracted_content": "Milk"}
        ],
        files=[{"file_name": "photo.jpg"}],
    )
    answered = message(
        "m2",
        "assistant",
        {"type": "thinking", "thinking": "It is milk"},
        {"type": "tool_use", "id": "t1", "name": "web search", "input": {"q": "milk"}},
        {"type": "tool_result", "tool_use_id": "t1", "content": [text("white")], "is_error": False},
        text("White milk."),
        {"type": "token_budget"},
    )
    done = await bring(product, export(talked(asked, answered)))
    assert done["format"] == "claude"
    assert counts(done) == {"imported": 1, "skipped": 1}
    first, second = await branch(product, "A plan")
    assert (first["role"], first["content"]) == ("user", "Sum this up")
    assert first["created_at"] == "2025-03-01T10:00:00.123456Z"
    assert [(one["name"], one["size_bytes"]) for one in first["attachments"]] == [("a.txt", 4)]
    assert (second["content"], second["thought_process"]) == ("White milk.", "It is milk")
    assert second["provider"] == "anthropic"
    assert second["parts"][1:3] == [
        {"type": "tool_call", "id": "t1", "name": "web_search", "arguments": '{"q":"milk"}'},
        {"type": "tool_result", "id": "t1", "content": "white", "failed": False},
    ]
    notes = [note for one in done["entries"] for note in one["notes"]]
    assert notes == ["the file photo.jpg is missing: the archive does not hold it"]
    session = (await sessions(product))["A plan"]
    assert session["updated_at"] == "2025-03-01T10:00:00.000000Z"


async def test_messages_without_parents_follow_one_another(product: Product) -> None:
    listed = [
        message(f"m{n}", "human" if n % 2 else "assistant", text(f"{n}")) for n in range(1, 5)
    ]
    listed[3]["content"] = []  # of older exports: only the text
    listed[3]["text"] = "four"
    await bring(product, export(talked(*listed)))
    assert [words for _, words in await talk(product, "A plan")] == ["1", "2", "3", "four"]


async def test_messages_with_parents_are_branches(product: Product) -> None:
    tree = talked(
        message("m1", "human", text("Hi"), parent_message_uuid=NOBODY),
        message("m2", "assistant", text("Old"), parent_message_uuid="m1"),
        message("m3", "assistant", text("New"), parent_message_uuid="m1"),
        current_leaf_message_uuid="m2",
    )
    await bring(product, export(tree))
    assert await talk(product, "A plan") == [("user", "Hi"), ("assistant", "Old")]
    assert len(rows(product, "SELECT id FROM chat_messages")) == 3


async def test_an_empty_talk_is_left_out_and_one_without_a_name_gets_one(product: Product) -> None:
    unnamed = talked(message("m1", "human", text("Where is it?")), name="", uuid="cl-2")
    done = await bring(product, export(talked(), unnamed))
    assert counts(done) == {"imported": 1, "skipped": 2}
    assert list(await sessions(product)) == ["Where is it?"]
