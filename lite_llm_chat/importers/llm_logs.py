"""The logs of simonw's `llm`: one row is a question and its answer.

    conversations ◀── responses ◀── parts                    the newest files
                          ▲── prompt_fragments ─▶ fragments     long texts, kept once
                          ▲── prompt_attachments ─▶ attachments
                          ▲── tool_calls · tool_results
    logs (chat_id, reply_to_id) · log                        very old ones

A conversation is a line: system (of the first row that has one), question, answer, question …
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from ..domain import Origin, Usage
from .base import (
    Answer,
    Attached,
    Bag,
    Conversation,
    Head,
    Utterance,
    conversation,
    count_of,
    id_of,
    moment_of,
    text_of,
    titled,
)
from .sqlite import Tables

SOURCE = "llm"
Entry = tuple[str, Callable[[Bag], Conversation]]


def is_one(tables: Tables) -> bool:
    if tables.has("responses", "prompt", "response"):
        return True
    return any(tables.has(table, "prompt", "response", "model") for table in ("logs", "log"))


def entries(tables: Tables) -> Iterator[Entry]:
    """Each conversation's name and what reads it."""
    if tables.has("responses", "prompt", "response"):
        yield from _conversations(tables)
        return
    table = "logs" if tables.has("logs") else "log"
    for row in tables.rows(table):
        if tables.has(table, "chat_id") and row.get("chat_id") is not None:
            continue  # it goes on another row's conversation
        yield text_of(row.get("prompt"))[:60], _old(tables, table, row)


def _conversations(tables: Tables) -> Iterator[Entry]:
    for row in tables.rows("conversations") if tables.has("conversations") else ():
        yield text_of(row.get("name")), _of(tables, row, "conversation_id = ?", row.get("id"))
    orphans = "conversation_id IS NULL"
    if tables.has("conversations"):
        orphans += " OR conversation_id NOT IN (SELECT id FROM conversations)"
    for row in tables.rows("responses", orphans, order="datetime_utc, id"):
        alone = {"id": row.get("id"), "model": row.get("model"), "name": None}
        yield text_of(row.get("prompt"))[:60], _of(tables, alone, "id = ?", row.get("id"))


def _of(
    tables: Tables, row: dict[str, Any], where: str, value: object
) -> Callable[[Bag], Conversation]:
    def read(bag: Bag) -> Conversation:
        said: list[Utterance] = []
        for response in tables.rows("responses", where, (value,), "datetime_utc, id"):
            said += _pair(tables, response, said, bag)
        return _whole(id_of(row.get("id")), row.get("name"), said)

    return read


def _old(tables: Tables, table: str, first: dict[str, Any]) -> Callable[[Bag], Conversation]:
    def read(_bag: Bag) -> Conversation:
        rows, name = [first], id_of(first.get("id"))
        if name is not None and tables.has(table, "chat_id"):
            rows += tables.rows(table, "chat_id = ?", (first["id"],))
        said: list[Utterance] = []
        for number, row in enumerate(rows, start=1):
            named = {"id": number, "datetime_utc": row.get("timestamp"), **row}
            said += _pair(tables, named, said, _bag)
        return _whole(f"{table}-{name}" if name else None, None, said)

    return read


def _whole(name: str | None, title: object, said: list[Utterance]) -> Conversation:
    times = [one.created_at for one in said if one.created_at]
    head = Head(
        SOURCE,
        name,
        titled(title, said),
        min(times, default=None),
        max(times, default=None),
        system_prompt=None,
    )
    return conversation(head, said, None)


def _pair(
    tables: Tables, row: dict[str, Any], said: list[Utterance], bag: Bag
) -> Iterator[Utterance]:
    key, at = id_of(row.get("id")) or f"#{len(said)}", moment_of(row.get("datetime_utc"))
    before = said[-1].key if said else None
    parts = _parts(tables, row)
    system = _system(tables, row, parts)
    if system and not any(one.role == "system" for one in said):
        yield Utterance(f"{key}-system", before, "system", system, at, f"{key}-system")
        before = f"{key}-system"
    words, attached = _prompt(tables, row, bag, parts)
    if words or attached or not _is_results_only(tables, row):
        asked = f"{key}-prompt"
        yield Utterance(asked, before, "user", words, at, asked, attached=attached)
        before = asked
    yield _response(tables, row, (f"{key}-response", before), parts)


def _is_results_only(tables: Tables, row: dict[str, Any]) -> bool:
    """Whether the row only carries results of tools back to the model."""
    return tables.has("tool_results", "response_id") and any(
        tables.rows("tool_results", "response_id = ?", (row.get("id"),))
    )


def _parts(tables: Tables, row: dict[str, Any]) -> list[dict[str, Any]]:
    if not tables.has("parts", "response_id", "direction", "part_type"):
        return []
    return list(tables.rows("parts", "response_id = ?", (row.get("id"),), '"order", rowid'))


def _fragments(tables: Tables, table: str, row: dict[str, Any]) -> list[str]:
    if not (tables.has(table, "response_id", "fragment_id") and tables.has("fragments", "id")):
        return []
    links = tables.rows(table, "response_id = ?", (row.get("id"),), '"order", rowid')
    ids = [one["fragment_id"] for one in links]
    return [
        text_of(one.get("content")) for id_ in ids for one in _with_id(tables, "fragments", id_)
    ]


def _with_id(tables: Tables, table: str, id_: object) -> list[dict[str, Any]]:
    return list(tables.rows(table, "id = ?", (id_,)))


def _told(parts: list[dict[str, Any]], direction: str, role: str) -> str:
    return "\n\n".join(
        text_of(part.get("content"))
        for part in parts
        if (part.get("direction"), part.get("part_type")) == (direction, "text")
        and (part.get("role") or role) == role
    )


def _system(tables: Tables, row: dict[str, Any], parts: list[dict[str, Any]]) -> str:
    told = _told([one for one in parts if one.get("role") == "system"], "input", "system")
    if told:
        return told
    texts = [*_fragments(tables, "system_fragments", row), text_of(row.get("system"))]
    return "\n\n".join(filter(None, texts))


def _prompt(
    tables: Tables, row: dict[str, Any], bag: Bag, parts: list[dict[str, Any]]
) -> tuple[str, tuple[Attached, ...]]:
    words = _told(parts, "input", "user")
    if not words:
        texts = [*_fragments(tables, "prompt_fragments", row), text_of(row.get("prompt"))]
        words = "\n\n".join(filter(None, texts))
    if not tables.has("prompt_attachments", "response_id", "attachment_id"):
        return words, ()
    links = tables.rows("prompt_attachments", "response_id = ?", (row.get("id"),), '"order", rowid')
    ids = [one["attachment_id"] for one in links]
    found = [one for id_ in ids for one in _with_id(tables, "attachments", id_)]
    return words, tuple(_attached(one, bag) for one in found)


def _attached(row: dict[str, Any], bag: Bag) -> Attached:
    path, url = text_of(row.get("path")), text_of(row.get("url"))
    kind = text_of(row.get("type")).split("/")[0] or "file"
    name = (path or url).replace("\\", "/").rstrip("/").split("/")[-1] or kind
    content = row.get("content")
    if isinstance(content, bytes):
        return bag.put(name, content)
    where = "the web" if url else "a folder of the machine that asked"
    return Attached(name, missing=f"it is in {where}, not in the database")


def _response(
    tables: Tables,
    row: dict[str, Any],
    place: tuple[str, str | None],
    parts: list[dict[str, Any]],
) -> Utterance:
    answer = Answer()
    for number, part in enumerate(parts):
        if part.get("direction") == "output":
            _tell(answer, part, f"{place[0]}-{number}")
    if not answer.parts:
        answer.think(text_of(row.get("reasoning")))
        answer.say(text_of(row.get("response")))
        _calls(tables, answer, row)
    return Utterance(
        *place,
        "assistant",
        answer.text,
        moment_of(row.get("datetime_utc")),
        place[0],
        answer.reasoning,
        answer.stored,
        origin=Origin(
            None,
            text_of(row.get("resolved_model")) or text_of(row.get("model")) or None,
            usage=_usage(row),
        ),
    )


def _usage(row: dict[str, Any]) -> Usage | None:
    used = Usage(input=count_of(row.get("input_tokens")), output=count_of(row.get("output_tokens")))
    return used if used.input or used.output else None


def _tell(answer: Answer, part: dict[str, Any], key: str) -> None:
    text, call_id = text_of(part.get("content")), id_of(part.get("tool_call_id")) or key
    match part.get("part_type"):
        case "text":
            answer.say(text)
        case "reasoning":
            answer.think(text)
        case "tool_call":
            name, arguments = _call_of(text_of(part.get("content_json")), text)
            answer.call(call_id, name, arguments)
        case "tool_result":
            answer.result(text, call_id=call_id)
        case _:
            pass  # an attachment that a model made


def _call_of(stored: str, text: str) -> tuple[object, object]:
    """The name and the arguments of a call that is kept as JSON."""
    try:
        found = msgspec.json.decode(stored)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        return text, stored or None
    return found.get("name") or text, found.get("arguments", found)


def _calls(tables: Tables, answer: Answer, row: dict[str, Any]) -> None:
    """Calls as rows; their results came with the next row of the conversation."""
    if not tables.has("tool_calls", "response_id", "name"):
        return
    for call in tables.rows("tool_calls", "response_id = ?", (row.get("id"),)):
        call_id = id_of(call.get("tool_call_id")) or f"call-{call.get('id')}"
        answer.call(call_id, call.get("name"), call.get("arguments"))
        if not tables.has("tool_results", "tool_call_id"):
            continue
        for result in tables.rows("tool_results", "tool_call_id = ?", (call.get("tool_call_id"),)):
            words = text_of(result.get("output")) or text_of(result.get("exception"))
            answer.result(words, call_id=call_id, failed=bool(result.get("exception")))
