"""The items of a response: what they say, and what has to be whole before it is said. Pure.

added · arguments.delta … done · item done ─▶ Items ─▶ ToolCall · Seal
item ─▶ texts_of ─▶ {"output_text": [(0, "…")], …}

reasoning      summary: summary_text …, content: reasoning_text …, encrypted_content
message        content: output_text · refusal …
function_call  call_id (names the result), name, arguments (JSON text)

(types of the vendor's Python SDK 3.54.0, November 2026)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex

from ..domain import Piece, Reasoning, Seal, Text, ToolCall, Usage
from .frames import Mender
from .gather import count

Place = tuple[str | int, ...]  # (kind, item, part), or its beginning: an item, a kind

# The kinds of texts, by the middle of their events' names.
PARTS: Mapping[str | int, type[Text] | type[Reasoning]] = {
    "output_text": Text,
    "refusal": Text,
    "reasoning_text": Reasoning,
    "reasoning_summary_text": Reasoning,
}
_KINDS = {"summary_text": "reasoning_summary_text"}  # of a part, where the event is called else
_ITEM_CHARS = 1_000  # of an item that is held, roughly, or of what is remembered of it


def number(said: object) -> int:
    """An index; whatever is none is the first."""
    return said if isinstance(said, int) and 0 <= said < 1 << 31 else 0


def texts_of(item: object) -> dict[str, list[tuple[int, object]]]:
    """The texts of a whole item by their kind, each with its index among its like."""
    found: dict[str, list[tuple[int, object]]] = {}
    if not isinstance(item, dict):
        return found
    for name in ("summary", "content"):
        parts = item.get(name)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict):
                kind = str(part.get("type"))
                kind = _KINDS.get(kind, kind)
                if kind in PARTS:
                    said = part.get("refusal" if kind == "refusal" else "text")
                    found.setdefault(kind, []).append((index, said))
    return found


def response_usage(said: object) -> Usage | None:
    """The counts of a response's `usage`; None if there is none. The input includes what was
    cached, the output what was thought."""
    if not isinstance(said, dict):
        return None
    read, output = count(said, "input_tokens"), count(said, "output_tokens")
    cached = count(said, "input_tokens_details", "cached_tokens")
    thought = count(said, "output_tokens_details", "reasoning_tokens")
    return Usage(read, min(cached, read), output, min(thought, output))


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is being written: its item so far, and its arguments in pieces."""

    item: Mapping[str, object]
    written: list[str] = field(default_factory=list)


class Items:
    """The items of one response by their index. Calls leave it whole and once; `called` says
    whether there was one. A call that a limit has cut is none. `size` is about how many characters
    are held."""

    __slots__ = ("_ended", "_maker", "_open", "called", "size")

    def __init__(self, maker: str) -> None:
        self.called = False
        self.size = 0
        self._maker = maker
        self._open: dict[int, _Call] = {}  # calls that are being written
        self._ended: set[tuple[object, ...]] = set()  # items that were whole once

    def begin(self, index: int, item: object) -> None:
        """An item whose parts are still to come."""
        if isinstance(item, dict) and item.get("type") == "function_call":
            self._open[index] = _Call(_given(item))
            self.size += _ITEM_CHARS

    def write(self, index: int, delta: object) -> None:
        """More of a call's arguments."""
        if isinstance(delta, str) and index in self._open:
            self._open[index].written.append(delta)
            self.size += len(delta)

    def written(self, index: int, arguments: object) -> None:
        """All of a call's arguments."""
        if isinstance(arguments, str) and index in self._open:
            self._open[index].written[:] = [arguments]

    def end(self, index: int, item: object) -> list[Piece]:
        """The pieces of an item that is whole; none if it was so before, or is of no such kind."""
        if not isinstance(item, dict):
            return []
        self.size += _ITEM_CHARS
        match item.get("type"):
            case "function_call":
                begun = self._open.pop(index, _Call({}))
                return self._call(index, _Call({**begun.item, **_given(item)}, begun.written))
            case "reasoning":
                return self._seal(index, item)
        return []

    def rest(self) -> list[Piece]:
        """The calls that nobody said were whole, of a response that is complete."""
        calls, self._open = self._open, {}
        return [piece for index, call in calls.items() for piece in self._call(index, call)]

    def _call(self, index: int, call: _Call) -> list[Piece]:
        item = call.item
        name = storable(_text(item.get("name")))
        call_id = storable(_text(item.get("call_id")) or _text(item.get("id")))
        mark = ("call", call_id or index)
        if not name or item.get("status") == "incomplete" or mark in self._ended:
            return []
        self._ended.add(mark)
        self.called = True
        arguments = storable(_text(item.get("arguments")) or "".join(call.written))
        return [ToolCall(call_id or f"call_{token_hex(12)}", name, arguments)]

    def _seal(self, index: int, item: Mapping[str, object]) -> list[Piece]:
        """Reasoning that can be sent back: encrypted, or in plain words (DeepSeek's documentation,
        October 2026). Fields that are null are left out: some are refused so in a request."""
        mark = ("seal", index, _text(item.get("id")))
        if mark in self._ended or not (item.get("encrypted_content") or item.get("content")):
            return []
        self._ended.add(mark)
        return [Seal(self._maker, storable(json.dumps(_given(item), ensure_ascii=False)))]


def _given(item: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in item.items() if value is not None}


def _text(said: object) -> str:
    """A text, or the JSON of what stands in its place."""
    if isinstance(said, str):
        return said
    return json.dumps(said, ensure_ascii=False) if isinstance(said, dict) and said else ""


def storable(text: str) -> str:
    """A text as any store can hold it."""
    mender = Mender()
    return mender.mend(text) + mender.rest()
