"""Turns as messages of OpenAI's dialect. Pure.

user + pictures ──▶ parts: text, then an image_url with a data URL for each
assistant + calls ▶ content, tool_calls, and the seals that this vendor wants back
tool ────────────▶ role tool, tool_call_id
the same, told ──▶ user and assistant alone, for a model that has no tools
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Literal

from ..domain import Picture, Seal, ToolCall, Turn
from .calls import MAKERS, Seals

# Which ids of calls a vendor takes: any, or nine letters and digits (Mistral's own refusal: "must
# be a-z, A-Z, 0-9, with a length of 9", seen from 2024 to 2026).
CallIds = Literal["any", "nine"]
_NINE = re.compile(r"[A-Za-z0-9]{9}")
_JSON_PLEASE = "Answer with a JSON object."

Message = dict[str, object]


def messages_of(
    turns: Sequence[Turn], seals: Seals = "none", call_ids: CallIds = "any"
) -> list[Message]:
    """The messages, one a turn."""
    return [_message(turn, seals, call_ids) for turn in turns]


def told(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with calls and their results in words, in their places."""
    return tuple(_told(turn) for turn in turns)


def naming_json(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns, with the word JSON in one of them: DeepSeek, OpenAI, Groq and Qwen refuse a
    `json_object` without it (their documentation, 2026). It joins the first system turn."""
    if any("json" in turn.content.lower() for turn in turns):
        return tuple(turns)
    if turns and turns[0].role == "system":
        return (replace(turns[0], content=f"{turns[0].content}\n\n{_JSON_PLEASE}"), *turns[1:])
    return (Turn("system", _JSON_PLEASE), *turns)


def _message(turn: Turn, seals: Seals, call_ids: CallIds) -> Message:
    message: Message = {"role": turn.role, "content": turn.content}
    match turn.role:
        case "tool":
            message["tool_call_id"] = _call_id(turn.call_id or "", call_ids)
        case "user" if turn.pictures:
            text = [{"type": "text", "text": turn.content}] if turn.content else []
            message["content"] = [*text, *map(_image, turn.pictures)]
        case "assistant" if turn.calls:
            message["content"] = turn.content or None
            message["tool_calls"] = list(_calls(turn, seals, call_ids))
            details = turn.seals(MAKERS["reasoning_details"])
            if details and seals == "reasoning_details":
                message["reasoning_details"] = [one for seal in details for one in _list(seal)]
        case _:
            pass
    return message


def _calls(turn: Turn, seals: Seals, call_ids: CallIds) -> Iterator[Message]:
    """Each call; behind it in the turn may stand its seal."""
    for number, part in enumerate(turn.parts):
        if not isinstance(part, ToolCall):
            continue
        call: Message = {
            "id": _call_id(part.id, call_ids),
            "type": "function",
            "function": {"name": part.name, "arguments": _sound(part.arguments)},
        }
        match turn.parts[number + 1 : number + 2]:
            case (Seal("google", data),) if seals == "extra_content":
                call["extra_content"] = json.loads(data)
        yield call


def _list(seal: Seal) -> list[object]:
    found = json.loads(seal.data)
    return found if isinstance(found, list) else []


def _sound(arguments: str) -> str:
    """Arguments that are JSON: servers that read them for the template of their model fail
    otherwise, so what the model wrote amiss goes back in quotes."""
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return json.dumps({"not_json": arguments}, ensure_ascii=False) if arguments else "{}"
    return arguments


def _call_id(call_id: str, call_ids: CallIds) -> str:
    if call_ids == "any" or _NINE.fullmatch(call_id):
        return call_id
    return blake2b(call_id.encode(), digest_size=5).hexdigest()[:9]


def _image(picture: Picture) -> Message:
    data = b64encode(picture.data).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{picture.media_type};base64,{data}"}}


def _told(turn: Turn) -> Turn:
    if turn.role == "tool":
        return Turn("user", f"[Result of {turn.call_id}]\n{turn.content}")
    if not turn.calls:
        return turn
    calls = (f"[Call {call.id}: {call.name}({call.arguments})]" for call in turn.calls)
    content = "\n".join((*((turn.content,) if turn.content else ()), *calls))
    return Turn("assistant", content, turn.reasoning)
