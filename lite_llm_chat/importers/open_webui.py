"""Open WebUI's export and its database: chats with a tree of messages.

    {id, title, chat {history {currentId, messages}}, meta, …}     as it exports
    {title, history {…}} · {messages [ … ]}                        older: the inner chat alone
    webui.db: chat (JSON) · chat_message (rows) · folder           ─▶ the first of these

`output` says what an answer is made of. Where it is absent, reasoning and calls stand in the text
as `<details>`: the reasoning is taken out of them, the rest of them is left away.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from ..domain import Fault, Origin
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
    tags_of,
    text_of,
    titled,
    usage_of,
)

SOURCE = "open-webui"
_DETAILS = re.compile(
    r"<details\b(?P<about>[^>]*\btype=\"(?:reasoning|tool_calls|code_interpreter)\"[^>]*)>"
    r"(?P<inner>.*?)</details>\s*",
    re.DOTALL,
)
_SUMMARY = re.compile(r"\s*<summary>.*?</summary>", re.DOTALL)
_NOT_IN_IT = "it stays in Open WebUI: the export only names it"


def is_one(entry: Mapping[str, Any]) -> bool:
    inner = entry["chat"] if isinstance(entry.get("chat"), dict) else entry
    if isinstance(dict_of(inner.get("history")).get("messages"), dict):
        return True
    listed = dicts_of(inner.get("messages"))
    return inner is not entry or (
        isinstance(entry.get("models"), list) and any("parentId" in one for one in listed)
    )


def read(entry: Mapping[str, Any], bag: Bag) -> Conversation:
    """One chat. Raises Nothing."""
    chat = entry["chat"] if isinstance(entry.get("chat"), dict) else entry
    history = dict_of(chat.get("history"))
    messages, active = dict_of(history.get("messages")), id_of(history.get("currentId"))
    listed = list(_tree(messages) if messages else _row(dicts_of(chat.get("messages"))))
    usual = next((text_of(one) for one in chat.get("models") or () if text_of(one)), None)
    said = [_message(key, parent, one, usual, bag) for key, parent, one in listed]
    updated = moment_of(entry.get("updated_at"))
    head = Head(
        SOURCE,
        id_of(entry.get("id")) or id_of(chat.get("id")),
        titled(entry.get("title") or chat.get("title"), said),
        moment_of(entry.get("created_at")) or moment_of(chat.get("timestamp")),
        updated,
        (updated or moment_of(chat.get("timestamp"))) if entry.get("archived") else None,
        bool(entry.get("pinned")),
        folder=_folder(entry),
        tags=tags_of(dict_of(entry.get("meta")).get("tags") or _older_tags(chat)),
        system_prompt=text_of(dict_of(chat.get("params")).get("system") or chat.get("system"))
        or None,
    )
    return conversation(head, said, active)


def _tree(messages: Mapping[str, Any]) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    for key, message in messages.items():
        if isinstance(message, dict):
            yield id_of(key) or "#0", id_of(message.get("parentId")), message


def _row(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Messages without a tree follow one another."""
    before: str | None = None
    for number, message in enumerate(messages, start=1):
        key = id_of(message.get("id")) or f"#{number}"
        named = "parentId" in message
        yield key, id_of(message.get("parentId")) if named else before, message
        before = key


def _folder(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The export has the folder's id only; the database gives its path."""
    path = entry.get("folder_path")
    if isinstance(path, list | tuple):
        return tuple(filter(None, map(text_of, path)))
    named = text_of(dict_of(entry.get("folder")).get("name"))
    return (named,) if named else ()


def _older_tags(chat: Mapping[str, Any]) -> list[str]:
    tags = chat.get("tags")
    listed = tags if isinstance(tags, list) else []
    return [text_of(one) or text_of(dict_of(one).get("name")) for one in listed]


def _message(
    key: str, parent: str | None, message: Mapping[str, Any], usual: str | None, bag: Bag
) -> Utterance:
    role = message.get("role")
    at, attached = moment_of(message.get("timestamp")), _files(message, bag)
    if role != "assistant":
        words = _plain_text(message.get("content"))
        kind = "system" if role == "system" else "user"
        return Utterance(key, parent, kind, words, at, key, attached=attached)  # type: ignore[arg-type]
    answer = _answer(message)
    return Utterance(
        key,
        parent,
        "assistant",
        answer.text,
        at,
        key,
        answer.reasoning,
        answer.stored,
        origin=_origin(message, usual),
        attached=attached,
    )


def _origin(message: Mapping[str, Any], usual: str | None) -> Origin:
    model = text_of(message.get("model")) or usual
    usage = usage_of(dict_of(message.get("usage")) or dict_of(message.get("info")))
    error = message.get("error")
    if error:
        told = error if isinstance(error, str) else dict_of(error).get("content")
        fault = Fault("failed_elsewhere", text_of(told) or "the answer failed where it was made")
        return Origin(None, model, "failed", usage=usage, fault=fault)
    return Origin(
        None, model, "interrupted" if message.get("done") is False else "completed", usage=usage
    )


def _plain_text(content: object) -> str:
    if isinstance(content, list):
        return "\n\n".join(filter(None, (text_of(one.get("text")) for one in dicts_of(content))))
    return text_of(content)


def _answer(message: Mapping[str, Any]) -> Answer:
    answer = Answer()
    for number, item in enumerate(dicts_of(message.get("output"))):
        _tell(answer, item, number)
    if not answer.parts:
        _tell_text(answer, _plain_text(message.get("content")))
        if answer.reasoning is None:
            answer.think(text_of(message.get("reasoning_content")))
    return answer


def _tell(answer: Answer, item: Mapping[str, Any], number: int) -> None:
    """One item of `output`, in the style of OpenAI's Responses."""
    match item.get("type"):
        case "reasoning":
            told = dicts_of(item.get("content")) or dicts_of(item.get("summary"))
            answer.think("".join(text_of(one.get("text")) for one in told))
        case "function_call":
            call_id = id_of(item.get("call_id")) or id_of(item.get("id")) or f"call-{number}"
            answer.call(call_id, item.get("name"), item.get("arguments"))
        case "function_call_output":
            output = item.get("output")
            words = _plain_text(output)
            answer.result(words, call_id=id_of(item.get("call_id")))
        case "message":
            answer.say("".join(text_of(one.get("text")) for one in dicts_of(item.get("content"))))
        case _:
            pass  # an item that a newer version has and this one cannot name


def _tell_text(answer: Answer, text: str) -> None:
    for found in _DETAILS.finditer(text):
        if 'type="reasoning"' in found["about"]:
            inner = html.unescape(_SUMMARY.sub("", found["inner"], count=1)).strip()
            answer.think("\n".join(line.removeprefix(">").strip() for line in inner.split("\n")))
    answer.say(_DETAILS.sub("", text).strip() if "<details" in text else text)


# ── files ─────────────────────────────────────────────────────────────────────────────────────


def _files(message: Mapping[str, Any], bag: Bag) -> tuple[Attached, ...]:
    listed = dicts_of(message.get("files"))
    content = message.get("content")
    listed += [
        {"url": dict_of(one.get("image_url")).get("url"), "name": "image"}
        for one in dicts_of(content)
        if one.get("type") == "image_url"
    ]
    return tuple(_file(one, bag) for one in listed)


def _file(one: Mapping[str, Any], bag: Bag) -> Attached:
    inner = dict_of(one.get("file"))
    name = text_of(one.get("name")) or text_of(inner.get("filename")) or "image"
    data = from_data_url(text_of(one.get("url")))
    if data is not None:
        return bag.put(name, data)
    text = dict_of(inner.get("data")).get("content")
    if isinstance(text, str) and text:
        return bag.put(name, text_of(text).encode())
    return Attached(name, missing=_NOT_IN_IT)


def from_data_url(url: str) -> bytes | None:
    """The bytes of a data URL, or None for any other."""
    if not url.startswith("data:") or "," not in url:
        return None
    about, data = url[5:].split(",", 1)
    if not about.endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
