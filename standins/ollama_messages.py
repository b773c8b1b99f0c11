"""The messages, functions and format of a chat with Ollama, and how it refuses them (2026).

    body ─▶ read_messages · read_tools · read_format ─▶ what an Order needs
               └───── raise Refusal(sentence, status) ─────┘

The server is written in Go: a body of the wrong shape gets encoding/json's own sentences. Sentences
marked (?) were never seen on the wire. That results belong to calls no server checks; here it is,
because a template makes nonsense of others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from standins.deepseek_rules import Object, RefusedError, text_of
from standins.reply import compact

Json = dict[str, Any]


class Refusal(RefusedError):
    """The request is not answered, in Ollama's envelope."""

    def body(self, request_id: str = "") -> bytes:  # noqa: ARG002 - there is none
        """The bytes of the refusal."""
        return compact({"error": self.message})


# ── messages ──────────────────────────────────────────────────────────────────────────────────


def read_messages(body: Object, *, sees: bool) -> tuple[Object, ...]:
    """The messages; `sees`: the model takes pictures. Raises Refusal."""
    messages = body.get("messages")
    if messages is None:
        return ()
    if not isinstance(messages, list):
        raise mistyped("messages", messages, "[]api.Message")
    for message in messages:
        if not isinstance(message, dict):
            raise mistyped("messages", message, "api.Message")
        for name in ("content", "thinking", "tool_name", "tool_call_id"):
            if not (message.get(name) is None or isinstance(message[name], str)):
                raise mistyped(f"messages.{name}", message[name], "string")
        _check_pictures(message, sees=sees)
    _check_results(messages)
    return tuple({"role": "", **one, "content": text_of(one.get("content"))} for one in messages)


def _check_pictures(message: Json, *, sees: bool) -> None:
    for picture in message.get("images") or ():
        try:
            base64.b64decode(picture, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise Refusal("illegal base64 data at input byte 0") from None
        if not sees:
            raise Refusal("this model is missing data required for image input", 500)


def _check_results(messages: list[Json]) -> None:
    """Each result is right behind the message that called for it, one for each call."""
    waiting: list[tuple[str, str]] = []  # id and name; the id may be unknown
    for message in messages:
        if message.get("role") == "tool":
            _answer(waiting, message)
            continue
        if waiting:
            break
        waiting = list(_calls(message))
    if waiting:
        raise Refusal(f"the call of {waiting[0][1]} has no result")  # (?)


def _answer(waiting: list[tuple[str, str]], message: Json) -> None:
    """Takes the call that a result is for from those that wait."""
    own, name = str(message.get("tool_call_id") or ""), str(message.get("tool_name") or "")
    for call_id, called in waiting:
        if called == name and own in ("", call_id):
            waiting.remove((call_id, called))
            return
    raise Refusal(f"a result of {name or 'nothing'} belongs to no call")  # (?)


def _calls(message: Json) -> Iterator[tuple[str, str]]:
    path = "messages.tool_calls"
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise mistyped(path, call, "api.ToolCall")
        arguments = function.get("arguments")
        if not isinstance(arguments, dict):
            kind = "api.ToolCallFunctionArguments"
            raise mistyped(f"{path}.function.arguments", arguments, kind)
        yield str(call.get("id") or ""), str(function.get("name"))


# ── functions and formats ─────────────────────────────────────────────────────────────────────


def read_tools(body: Object, unable: str | None) -> tuple[Object, ...]:
    """The functions; `unable` is the name of a model that calls none. Raises Refusal."""
    tools = body.get("tools")
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise mistyped("tools", tools, "api.Tools")
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not function.get("name"):
            raise mistyped("tools.function", function, "api.ToolFunction")
        parameters = function.get("parameters")
        if not isinstance(parameters, dict) or parameters.get("type") != "object":
            raise mistyped("tools.function.parameters", parameters, "struct")
    if tools and unable is not None:
        raise Refusal(f"registry.ollama.ai/library/{unable} does not support tools")
    return tuple(tools)


def read_format(body: Object) -> bool:
    """Whether the answer has to be JSON. Raises Refusal."""
    wanted = body.get("format")
    if wanted in (None, ""):
        return False
    if wanted != "json" and not isinstance(wanted, dict):
        said = compact(wanted).decode()
        raise Refusal(f'invalid format: {said}; expected "json" or a valid JSON Schema object')
    return True


def mistyped(path: str, value: object, kind: str) -> Refusal:
    """encoding/json's refusal of a value that is of another type."""
    match value:
        case bool():
            name = "bool"
        case int() | float():
            name = "number"
        case str():
            name = "string"
        case list():
            name = "array"
        case _:
            name = "object"
    field = f"ChatRequest.{path}"
    return Refusal(f"json: cannot unmarshal {name} into Go struct field {field} of type {kind}")
