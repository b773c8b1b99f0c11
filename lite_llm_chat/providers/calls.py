"""Tool calls out of deltas, as vendors really stream them. Pure: no I/O.

    {"index":0,"id":"a","function":{"name":"f","arguments":""}}  ┐
    {"index":0,"function":{"arguments":"{\\"x\\""}}               ├─ add ─▶ taken_out ─▶ ToolCall …
    {"index":0,"function":{"arguments":":1}"}}                   ┘

Ids, indexes and names may be missing, repeated or late, arguments may be an object (vendors' SDKs
and reports, 2026). A delta belongs to the call of its id, else of its index, else to the last one;
a second name tells calls apart where nothing else does. What a call is shows only at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..domain import Piece, Prompt, Seal, Text, ToolCall
from ..errors import UpstreamError
from .exchange import garbage, too_large
from .frames import MAX_EVENT_BYTES, Mender

# What a vendor wants back with an answer that called tools: nothing; OpenRouter's list of typed
# reasoning (its SDK 1.3, November 2026); what Gemini's OpenAI-compatible address puts beside a
# call, `extra_content.google.thought_signature` (Google's documentation, 2026).
Seals = Literal["none", "reasoning_details", "extra_content"]
MAKERS: Mapping[Seals, str] = {"reasoning_details": "openrouter", "extra_content": "google"}

_LEAKED = (
    "｜DSML｜"  # DeepSeek's own markup of a call, with wide bars (seen, June to September 2026)
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What may come, by what was asked: calls if there were `tools`, under other ids than those
    `taken` by earlier calls, with these `seals`."""

    tools: bool = False
    taken: frozenset[str] = frozenset()
    seals: Seals = "none"


NO_CALLS = Expected()


def expected_of(prompt: Prompt, seals: Seals = "none") -> Expected:
    """What may come as an answer to this prompt."""
    taken = frozenset(call.id for turn in prompt.turns for call in turn.calls)
    return Expected(bool(prompt.tools), taken, seals)


class _New(NamedTuple):
    """One delta of a call; what it does not say is "" or None. `alone`: in its list."""

    id: str
    place: int | None
    name: str
    arguments: str
    alone: bool


class _Call:
    """One call so far."""

    __slots__ = ("extra", "id", "index", "name", "parts")

    def __init__(self, index: int | None) -> None:
        self.id = ""
        self.index = index
        self.name = ""
        self.parts: list[str] = []
        self.extra: object = None

    def is_whole(self) -> bool:
        """Whether its arguments are a JSON object already. An object that is whole has no other
        way to go on than blanks."""
        if not (self.parts and self.parts[-1].rstrip().endswith("}")):
            return False
        try:
            return isinstance(json.loads("".join(self.parts)), dict)
        except (ValueError, RecursionError):
            return False


class Calls:
    """The calls of one answer. True once there is one with a name or arguments."""

    __slots__ = ("_calls", "_expected", "_who", "size")

    def __init__(self, who: str, expected: Expected = NO_CALLS) -> None:
        self._who = who
        self._expected = expected
        self._calls: list[_Call] = []
        self.size = 0

    def __bool__(self) -> bool:
        return any(call.name or call.parts for call in self._calls)

    def add(self, deltas: object) -> None:
        """The calls in one delta of the answer. Raises UpstreamError if they grow too large."""
        found = [one for one in deltas if isinstance(one, dict)] if isinstance(deltas, list) else []
        for delta in found:
            function = delta.get("function")
            function = function if isinstance(function, dict) else {}
            new = _New(
                _word(delta.get("id")),
                _number(delta.get("index")),
                _word(function.get("name")),
                _json(function.get("arguments")),
                len(found) == 1,
            )
            self._take(new, delta.get("extra_content"))

    def taken_out(self) -> Iterator[Piece]:
        """The calls, in the order in which they began, each with an id of its own and, where the
        vendor wants it back, its seal. Raises UpstreamError for a call of nobody."""
        given = {call.id for call in self._calls}
        used = set(self._expected.taken)
        for call in self._calls:
            if not (call.name or call.parts):
                continue
            if not call.name:
                raise garbage(self._who, "a call of a function without its name")
            if not call.id or call.id in used:
                call.id = _fresh(used | given)
            used.add(call.id)
            arguments = "".join(call.parts)
            said = (call.id, call.name, arguments if arguments.strip() else "{}")
            yield ToolCall(*map(_storable, said))
            if self._expected.seals == "extra_content" and call.extra:
                yield Seal(MAKERS["extra_content"], _storable(_json(call.extra)))

    def _take(self, new: _New, extra: object) -> None:
        call = self._found(new)
        if call is None:
            call = _Call(new.place)
            self._calls.append(call)
        call.id = call.id or new.id
        call.name = call.name or new.name
        call.extra = extra or call.extra
        if new.arguments and not (new.arguments.lstrip().startswith("{") and call.is_whole()):
            call.parts.append(new.arguments)  # else they were sent again
        self.size += len(new.arguments)
        if self.size > MAX_EVENT_BYTES:
            raise too_large(self._who)

    def _found(self, new: _New) -> _Call | None:
        """The call that goes on with this, None: a new one begins."""
        for one in reversed(self._calls):
            if new.id and one.id == new.id:
                named_twice = new.name and one.name and None not in (new.place, one.index)
                return None if named_twice and new.place != one.index else one
        call = self._by_place(new)
        if call is None or (new.name and call.name and _begins(call, new)):
            return None
        if new.id and call.id:  # another id: of another call, but for vendors that make one up
            goes_on = new.place is not None and call.name and not new.name  # for every delta
            return call if goes_on else None
        return call

    def _by_place(self, new: _New) -> _Call | None:
        if new.place is None:
            return self._calls[-1] if self._calls and (new.alone or not new.name) else None
        return next((one for one in reversed(self._calls) if one.index == new.place), None)


def _begins(call: _Call, new: _New) -> bool:
    """Whether a name beside a call's own is that of another call, and not the same once more."""
    anew = new.arguments.lstrip().startswith("{") and call.is_whole()
    return new.name != call.name or anew


def _fresh(used: set[str]) -> str:
    return next(name for number in range(len(used) + 1) if (name := f"call_{number}") not in used)


def _word(said: object) -> str:
    return said.strip() if isinstance(said, str) else ""


def _number(said: object) -> int | None:
    if isinstance(said, str) and said.isdecimal() and len(said) < 10:
        return int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) else None


def _json(said: Any) -> str:
    if said is None or isinstance(said, str):
        return said or ""
    return json.dumps(said, ensure_ascii=False)


def _storable(text: str) -> str:
    mender = Mender()
    return mender.mend(text) + mender.rest()


class Details:
    """OpenRouter's `reasoning_details`, joined again out of their deltas: neighbours of one type
    and index are one item, whose text goes on; of other fields the last one counts."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = []

    def add(self, items: object) -> None:
        """The items of one delta."""
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, dict):
                continue
            last = self._items[-1] if self._items else {}
            if last and all(last.get(key) == item.get(key) for key in ("type", "index")):
                self._items[-1] = last | {
                    key: last[key] + value
                    if key in ("text", "summary", "data") and isinstance(last.get(key), str)
                    else value
                    for key, value in item.items()
                    if value is not None
                }
            else:
                self._items.append(item)

    def taken_out(self) -> Iterator[Piece]:
        """Their seal, if there were any."""
        if self._items:
            yield Seal(MAKERS["reasoning_details"], _storable(_json(self._items)))


class Leak:
    """Looks for calls that came as text: the vendor did not read its model's own markup."""

    __slots__ = ("_tail", "found")

    def __init__(self) -> None:
        self._tail = ""
        self.found = False

    def seen(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces as they are."""
        for piece in pieces:
            if isinstance(piece, Text):
                text = self._tail + piece.text
                self.found = self.found or _LEAKED in text
                self._tail = text[-len(_LEAKED) :]
        return pieces


def leaked(who: str) -> UpstreamError:
    """The error of an answer in which a call of a tool stands as text."""
    return UpstreamError(
        f"{who} wrote the call of a tool into the text instead of making it: ask again",
        code="tool_call_as_text",
        retryable=True,
    )
