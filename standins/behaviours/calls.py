"""Tool calls as the servers of this world stream them.

{"index":0,"id":…,"name":…,"arguments":""}  {"index":0,"arguments":"{\\"ci"}  …    the tidy way
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from standins.behaviours.base import Stage
from standins.behaviours.deltas import Json, edited, is_last, with_choice, with_delta, word_of
from standins.reply import Chunk, Reply, Step

CallStyle = Literal[
    "parallel",
    "interleaved",
    "no_index",
    "zero_index",
    "from_one",
    "no_id",
    "no_name",
    "repeated_id",
    "fresh_ids",
    "repeated_name",
    "late_name",
    "objects",
    "whole",
    "per_character",
    "invalid_json",
    "null_function",
    "no_calls",
    "dsml",
]
CALLS = (("get_weather", '{"city": "Paris"}'), ("get_time", '{"zone": "Europe/Rome"}'))
DSML = (
    "<｜DS",
    "ML｜tool_calls>\n<｜DSML｜invoke",
    ' name="get_weather">\n<｜DSML｜parameter name="city">Paris</｜DSML｜parameter>\n',
    "</｜DSML｜invoke>\n</｜DSML｜tool_calls>",
)


@dataclass(frozen=True, slots=True)
class CallsAs:
    """Two calls instead of the words: get_weather and get_time. Styles:

    parallel       index 0 to its end, then index 1
    interleaved    the arguments of both, turn by turn
    no_index       no index anywhere · no_id no id · no_name no name
    zero_index     index 0 everywhere · from_one index 1, then 2
    repeated_id    the id again with every piece · null_function function: null at first
    fresh_ids      another id with every piece · repeated_name the name with every piece
    late_name      the name after the arguments · objects arguments as JSON objects, at once
    whole          each call in one delta · per_character one character of arguments a delta
    invalid_json   arguments that end in the middle
    no_calls       finish_reason tool_calls, but no call · dsml the calls as text, finish stop
    """

    stage: ClassVar[Stage] = Stage.DELTAS
    style: CallStyle

    def shape(self, reply: Reply) -> Reply:
        """The reply with calls instead of words."""
        base: list[Chunk] = []

        def edit(chunk: Chunk) -> Iterable[Step]:
            if word_of(chunk) is not None:
                base.append(chunk)
                return ()
            if not is_last(chunk):
                return (chunk,)
            reason = "stop" if self.style == "dsml" else "tool_calls"
            ended = with_choice(chunk, finish_reason=reason)
            started = replace(base[0] if base else with_choice(chunk, finish_reason=None), tokens=1)
            return (*(with_delta(started, delta) for delta in self._deltas()), ended)

        return edited(reply, edit)

    def _deltas(self) -> list[Json]:
        if self.style == "no_calls":
            return []
        if self.style == "dsml":
            return [{"content": text} for text in DSML]
        rows = [self._rows(index, *call) for index, call in enumerate(CALLS)]
        if self.style == "interleaved":
            longest = max(len(row) for row in rows)
            order = [row[i] for i in range(longest) for row in rows if i < len(row)]
        else:
            order = [one for row in rows for one in row]
        return [{"tool_calls": [one]} for one in order]

    def _rows(self, index: int, name: str, arguments: str) -> list[Json]:
        call_id = f"call_{index:02d}_{'0123456789abcdefghijklmn'}"
        if self.style == "invalid_json":
            arguments = arguments[:-4]
        size = 1 if self.style == "per_character" else 5
        parts = [arguments[at : at + size] for at in range(0, len(arguments), size)]
        first: Json = {"index": index, "id": call_id, "type": "function"}
        function: Json = {"name": name, "arguments": ""}
        if self.style in ("whole", "objects"):
            said = json.loads(arguments) if self.style == "objects" else arguments
            return [{**first, "function": {**function, "arguments": said}}]
        if self.style in ("no_name", "late_name"):
            function = {"arguments": ""}
        rows: list[Json] = [{**first, "function": function}]
        if self.style == "null_function":
            rows = [{**first, "function": None}, {"index": index, "function": function}]
        rows += [
            {"index": index, **self._again(call_id, at), "function": {"arguments": part}}
            for at, part in enumerate(parts)
        ]
        if self.style == "repeated_name":
            rows = [rows[0]] + [
                {**row, "function": {"name": name, "arguments": part}}
                for row, part in zip(rows[1:], parts, strict=True)
            ]
        if self.style == "late_name":
            rows.append({"index": index, "function": {"name": name}})
        return [self._placed(row, index) for row in rows]

    def _again(self, call_id: str, piece: int) -> Json:
        """What a piece of arguments says of whose it is, beside its index."""
        if self.style == "fresh_ids":
            return {"id": f"{call_id}-{piece}"}
        return {"id": call_id} if self.style == "repeated_id" else {}

    def _placed(self, row: Json, index: int) -> Json:
        """The row with its index or its id as the style has them."""
        gone = {"no_index": "index", "no_id": "id"}.get(self.style)
        moved = {"zero_index": {"index": 0}, "from_one": {"index": index + 1}}.get(self.style, {})
        return {key: value for key, value in {**row, **moved}.items() if key != gone}
