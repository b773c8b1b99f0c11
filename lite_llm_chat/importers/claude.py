"""Claude's export: messages in a row, or in a tree where they name their parents.

    chat_messages [{uuid, sender, text, content [blocks], attachments, files}] ─▶ messages

The text of an attached document is in the export and becomes a file again; other files are only
named there, so they are missing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..domain import Origin
from .base import (
    Answer,
    Attached,
    Bag,
    Conversation,
    Head,
    Utterance,
    conversation,
    dict_of,
    dicts_of,
    id_of,
    moment_of,
    text_of,
    titled,
)

SOURCE = "claude"
_NOT_IN_IT = "Claude's export does not hold its bytes"


def is_one(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("chat_messages"), list)


def read(entry: Mapping[str, Any], bag: Bag) -> Conversation:
    """One conversation. Raises Nothing."""
    said: list[Utterance] = []
    messages = dicts_of(entry.get("chat_messages"))
    ids = {id_of(one.get("uuid")) for one in messages}
    is_tree = any(id_of(one.get("parent_message_uuid")) in ids - {None} for one in messages)
    model = text_of(entry.get("model")) or None
    for number, message in enumerate(messages, start=1):
        before = said[-1].key if said else None
        parent = id_of(message.get("parent_message_uuid")) if is_tree else before
        key = id_of(message.get("uuid")) or f"#{number}"
        said.append(_message(message, (key, parent), model, bag))
    head = Head(
        SOURCE,
        id_of(entry.get("uuid")),
        titled(entry.get("name"), said),
        moment_of(entry.get("created_at")),
        moment_of(entry.get("updated_at")),
        pinned=entry.get("is_starred") is True,
    )
    return conversation(head, said, id_of(entry.get("current_leaf_message_uuid")))


def _message(
    message: Mapping[str, Any], place: tuple[str, str | None], model: str | None, bag: Bag
) -> Utterance:
    answer = _blocks(message)
    is_answer = message.get("sender") == "assistant"
    stopped = message.get("stop_reason") == "user_canceled"
    return Utterance(
        *place,
        "assistant" if is_answer else "user",
        answer.text,
        moment_of(message.get("created_at")),
        place[0],
        answer.reasoning if is_answer else None,
        answer.stored if is_answer else None,
        origin=Origin("anthropic", model, "cancelled" if stopped else "completed")
        if is_answer
        else None,
        attached=_files(message, bag),
    )


def _blocks(message: Mapping[str, Any]) -> Answer:
    answer = Answer()
    for number, block in enumerate(dicts_of(message.get("content"))):
        match block.get("type"):
            case "text":
                answer.say(text_of(block.get("text")))
            case "thinking":
                answer.think(text_of(block.get("thinking")))
            case "tool_use":
                call_id = id_of(block.get("id")) or f"call-{number}"
                answer.call(call_id, block.get("name"), block.get("input"))
            case "tool_result":
                _result(answer, block)
            case _:
                pass  # a block that only a vendor's page draws, such as token_budget
    if not answer.text:
        answer.say(text_of(message.get("text")))
    return answer


def _result(answer: Answer, block: Mapping[str, Any]) -> None:
    content = block.get("content")
    words = [text_of(content)] if isinstance(content, str) else []
    words += [text_of(one.get("text")) for one in dicts_of(content)]
    answer.result(
        "\n\n".join(filter(None, words)),
        call_id=id_of(block.get("tool_use_id")),
        failed=block.get("is_error") is True,
    )


def _files(message: Mapping[str, Any], bag: Bag) -> tuple[Attached, ...]:
    found: list[Attached] = []
    for one in dicts_of(message.get("attachments")):
        name, text = text_of(one.get("file_name")) or "attachment.txt", one.get("extracted_content")
        has_text = isinstance(text, str)
        put = bag.put(name, text_of(text).encode()) if has_text else None
        found.append(put or Attached(name, missing=_NOT_IN_IT))
    for one in dicts_of(message.get("files")) + dicts_of(message.get("files_v2")):
        name = text_of(dict_of(one).get("file_name")) or "file"
        if name not in [known.name for known in found]:
            found.append(bag.find(name, name))
    return tuple(found)
