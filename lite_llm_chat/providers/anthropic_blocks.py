"""Turns as Anthropic's messages: blocks in their order, roles in turn, nothing empty.

    Prompt ─▶ spoken ─▶ Talk: tools · system · messages        read in this order, cached as one
                 │ system turns ─▶ system, wherever they stood
                 │ user     ─▶ pictures, then words
                 │ assistant ─▶ thinking · text · tool_use …   thinking since the last question only
                 │ tool     ─▶ tool_result, at the start of the user's message
                 └ cache marks: behind system or tools, the last message of the user, and the one
                   before it where that brought results

Sources, as in anthropic.py:

    docs   a request with results must bring back the thinking of the turns that led to them, in
           order and unmodified; the thinking before the last question may be left out
    docs   models that think by a budget refuse results whose turn does not begin with thinking
    docs   results come first in the user's message, one for every call of the message before
    seen   ids of calls are letters, digits, _ and -, none twice; a message must not end in thinking
    seen   calls in the history need `tools` in the request (LiteLLM 1.110, November 2026)
    SDK    pictures are JPEG, PNG, GIF or WebP
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import msgspec

from ..domain import Picture, Prompt, Reasoning, Seal, Text, Tool, ToolCall, Turn
from .anthropic_seals import bond, opened

Block = dict[str, object]
CACHED = {"type": "ephemeral"}  # for five minutes, and again with each use

_BEGINNING = "(The conversation begins with your message.)"
_UNSEEN = "(There was a picture here of a kind that cannot be shown: {}.)"
_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_THINKING = ("thinking", "redacted_thinking")
_NO_ID = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class Talk:
    """What the model reads. `bound` is what its thinking will be tied to; `whole` is False where
    results are answered and the thinking before them is not here."""

    tools: list[Block]
    system: list[Block]
    messages: list[dict[str, object]]
    bound: str
    whole: bool


def spoken(prompt: Prompt) -> Talk:
    """The turns of a prompt, with their marks."""
    system = [turn.content for turn in prompt.turns if turn.role == "system"]
    system = [text for text in system if text.strip()]
    tools = [_tool(tool) for tool in prompt.tools or _remembered(prompt.turns)]
    bound = bond(prompt.model, system, tools) if prompt.tools else ""
    groups, question = _groups(prompt.turns)
    ids = _Ids()
    messages: list[dict[str, object]] = [
        {"role": role, "content": list(_blocks(turns, ids, bound if at > question else ""))}
        for at, (role, turns) in enumerate(groups)
    ]
    whole = all(_begins_with_thinking(message) for message in messages[question + 1 :][:1])
    if groups and groups[0][0] == "assistant":
        messages.insert(0, {"role": "user", "content": [text_block(_BEGINNING)]})
    talk = Talk(tools, [text_block(text) for text in system], messages, bound, whole)
    _mark(talk)
    return talk


def text_block(text: str) -> Block:
    """A text; never an empty one."""
    return {"type": "text", "text": text}


# ── who speaks ────────────────────────────────────────────────────────────────────────────────


def _groups(turns: Sequence[Turn]) -> tuple[list[tuple[str, list[Turn]]], int]:
    """The turns that say anything, in messages; and which of these asked the last question: the
    last of the user's that brought no results (-1: none)."""
    said = [turn for turn in turns if turn.role != "system" and _says(turn)]
    groups = [(role, list(group)) for role, group in groupby(said, _role)]
    asked = [
        at
        for at, (role, group) in enumerate(groups)
        if role == "user" and all(turn.role == "user" for turn in group)
    ]
    return groups, max(asked, default=-1)


def _says(turn: Turn) -> bool:
    return bool(turn.role == "tool" or turn.content.strip() or turn.calls or turn.pictures)


def _role(turn: Turn) -> str:
    return "assistant" if turn.role == "assistant" else "user"


def _begins_with_thinking(message: dict[str, object]) -> bool:
    blocks = message["content"]
    return isinstance(blocks, list) and bool(blocks) and blocks[0]["type"] in _THINKING


# ── what is said ──────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Ids:
    """The ids of calls as this vendor takes them. Other vendors write them otherwise, or give
    the same one again in a later turn; results mean the latest call of their id."""

    taken: set[str] = field(default_factory=set)
    latest: dict[str, str] = field(default_factory=dict)

    def of_call(self, call_id: str) -> str:
        plain = _NO_ID.sub("_", call_id) or "call"
        name, count = plain, 1
        while name in self.taken:
            count += 1
            name = f"{plain}_{count}"
        self.taken.add(name)
        self.latest[call_id] = name
        return name

    def of_result(self, call_id: str) -> str:
        return self.latest.get(call_id) or _NO_ID.sub("_", call_id)


def _blocks(turns: Sequence[Turn], ids: _Ids, bound: str) -> Iterator[Block]:
    said: list[Block] = []
    for turn in turns:
        match turn.role:
            case "tool":
                said.append(_result(turn, ids))
            case "assistant" if turn.parts:
                said += _said(turn, ids, bound)
            case _:
                said += [_picture(picture) for picture in turn.pictures]
                if turn.content.strip():
                    said.append(text_block(turn.content))
    while said and said[-1]["type"] in _THINKING:
        said.pop()
    yield from said


def _said(turn: Turn, ids: _Ids, bound: str) -> Iterator[Block]:
    """An assistant's parts in their order; reasoning only where its seal is there."""
    reasoning = ""
    for part in turn.parts:
        match part:
            case Reasoning():
                reasoning += part.text
                continue
            case Text() if part.text.strip():
                yield text_block(part.text)
            case ToolCall():
                yield {
                    "type": "tool_use",
                    "id": ids.of_call(part.id),
                    "name": part.name,
                    "input": _input(part.arguments),
                }
            case Seal():
                if (block := opened(part, reasoning, bound)) is not None:
                    yield block
        reasoning = ""


def _input(arguments: str) -> object:
    """The arguments as an object, in the model's own writing: what is thought back has to stand
    behind the same bytes. Where they are none, an object that holds them, so that the model sees
    what it wrote."""
    written = arguments.strip() or "{}"
    try:
        msgspec.json.decode(written, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return {"arguments": arguments}
    return msgspec.Raw(written.encode())


def _result(turn: Turn, ids: _Ids) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": ids.of_result(turn.call_id or "")}
    if turn.content.strip():
        result["content"] = turn.content
    if turn.failed:
        result["is_error"] = True
    return result


def _picture(picture: Picture) -> Block:
    if picture.media_type not in _PICTURES or not picture.data:
        return text_block(_UNSEEN.format(picture.media_type))
    data = base64.b64encode(picture.data).decode()
    source = {"type": "base64", "media_type": picture.media_type, "data": data}
    return {"type": "image", "source": source}


# ── what may be called ────────────────────────────────────────────────────────────────────────


def _tool(tool: Tool) -> Block:
    block: Block = {"name": tool.name}
    if tool.description:
        block["description"] = tool.description
    block["input_schema"] = {"type": "object", **tool.parameters}
    if tool.strict is not None:
        block["strict"] = tool.strict
    return block


def _remembered(turns: Sequence[Turn]) -> list[Tool]:
    """The tools that the history speaks of, for a request that has none of its own."""
    return [Tool(name) for name in dict.fromkeys(one.name for turn in turns for one in turn.calls)]


# ── marks ─────────────────────────────────────────────────────────────────────────────────────


def _mark(talk: Talk) -> None:
    """Behind what stays the same, and behind the user's last message: all before it is the
    beginning of the next request too, for turns are only ever appended. A request looks back some
    twenty blocks from a mark, and many calls at once have more, so the message before results is
    marked again."""
    if fixed := talk.system or talk.tools:
        fixed[-1]["cache_control"] = CACHED
    asked = [one["content"] for one in talk.messages if one["role"] == "user"]
    brought_results = bool(asked) and any(one["type"] == "tool_result" for one in asked[-1])  # type: ignore[attr-defined]
    for blocks in asked[-2:] if brought_results else asked[-1:]:
        blocks[-1]["cache_control"] = CACHED  # type: ignore[index]
