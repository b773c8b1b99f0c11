"""OpenAI's Responses API: the request in its own dialect, and every fact about it, with its source.

    Prompt ─▶ payload_of ─▶ exchange (ResponseDecoder) ─▶ base_url/responses ─▶ pieces
                 │ turns ─▶ input: messages, reasoning, function_call, function_call_output
                 │ options ─▶ max_output_tokens, reasoning {effort, summary}, text {format} …
                 └ prefix ─▶ a request in words to go on
    base_url/models ─▶ model_list.openai_models ─▶ what it serves now
    its error ─▶ _explain ─▶ UpstreamError

Sources: "SDK" is the vendor's Python package 3.54.0, "docs" DeepSeek's reference of `/responses` of
October 2026, "seen" what clients reported of the live API in 2026.

    SDK    `store` false: nothing is kept there, so every request carries the whole conversation
    SDK    system turns may stand anywhere in the input. Here they stay where they stood, and not in
           `instructions`, which is one text in front: what is cached of the prompt stays its
           beginning. The role is `system`, which is older than `developer` and means the same
    SDK    there is no stop, seed, top_k or penalty; models that reason take no temperature or top_p
    SDK    a function is flat, and must say whether it is strict: left out, it would be
    seen   max_output_tokens below 16 are refused
    SDK    encrypted_content of reasoning is asked for by `include`; models that do not reason
    seen   refuse that, and reasoning items in the input
    seen   a reasoning item is refused without an item after it that it led to
    docs   DeepSeek wants its reasoning_text back in tool loops; it knows no encrypted_content
    SDK    deltas are padded so that a listener cannot count letters; that is left on
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from ..domain import Model, Options, Picture, Piece, Prompt, Seal, Text, Tool, ToolCall, Turn
from ..errors import UpstreamError
from .base import Readiness, insist
from .exchange import exchange
from .going_on import asked_to_go_on
from .habits import Habits, ignored, option_fields
from .openai_compatible import OpenAICompatible, Vendor
from .refusal import Refusal, too_long
from .responses_stream import ResponseDecoder
from .wire import Wire

MAKER = "responses"
_NAMES = {"max_tokens": "max_output_tokens"}
_LEAST_OUTPUT = 16  # seen: OpenAI refuses less
_LONGEST_ID = 64  # seen: OpenAI refuses a longer call_id, as other vendors give
_NO_PARAMETERS = {"type": "object", "properties": {}}

# The codes of a failed response (SDK), where no status says whose fault it was: the question's.
_OF_THE_QUESTION = re.compile(
    r"invalid_|image_|unsupported_|empty_image|failed_to_download|_policy|data_residency"
)
_TOO_LONG = re.compile(r"context_length_exceeded|exceeds the context window", re.IGNORECASE)


class Responses:
    """The Provider of one vendor of this dialect. Its key, its address, its list and how it
    explains its errors are those of the same vendor's chat completions."""

    open_ended = True

    def __init__(
        self, wire: Wire, vendor: Vendor, *, api_key: str | None, base_url: str | None = None
    ) -> None:
        self.id = vendor.id
        self.name = vendor.name
        self.description = vendor.description
        self.models = vendor.models
        self.first_piece_timeout_s = vendor.first_piece_timeout_s
        self._wire = wire
        self._vendor = vendor
        self._chat = OpenAICompatible(wire, vendor, api_key=api_key, base_url=base_url)
        chat = self._chat.endpoint
        self._endpoint = replace(
            chat,
            url=f"{chat.url.removesuffix('/chat/completions')}/responses",
            explain=partial(_explain, chat.explain),
        )

    def readiness(self) -> Readiness:
        """By its address and its key."""
        return self._chat.readiness()

    def ignored(self, model: str, options: Options, *, going_on: bool = False) -> tuple[str, ...]:
        """What the habits of this model have no place for."""
        return ignored(self._vendor.habits_of(model), options, going_on=going_on)

    def formats(self, model: str) -> frozenset[str]:
        """Those that the vendor holds the model to (SDK: both)."""
        return frozenset(self._vendor.habits_of(model).formats)

    async def listed(self) -> Sequence[Model] | None:
        """As the Protocol says."""
        return await self._chat.listed()

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """As the Protocol says. There is no way to go on from a prefix but to ask in words."""
        insist(self.readiness())
        decoder = ResponseDecoder(self._endpoint, prompt.prefix is not None, _maker(self._vendor))
        return exchange(self._wire, self._endpoint, payload_of(prompt, self._vendor), decoder)


# ── the request ───────────────────────────────────────────────────────────────────────────────


def payload_of(prompt: Prompt, vendor: Vendor) -> dict[str, object]:
    """The whole body."""
    habits, options = vendor.habits_of(prompt.model), prompt.options
    plain = replace(habits, formats=frozenset(), names={**_NAMES, **habits.names})
    fields = {**habits.extra, **option_fields(plain, options)}
    if not vendor.file and options.max_tokens is not None:
        fields["max_output_tokens"] = max(options.max_tokens, _LEAST_OUTPUT)
    payload: dict[str, object] = {
        "model": prompt.model,
        "input": list(_input(prompt, _maker(vendor) if _reasons(vendor, habits) else "")),
        "stream": True,
        "store": False,
        **_reasoning(habits, fields),
        **fields,
    }
    if prompt.tools and "tools" in habits.takes:
        payload |= _tool_fields(prompt)
    if options.response_format is not None and options.response_format.kind in habits.formats:
        payload["text"] = {"format": _format(options)}
    return payload


def _maker(vendor: Vendor) -> str:
    """Whose seals: what one vendor has encrypted, no other can read."""
    return f"{MAKER}:{vendor.id}" if vendor.file else MAKER


def _reasons(vendor: Vendor, habits: Habits) -> bool:
    """Whether reasoning may be sent back. An endpoint of one's own gets what it gave."""
    return habits.thinking != "none" or bool(vendor.file)


def _reasoning(habits: Habits, fields: dict[str, object]) -> dict[str, object]:
    """How to reason, with a summary that can be shown; takes the effort out of the fields."""
    if habits.thinking not in ("reasoning_effort", "reasoning"):
        return {}
    said = fields.pop("reasoning", {})
    reasoning: dict[str, object] = dict(said) if isinstance(said, dict) else {}
    if effort := fields.pop("reasoning_effort", None):
        reasoning["effort"] = effort
    if reasoning.get("effort") != "none" and reasoning.get("enabled") is not False:
        reasoning["summary"] = "auto"
    return {"reasoning": reasoning, "include": ["reasoning.encrypted_content"]}


def _tool_fields(prompt: Prompt) -> dict[str, object]:
    options = prompt.options
    fields: dict[str, object] = {"tools": [_tool(tool) for tool in prompt.tools]}
    if (choice := options.tool_choice) is not None:
        kind, _, name = choice.partition(":")
        fields["tool_choice"] = {"type": "function", "name": name} if kind == "tool" else choice
    if options.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = options.parallel_tool_calls
    return fields


def _tool(tool: Tool) -> dict[str, object]:
    flat: dict[str, object] = {
        "type": "function",
        "name": tool.name,
        "parameters": dict(tool.parameters) or _NO_PARAMETERS,
        "strict": tool.strict is True,
    }
    return {**flat, "description": tool.description} if tool.description else flat


def _format(options: Options) -> dict[str, object]:
    wish = options.response_format
    if wish is None or wish.kind == "json_object":
        return {"type": "json_object"}
    schema = dict(wish.schema or {})
    form: dict[str, object] = {"type": "json_schema", "name": wish.name, "schema": schema}
    return form if wish.strict is None else {**form, "strict": wish.strict}


# ── the conversation ──────────────────────────────────────────────────────────────────────────


def _input(prompt: Prompt, maker: str) -> Iterator[dict[str, object]]:
    """The turns as items."""
    for turn in asked_to_go_on(prompt):
        match turn.role:
            case "tool":
                yield {
                    "type": "function_call_output",
                    "call_id": _call_id(turn.call_id or ""),
                    "output": turn.content,
                }
            case "assistant":
                yield from _said(turn, maker)
            case role:
                words: dict[str, object] = {"type": "input_text", "text": turn.content}
                pictures = [_image(picture) for picture in turn.pictures]
                yield _message(role, [words, *pictures] if turn.content else pictures)


def _said(turn: Turn, maker: str) -> Iterator[dict[str, object]]:
    """An assistant's parts. Reasoning waits for what it led to, and is left out without that."""
    waiting: list[dict[str, object]] = []
    for part in turn.parts or (Text(turn.content),):
        match part:
            case Seal() if part.maker == maker:
                waiting.append(json.loads(part.data))
                continue
            case Text() if part.text:
                item = _message("assistant", [{"type": "output_text", "text": part.text}])
            case ToolCall():
                item = {
                    "type": "function_call",
                    "call_id": _call_id(part.id),
                    "name": part.name,
                    "arguments": part.arguments or "{}",
                }
            case _:
                continue
        yield from waiting
        waiting.clear()
        yield item


def _message(role: str, content: list[dict[str, object]]) -> dict[str, object]:
    return {"type": "message", "role": role, "content": content}


def _image(picture: Picture) -> dict[str, object]:
    data = base64.b64encode(picture.data).decode()
    url = f"data:{picture.media_type};base64,{data}"
    return {"type": "input_image", "detail": "auto", "image_url": url}


def _call_id(call_id: str) -> str:
    """An id that is short enough: the same one for a call and its result."""
    if len(call_id) <= _LONGEST_ID:
        return call_id
    return f"call_{hashlib.blake2b(call_id.encode(), digest_size=16).hexdigest()}"


# ── the errors ────────────────────────────────────────────────────────────────────────────────


def _explain(chat: Callable[[Refusal], UpstreamError], said: Refusal) -> UpstreamError:
    """The same errors as elsewhere, and those that a failed response tells by its code alone."""
    if _TOO_LONG.search(f"{said.kind} {said.message}"):
        return too_long(said)
    if said.status == 500 and "insufficient_quota" in said.kind:
        said = replace(said, status=429)
    elif said.status == 500 and _OF_THE_QUESTION.search(said.kind):
        said = replace(said, status=400)
    return chat(said)
