"""Turns as Gemini's contents, and the signatures of their parts.

    user       text · pictures ─▶ {role: user,  parts: [{inlineData} … {text}]}
    assistant  parts, seals    ─▶ {role: model, parts: [{text} {functionCall, thoughtSignature} …]}
    tool       a result        ─▶ {role: user,  parts: [{functionResponse}]}

    docs  a thoughtSignature may stand beside any part, in a stream often beside an empty text; it
          wants to be sent back with the same part, and parts with one are not to be joined
    docs  since Gemini 3 the first functionCall of each content of a turn that is not over yet needs
          its signature, 400 without; of parallel calls only the first one has one; for calls that
          no Gemini made there is a value that is never checked
    docs  each functionCall is answered by a functionResponse in the next content, as many as there
          were; by name, and by id since Gemini 3. `response` is an object: under `output` what was
          given, under `error` what went wrong, or with neither it is the output itself
    docs  a picture is base64 in inlineData, and best stands before the text
    seen  roles want to alternate, so turns of one role in a row are one content; empty parts are
          refused, but for a signature's

A Seal holds which part the signature came with: `call:…`, `text 5:…` (beside five characters, the
last so far), `thought 0:…` (beside none). Thoughts go back only where they were signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from ..domain import Picture, Reasoning, Seal, Text, ToolCall, Turn
from .object_calls import as_object

MAKER = "gemini"
NEVER_CHECKED = "skip_thought_signature_validator"  # docs (thought signatures, 2026)

Json = dict[str, Any]
Signed = Literal["call", "text", "thought"]
_SEAL = re.compile(r"(call|text|thought)(?: (\d{1,9}))?:(.+)", re.DOTALL | re.ASCII)


def seal(on: Signed, characters: int, signature: str) -> Seal:
    """The signature of a part, to be kept behind it."""
    place = on if on == "call" else f"{on} {characters}"
    return Seal(MAKER, f"{place}:{signature}")


def contents(turns: Iterable[Turn], *, signed: bool) -> list[Json]:
    """All turns but the system's. `signed`: every call needs a signature, be it one that is never
    checked; in all turns, so that the start of a growing conversation stays as it is."""
    rows: list[Json] = []
    names: dict[str | None, str] = {}
    for turn in turns:
        names |= {call.id: call.name for call in turn.calls}
        role = "model" if turn.role == "assistant" else "user"
        parts = _parts(turn, names, signed=signed)
        if not parts:
            continue
        if not rows or rows[-1]["role"] != role:
            rows.append({"role": role, "parts": []})
        rows[-1]["parts"] += parts
    return rows


def _parts(turn: Turn, names: dict[str | None, str], *, signed: bool) -> list[Json]:
    match turn.role:
        case "system":
            return []
        case "assistant":
            return _said(turn, signed=signed)
        case "tool":
            return [_result(turn, names.get(turn.call_id, ""))]
        case "user":
            text = [{"text": turn.content}] if turn.content else []
            return [*map(_picture, turn.pictures), *text]


def _picture(picture: Picture) -> Json:
    return {"inlineData": {"mimeType": picture.media_type, "data": picture.data}}


def _result(turn: Turn, name: str) -> Json:
    response = {"id": turn.call_id, "name": name, "response": _response(turn)}
    return {"functionResponse": response}


def _response(turn: Turn) -> object:
    if turn.failed:
        return {"error": turn.content}
    if turn.content.lstrip().startswith("{"):
        try:
            msgspec.json.decode(turn.content, type=dict)
            return msgspec.Raw(turn.content.encode())
        except (ValueError, RecursionError):
            pass
    return {"output": turn.content}


# ── an assistant's parts ──────────────────────────────────────────────────────────────────────


def _said(turn: Turn, *, signed: bool) -> list[Json]:
    if not turn.parts:
        return [{"text": turn.content}] if turn.content else []
    parts: list[Json] = []
    for part in turn.parts:
        match part:
            case Text():
                parts.append({"text": part.text})
            case Reasoning():
                parts.append({"text": part.text, "thought": True})
            case ToolCall():
                call = {"id": part.id, "name": part.name, "args": as_object(part.arguments)}
                parts.append({"functionCall": call})
            case Seal(maker=maker, data=data) if maker == MAKER:
                _sign(parts, data)
            case _:
                pass  # another vendor's
    calls = (part for part in parts if "functionCall" in part)
    if signed and (first := next(calls, None)):
        first.setdefault("thoughtSignature", NEVER_CHECKED)
    return [part for part in parts if "thoughtSignature" in part or not part.get("thought")]


def _sign(parts: list[Json], data: str) -> None:
    """Puts a signature on the part that it came with, which is the last one or its end; on none
    if that is not there."""
    if not (found := _SEAL.fullmatch(data)):
        return
    on, characters, signature = found[1], int(found[2] or 0), found[3]
    last = parts[-1] if parts else {}
    if on == "call":
        if "functionCall" in last:
            last["thoughtSignature"] = signature
        return
    mark = {"thought": True} if on == "thought" else {}
    if not characters:
        parts.append({"text": "", **mark, "thoughtSignature": signature})
    elif _kind(last) == on and "thoughtSignature" not in last:
        start, end = last["text"][:-characters], last["text"][-characters:]
        parts[-1:] = [*_rest(start, mark), {"text": end, **mark, "thoughtSignature": signature}]


def _rest(start: str, mark: Json) -> Iterator[Json]:
    if start:
        yield {"text": start, **mark}


def _kind(part: Json) -> str:
    if "text" not in part:
        return "call" if part else ""
    return "thought" if part.get("thought") else "text"


def instruction(turns: Sequence[Turn]) -> list[Json]:
    """The parts of systemInstruction."""
    return [{"text": turn.content} for turn in turns if turn.role == "system" and turn.content]
