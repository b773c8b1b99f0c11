"""AnythingLLM: pairs of a prompt and a response, in its database or in its exports.

workspace_chats: prompt, response (JSON in a text)       anythingllm.db ─┐
{prompt, response, workspace, sent_at, rating}            JSON, CSV ─────┴─▶ a conversation for
                                                          each workspace, user and thread
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
    usage_of,
)
from .open_webui import from_data_url

SOURCE = "anythingllm"
_THOUGHT = "<think>", "</think>"


def is_one(entry: Mapping[str, Any]) -> bool:
    """Whether this is a pair."""
    return (
        "prompt" in entry and "response" in entry and ("workspace" in entry or "sent_at" in entry)
    )


def group_of(pair: Mapping[str, Any]) -> str:
    """The conversation that a pair of an export is of."""
    parts = (text_of(pair.get(name)) for name in ("workspace", "username", "thread"))
    return "/".join(filter(None, parts)) or "chats"


def read(group: str, title: str, pairs: Iterable[Mapping[str, Any]], bag: Bag) -> Conversation:
    """One conversation of pairs in their order. Raises Nothing."""
    said: list[Utterance] = []
    for number, pair in enumerate(pairs, start=1):
        name = id_of(pair.get("id")) or f"#{number}"
        at = moment_of(pair.get("createdAt", pair.get("sent_at")))
        told = _response(pair.get("response"))
        before = said[-1].key if said else None
        asked, answered = f"{name}-prompt", f"{name}-response"
        words = text_of(pair.get("prompt"))
        files = _files(
            [*dicts_of(pair.get("attachments")), *dicts_of(told.get("attachments"))], bag
        )
        said.append(Utterance(asked, before, "user", words, at, asked, attached=files))
        said.append(_answer(answered, asked, told, at))
    times = [one.created_at for one in said if one.created_at]
    head = Head(
        SOURCE,
        id_of(group),
        titled(title, said),
        min(times, default=None),
        max(times, default=None),
    )
    return conversation(head, said, None)


def _response(value: object) -> dict[str, Any]:
    """The response: JSON in a text, or the text itself."""
    if isinstance(value, dict):
        return value
    text = text_of(value)
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return {"text": text}
        if isinstance(found, dict) and "text" in found:
            return found
    return {"text": text}


def _answer(key: str, parent: str, told: Mapping[str, Any], at: Any) -> Utterance:
    answer, text = Answer(), text_of(told.get("text"))
    begin, end = _THOUGHT
    if text.lstrip().startswith(begin) and end in text:
        thought, text = text.lstrip().removeprefix(begin).split(end, 1)
        answer.think(thought.strip())
        text = text.lstrip()
    answer.say(text)
    metrics = dict_of(told.get("metrics"))
    return Utterance(
        key,
        parent,
        "assistant",
        answer.text,
        at,
        key,
        answer.reasoning,
        answer.stored,
        origin=Origin(
            text_of(metrics.get("provider")).lower() or None,
            text_of(metrics.get("model")) or None,
            usage=usage_of(metrics),
        ),
    )


def _files(listed: list[dict[str, Any]], bag: Bag) -> tuple[Attached, ...]:
    found = []
    for one in listed:
        name = text_of(one.get("name")) or "image"
        data = from_data_url(text_of(one.get("contentString")))
        found.append(
            Attached(name, missing="its bytes are not in the database")
            if data is None
            else bag.put(name, data)
        )
    return tuple(found)
