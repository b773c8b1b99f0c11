"""ChatGPT's export: every trap of it."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.api.attach import png
from tests.conftest import Product

from .bring import as_json, branch, bring, counts, rows, sessions, talk, zipped
from .chatgpt import node, plain
from .chatgpt import talk as conversation


async def test_a_talk_comes_with_its_times_its_model_and_its_words(product: Product) -> None:
    done = await bring(product, zipped({"conversations.json": [plain()]}), name="chatgpt.zip")
    assert (done["status"], done["format"], done["name"]) == ("completed", "chatgpt", "chatgpt.zip")
    assert (counts(done), done["messages"]) == ({"imported": 1}, 2)
    assert done["bytes_read"] == done["bytes"] > 0
    assert await talk(product, "Talk 1") == [("user", "Question 1"), ("assistant", "Answer 1")]
    session = (await sessions(product))["Talk 1"]
    assert session["created_at"] == "2023-11-14T22:13:20.250000Z"
    assert session["updated_at"] == "2023-11-14T22:14:20.250000Z"
    asked, answered = await branch(product, "Talk 1")
    assert asked["created_at"] == "2023-11-14T22:13:20.250000Z"
    assert (answered["provider"], answered["model"]) == ("openai", "gpt-4o")
    assert (answered["status"], answered["generation_id"]) == ("completed", None)
    [entry] = done["entries"]
    assert (entry["title"], entry["source_id"]) == ("Talk 1", "c-1")
    assert (entry["session_id"], entry["messages"]) == (session["id"], 2)


async def test_an_export_of_many_files_in_folders_is_read_whole(product: Product) -> None:
    files = {f"part/{n}/conversations-{n:03d}.json": [plain(n)] for n in range(1, 60)}
    done = await bring(product, zipped({"user.json": {"email": "a@b"}, **files}))
    assert counts(done) == {"imported": 59, "skipped": 1}
    [left] = [one for one in done["entries"] if one["outcome"] == "skipped"]
    assert (left["title"], left["why"]) == (
        "user.json",
        "it holds no conversation that is known here",
    )
    assert len(await sessions(product)) == 59


async def test_branches_are_kept_and_the_current_one_is_shown(product: Product) -> None:
    tree = conversation(
        node("root", None),
        node("q", "root", "user", "Question"),
        node("a1", "q", "assistant", "First"),
        node("a2", "q", "assistant", "Second"),
        node("q2", "a1", "user", "More"),
        current_node="q2",
    )
    await bring(product, as_json([tree]))
    assert await talk(product, "A talk") == [
        ("user", "Question"),
        ("assistant", "First"),
        ("user", "More"),
    ]
    kept = rows(product, "SELECT content, depth FROM chat_messages ORDER BY id")
    assert kept == [("Question", 1), ("First", 2), ("Second", 2), ("More", 3)]


async def test_hidden_nodes_are_left_out_and_orphan_nobody(product: Product) -> None:
    hidden = {"is_visually_hidden_from_conversation": True}
    tree = conversation(
        node("root", None),
        node("s", "root", "system", "You are ChatGPT", metadata=hidden),
        node("q", "s", "user", "Question"),
        node("h", "q", "assistant", "unseen", weight=0),
        node("e", "h", "assistant", ""),
        node("a", "e", "assistant", "Answer"),
        node("t", "a", "system", "", metadata=hidden),
    )
    await bring(product, as_json([tree]))
    assert await talk(product, "A talk") == [("user", "Question"), ("assistant", "Answer")]


async def test_what_is_missing_has_a_usual_value(product: Product) -> None:
    bare = node("a", "q", "assistant", "Answer", create_time=None)
    del bare["message"]["metadata"], bare["message"]["weight"], bare["message"]["recipient"]
    tree = conversation(
        node("q", None, "user", "What is\n this?", create_time=None),
        bare,
        title=None,
        create_time=None,
        update_time=None,
    )
    await bring(product, as_json([tree]))
    _, answered = await branch(product, "What is this?")
    assert (answered["content"], answered["model"]) == ("Answer", "gpt-4")


async def test_entries_that_are_no_conversation_stop_nothing(product: Product) -> None:
    odd: list[Any] = [
        {"id": "folder-1", "title": "A project"},
        {"mapping": {}, "title": "Empty"},
        {"mapping": {"a": 7, "b": {"message": {"content": {"parts": 3}}}}, "title": "Odd"},
        plain(
            title=["no", "title"], create_time="yesterday", is_archived="no", default_model_slug=1
        ),
    ]
    done = await bring(product, as_json([plain(7), *odd, plain(8)]))
    assert counts(done) == {"imported": 3, "skipped": 3}
    assert {one["title"]: one["why"] for one in done["entries"] if one["why"]} == {
        "A project": "it is no conversation that is known here",
        "Empty": "it holds no messages",
        "Odd": "it holds no messages",
    }


async def test_thoughts_calls_and_results_are_one_answer(product: Product) -> None:
    thoughts = {
        "content_type": "thoughts",
        "thoughts": [{"summary": "Plan", "content": "I add them"}, {"content": "Then say it"}],
    }
    code = {"content_type": "code", "language": "python", "text": "print(1+1)"}
    tree = conversation(
        node("q", None, "user", "1+1?"),
        node("th", "q", "assistant", content=thoughts),
        node("rr", "th", "assistant", content={"content_type": "reasoning_recap", "content": "4s"}),
        node("c", "rr", "assistant", content=code, recipient="python"),
        node(
            "r",
            "c",
            "tool",
            content={"content_type": "execution_output", "text": "2"},
            author={"role": "tool", "name": "python"},
        ),
        node("a", "r", "assistant", "It is 2."),
        node("q2", "a", "user", "Thanks"),
    )
    done = await bring(product, as_json([tree]))
    assert done["messages"] == 3
    _, answered, _ = await branch(product, "A talk")
    assert (answered["content"], answered["thought_process"]) == (
        "It is 2.",
        "Plan\n\nI add them\n\nThen say it",
    )
    assert answered["parts"] == [
        {"type": "reasoning", "text": "Plan\n\nI add them\n\nThen say it"},
        {"type": "tool_call", "id": "c", "name": "python", "arguments": '{"text":"print(1+1)"}'},
        {"type": "tool_result", "id": "c", "content": "2", "failed": False},
        {"type": "text", "text": "It is 2."},
    ]


async def test_pictures_and_files_are_kept_and_missing_ones_are_named(product: Product) -> None:
    parts = [
        {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-pic"},
        "What is this?",
        {"content_type": "audio_transcription", "text": "and this"},
    ]
    tree = conversation(
        node(
            "q",
            None,
            "user",
            content={"content_type": "multimodal_text", "parts": parts},
            metadata={
                "attachments": [
                    {"id": "file-pic", "name": "cat.png"},
                    {"id": "file-doc", "name": "notes.txt"},
                    {"id": "file-lost", "name": "lost.pdf"},
                ]
            },
        ),
        node(
            "a",
            "q",
            "assistant",
            content={
                "content_type": "multimodal_text",
                "parts": ["Here", {"asset_pointer": "sediment://file_0001"}],
            },
        ),
    )
    picture, drawn = png(2, 2), png(3, 3)
    archive = {
        "conversations.json": [tree],
        "file-pic-cat.png": picture,
        "dalle-generations/file_0001-x.png": drawn,
        "user-1/file-doc-notes.txt": b"my notes",
    }
    done = await bring(product, zipped(archive))
    asked, answered = await branch(product, "A talk")
    assert asked["content"] == "What is this?\n\nand this"
    digests = [hashlib.sha256(data).hexdigest() for data in (picture, b"my notes", drawn)]
    assert [one["id"] for one in asked["attachments"]] == digests[:2]
    assert [one["name"] for one in asked["attachments"]] == ["cat.png", "notes.txt"]
    assert [one["id"] for one in answered["attachments"]] == digests[2:]
    assert done["files"] == 3
    [entry] = [one for one in done["entries"] if one["outcome"] == "imported"]
    assert entry["notes"] == ["the file lost.pdf is missing: the archive does not hold it"]
    held = rows(product, "SELECT file_id FROM message_files ORDER BY message_id, position")
    assert [id_ for (id_,) in held] == digests


async def test_what_a_person_set_for_a_talk_is_kept(product: Product) -> None:
    context = {"content_type": "user_editable_context", "user_profile": "I am Ann",
               "user_instructions": "Be short"}  # fmt: skip
    hidden = {"is_visually_hidden_from_conversation": True}
    tree = plain(is_archived=True, is_starred=True)
    tree["mapping"]["sys"] = node("sys", "root", "user", content=context, metadata=hidden)
    await bring(product, as_json([tree]))
    [row] = rows(
        product, "SELECT pinned, archived_at, system_prompt, source, source_id FROM chat_sessions"
    )
    assert row == (1, "2023-11-14 22:14:20.250000", "I am Ann\n\nBe short", "chatgpt", "c-1")
