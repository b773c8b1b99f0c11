"""The dialect of OpenAI's streamed chat completions, as many vendors really speak it.

    Prompt ─▶ base_payload + the vendor's fields ─▶ exchange (ChatDecoder) ─▶ pieces
    base_url/models ─▶ model_list.openai_models ─▶ what it serves now

A vendor is an `Endpoint` (where, with which headers, how it explains its errors) and a payload;
nothing is inherited. One that is nothing but this dialect and its habits is a `Vendor`: a row.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..domain import Model, Options, Piece, Prompt
from .base import Readiness, insist, keyed
from .calls import expected_of
from .chat_messages import Message, messages_of, naming_json, told
from .chat_stream import ChatDecoder
from .exchange import exchange
from .going_on import asked_to_go_on
from .habits import PLAIN, Habits, Speech, ignored, minded, option_fields, tool_fields
from .model_list import openai_models
from .refusal import Mend, explain
from .think import TagReader
from .wire import Endpoint, Wire


def converse(
    wire: Wire,
    endpoint: Endpoint,
    payload: Mapping[str, object],
    decoder: ChatDecoder | None = None,
) -> AsyncGenerator[Piece, None]:
    """Ask and yield the pieces; Finish exactly once and last. Raises UpstreamError."""
    return exchange(wire, endpoint, payload, decoder or ChatDecoder(endpoint))


# ── the request ───────────────────────────────────────────────────────────────────────────────


def base_payload(model: str, messages: list[Message]) -> dict[str, object]:
    """The fields that every vendor of this dialect takes: model, messages, and a stream that
    reports its usage."""
    return {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _messages(prompt: Prompt, habits: Habits) -> list[Message]:
    """The turns, and the text to go on from as a last message of the assistant with the vendor's
    mark on it."""
    turns, wanted = prompt.turns, prompt.options.response_format
    if prompt.prefix is not None and habits.going_on == "words":
        turns = asked_to_go_on(prompt)
    if "tools" not in habits.takes:
        turns = told(turns)
    if wanted is not None and wanted.kind == "json_object" and "json_object" in habits.formats:
        turns = naming_json(turns)
    messages = messages_of(turns, habits.seals, habits.call_ids)
    if prompt.prefix is not None and habits.going_on != "words":
        of_message, _ = habits.marks
        messages.append({"role": "assistant", "content": prompt.prefix.text, **of_message})
    return messages


def payload_of(prompt: Prompt, habits: Habits) -> dict[str, object]:
    """The whole body for a vendor with these habits."""
    going_on = prompt.prefix is not None
    payload = base_payload(prompt.model, _messages(prompt, habits))
    if not habits.stream_options:
        del payload["stream_options"]
    if going_on:
        _, of_body = habits.marks
        payload |= of_body
    options = minded(habits, prompt.options, tools=bool(prompt.tools), going_on=going_on)
    tools = tool_fields(habits, options, prompt.tools)
    return {**payload, **habits.extra, **option_fields(habits, options), **tools}


# ── vendors that are nothing but this dialect ─────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor of this dialect as data. `base_url` ends where `/chat/completions` begins; of
    one that people run themselves (`self_run`) it is only the usual address, and there is none
    until `url_variable` gives one. `habits` hold for every model but those whose id a pattern of
    `unlike` matches at its start. `lists` False: there is no `/models` beside the chat. `file` is
    the name of the file that describes it, "" for our own tables. One of another `dialect` is
    `responses.Responses`, for which a base URL ends where `/responses` begins."""

    id: str
    name: str
    description: str
    base_url: str
    key_variable: str = ""
    needs_key: bool = True
    models: tuple[Model, ...] = ()
    habits: Habits = PLAIN
    unlike: tuple[tuple[str, Habits], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    self_run: bool = False
    first_piece_timeout_s: float | None = None
    lists: bool = True
    file: str = ""
    dialect: Speech = "chat"

    @property
    def url_variable(self) -> str:
        """The variable that puts another address in the place of `base_url`; of an endpoint of
        one's own there is none."""
        return "" if self.file else f"{self.id.upper().replace('-', '_')}_BASE_URL"

    @property
    def headers_timeout_s(self) -> float:
        """How long its headers may take, if longer than those of others: a server of one's own
        may send them with the first words."""
        return (self.first_piece_timeout_s or 0.0) if self.self_run or self.file else 0.0

    def habits_of(self, model: str) -> Habits:
        """How this model is spoken to."""
        return next((one for start, one in self.unlike if re.match(start, model)), self.habits)


class Can(NamedTuple):
    """What a model can; None: not verified."""

    vision: bool | None = None
    tools: bool | None = None
    reasoning: bool | None = None


Row = tuple[str, str, int, int] | tuple[str, str, int, int, Can]


def known_models(provider: str, *rows: Row) -> tuple[Model, ...]:
    """The catalog rows of one vendor, out of ids, names, context windows and output limits, both
    in tokens, and what the model can, as far as that is known."""
    return tuple(_known(provider, row) for row in rows)


def _known(provider: str, row: Row) -> Model:
    model_id, name, context, output, *can = row
    vision, tools, reasoning = can[0] if can else Can()
    described = f"{name}, asked at {provider}"
    return Model(
        model_id,
        name,
        provider,
        context,
        output,
        described,
        vision=vision,
        tools=tools,
        reasoning=reasoning,
    )


class OpenAICompatible:
    """The Provider of one such vendor. `base_url` None: the row's own."""

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
        self._api_key = (api_key or "").strip()
        self._base_url = (base_url or "").strip() or ("" if vendor.self_run else vendor.base_url)
        self._endpoint = _endpoint(vendor, self._base_url, self._api_key)
        self._list = replace(self._endpoint, url=f"{self._base_url.rstrip('/')}/models")

    @property
    def endpoint(self) -> Endpoint:
        """Where and how it is asked."""
        return self._endpoint

    def readiness(self) -> Readiness:
        """Ready with an address, and with a key where one is needed."""
        vendor = self._vendor
        if not self._base_url:
            mend = f"set {vendor.url_variable} in .env and restart, such as {vendor.base_url}"
            return Readiness(False, mend)
        if vendor.key_variable and (vendor.needs_key or self._api_key):
            return keyed(vendor.key_variable, self._api_key)
        return Readiness(True, "ready")

    def ignored(self, model: str, options: Options, *, going_on: bool = False) -> tuple[str, ...]:
        """What the habits of this model have no place for."""
        return ignored(self._vendor.habits_of(model), options, going_on=going_on)

    def formats(self, model: str) -> frozenset[str]:
        """By the habits of this model."""
        return frozenset(self._vendor.habits_of(model).formats)

    async def listed(self) -> Sequence[Model] | None:
        """As the Protocol says."""
        return await openai_models(self._wire, self._list) if self._vendor.lists else None

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """As the Protocol says; how it goes on from a prefix is one of its habits."""
        insist(self.readiness())
        habits = self._vendor.habits_of(prompt.model)
        goes_on = prompt.prefix is not None
        inside = goes_on and habits.going_on != "words"  # of a text: there is no thinking before it
        tags = None
        if habits.think_tags != "none":
            tags = TagReader(opened=habits.think_tags == "open" and not inside)
        expected = expected_of(prompt, habits.seals)
        decoder = ChatDecoder(self._endpoint, goes_on, tags, expected)
        return converse(self._wire, self._endpoint, payload_of(prompt, habits), decoder)


_KEY_HEADERS = ("authorization", "api-key", "x-api-key")  # of an endpoint of one's own


def _endpoint(vendor: Vendor, base_url: str, api_key: str) -> Endpoint:
    mend = Mend(vendor.key_variable, vendor.url_variable)
    if vendor.file:
        mend = Mend(vendor.key_variable or "its key", f"its base_url in {vendor.file}")
        if not vendor.key_variable:
            mend = replace(mend, place=vendor.file)
    bearer = {"authorization": f"Bearer {api_key}"} if api_key else {}
    in_headers = (vendor.headers[name] for name in _KEY_HEADERS if name in vendor.headers)
    return Endpoint(
        who=vendor.id,
        url=f"{base_url.rstrip('/')}/chat/completions",
        headers={**bearer, **vendor.headers},
        explain=lambda said: explain(vendor.id, said, mend),
        secret=api_key or next(in_headers, ""),
    )
