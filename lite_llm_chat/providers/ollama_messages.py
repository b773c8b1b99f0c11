"""Turns, functions and formats in Ollama's words.

    user       text, pictures     ─▶ {role, content, images: [base64]}
    assistant  text, calls        ─▶ {role, content, thinking, tool_calls: [{id, function}]}
    tool       a result           ─▶ {role, content, tool_name, tool_call_id}
    Prompt.tools, tool_choice     ─▶ tools       ResponseFormat ─▶ format: "json", or the schema

    docs  arguments of calls are objects, both ways; a result names its function in tool_name
    docs  in a loop of calls the whole message goes back, its thinking as well; elsewhere the
          templates leave out what was thought before the last question (seen)
    seen  calls have an id since 2025, and a result may name it as tool_call_id; versions before
          pass over what they do not know
    docs  there is no way to make a model call, or call this and not that, or one at a time: it is
          offered functions or it is not. So for `none` it is not
    docs  format holds a model to JSON or to a schema, but not in Ollama's cloud

What the sources are called stands in ollama.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..domain import Options, Prompt, ResponseFormat, Tool, Turn
from .functions import function_tools
from .object_calls import as_object

Json = dict[str, object]
_NO_ARGUMENTS: Json = {"type": "object", "properties": {}}


def messages(prompt: Prompt) -> list[Json]:
    """The turns as they are, and the text to go on from as a last message of the assistant."""
    names = {call.id: call.name for turn in prompt.turns for call in turn.calls}
    rows = [dict(_message(turn, names)) for turn in prompt.turns]
    if prompt.prefix is not None:
        rows.append({"role": "assistant", "content": prompt.prefix.text})
    return rows


def _message(turn: Turn, names: dict[str, str]) -> Iterator[tuple[str, object]]:
    yield "role", turn.role
    yield "content", turn.content
    if turn.pictures:
        yield "images", [picture.data for picture in turn.pictures]
    if turn.calls and turn.reasoning:
        yield "thinking", turn.reasoning
    if turn.calls:
        yield (
            "tool_calls",
            [
                {
                    "id": call.id,
                    "function": {"name": call.name, "arguments": as_object(call.arguments)},
                }
                for call in turn.calls
            ],
        )
    if turn.call_id is not None:
        yield "tool_name", names.get(turn.call_id, "")
        yield "tool_call_id", turn.call_id


def offered(prompt: Prompt) -> tuple[Tool, ...]:
    """The functions that the model is told of."""
    return () if prompt.options.tool_choice == "none" else prompt.tools


def tools(prompt: Prompt) -> list[Json]:
    """The field `tools`. Every function has a schema here, be it of no arguments."""
    rows = function_tools(offered(prompt))
    return [
        {**row, "function": {**function, "parameters": function["parameters"] or _NO_ARGUMENTS}}
        for row in rows
        if isinstance(function := row["function"], dict)
    ]


def wire_format(wanted: ResponseFormat) -> object:
    """The field `format`."""
    return "json" if wanted.schema is None else wanted.schema


def unmet(options: Options) -> Iterator[str]:
    """The names of what is asked of calls and cannot be had."""
    if options.tool_choice not in (None, "auto", "none"):
        yield "tool_choice"
    if options.parallel_tool_calls is False:
        yield "parallel_tool_calls"
