"""Gemini: the provider, its models, and what all its facts rest on.

    Prompt ─▶ _payload ─▶ exchange (GeminiDecoder) ─▶ /v1beta/models/{model}:streamGenerateContent
                 ├ gemini_contents: turns, pictures, calls, results, signatures
                 ├ gemini_tools: what may be called ─▶ gemini_schema: the words it understands
                 └ gemini_config: what this generation of models takes
    its list ─▶ /v1beta/models, page by page ─▶ Model …
    its error ─▶ gemini_refusals ─▶ UpstreamError

Sources: SDK is google-genai 3.6.1 (November 2026); docs is ai.google.dev and Google Cloud's pages
as of autumn 2026; PA is pydantic-ai 2.68, whose profiles note what was tried live in September
and October 2026; seen is what clients reported of the live API in 2025 and 2026. Each room names
the facts that it rests on.

    SDK   the key goes in x-goog-api-key; roles are user and model; system turns are apart
    docs  GET /v1beta/models: pages of up to 1000, the next one by pageToken; a model has its name
          below models/, displayName, inputTokenLimit, outputTokenLimit, thinking (whether it
          can), supportedGenerationMethods
    docs  requests to 3.5 Flash-Lite, 3.6 Flash and later must not end with a turn of the model,
          so going on is asked for in words
    docs  every model in the table sees pictures, calls functions and can think

safetySettings are never sent: the vendor's own defaults hold. Explicit caches are not used; the
implicit one rewards what is sent here anyway, a history that only grows at its end.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote

from ..domain import Model, Options, Piece, Prompt
from ..errors import UpstreamError
from .base import Readiness, insist, keyed
from .exchange import exchange
from .gemini_config import MAX_OUTPUT, MAX_STOPS, config, formats, idle, thinks, wants_signatures
from .gemini_contents import contents, instruction
from .gemini_refusals import explained
from .gemini_stream import GeminiDecoder
from .gemini_tools import declared, mode
from .going_on import asked_to_go_on
from .model_list import Entry, Fields, entries, live, may_chat, pages, replaced
from .object_calls import seed_of
from .wire import Endpoint, Wire

_LISTED = Fields(("name",), ("displayName",), ("inputTokenLimit",), ("outputTokenLimit",))
_CONTEXT = 1_048_576  # tokens; docs, and genai-prices 0.2.3


def _model(model_id: str, name: str, description: str, max_output: int = MAX_OUTPUT) -> Model:
    return Model(
        id=model_id,
        name=name,
        provider="gemini",
        context_length=_CONTEXT,
        max_output_tokens=max_output,
        description=description,
        vision=True,
        tools=True,
        reasoning=True,
    )


# docs (deprecations and model pages, September to November 2026).
_ROWS = (
    _model("gemini-3.8-flash", "Gemini 3.8 Flash", "Google's latest Flash; thinks as it needs to"),
    _model("gemini-4-argon", "Gemini 4 Argon", "A frontier model; what it reads and says share 1M"),
    _model("gemini-4-carbon", "Gemini 4 Carbon", "For the hardest questions; slow and dear"),
    _model("gemini-3.7-flash", "Gemini 3.7 Flash", "Fewer tokens for the same work than 3.8"),
    _model("gemini-3.6-flash", "Gemini 3.6 Flash", "The Flash of July 2026"),
    _model("gemini-3.5-flash", "Gemini 3.5 Flash", "The last Flash that minds a temperature"),
    _model("gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite", "Fast and cheap; thinks little"),
    _model("gemini-3.1-pro-preview", "Gemini 3.1 Pro", "A preview; always thinks"),
    _model("gemini-3.1-flash-lite", "Gemini 3.1 Flash-Lite", "Served until May 2027 at least"),
    _model("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", "Does not think unless asked to"),
)
# docs (deprecations, November 2026). The two of 2.5 are routed to these by Google itself from that
# day on; said here, so that thinking is spoken of in the words of the model that answers.
_GONE = (
    ("gemini-2.5-pro", "gemini-3.8-flash", "2026-12-01"),
    ("gemini-2.5-flash", "gemini-3.5-flash-lite", "2026-12-01"),
    ("gemini-3-pro-preview", "gemini-3.1-pro-preview", "2026-03-09"),
)
MODELS = (*_ROWS, *replaced(_ROWS, "Google", *_GONE))


class Gemini:
    """The Provider for the Gemini API, or for one that behaves like it at `base_url`."""

    id = "gemini"
    name = "Google Gemini"
    description = "Google's Gemini models over their own API"
    models = MODELS
    open_ended = True
    first_piece_timeout_s: float | None = None

    def __init__(self, wire: Wire, *, api_key: str | None, base_url: str) -> None:
        self._wire = wire
        self._api_key = (api_key or "").strip()
        base_url = base_url.strip().rstrip("/")
        self._base_url = re.sub(r"/v1(?:beta|alpha)?(?:/openai)?$", "", base_url)
        self._endpoints = {model.id: self._endpoint(model.id) for model in _ROWS}
        self._list = self._way_in("models?pageSize=1000")

    def readiness(self) -> Readiness:
        """By its key."""
        return keyed("GEMINI_API_KEY", self._api_key)

    def ignored(self, model: str, options: Options) -> tuple[str, ...]:
        """What this model has no use for, by the rules above."""
        unused = idle(_plain(model), options)
        return tuple(name for name in options.given() if name in unused)

    def formats(self, model: str) -> frozenset[str]:
        """What this model is held to by Gemini itself."""
        return formats(_plain(model))

    def formats(self, model: str) -> frozenset[str]:  # noqa: ARG002
        """None is left to the vendor: each is asked for in words."""
        return frozenset()

    async def listed(self) -> Sequence[Model]:
        """As the Protocol says: those that can generateContent, but for the makers of images,
        speech and the like."""
        found = await pages(self._wire, self._list, _next_page)
        models = (model for page in found for model in _listed(page))
        return [model for model in models if model and may_chat(model.id)]

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """As the Protocol says. With a prefix the model is asked to go on, in words."""
        insist(self.readiness())
        if len(prompt.options.stop or ()) > MAX_STOPS:
            raise UpstreamError(
                f"gemini takes at most {MAX_STOPS} stop sequences: send fewer",
                code="provider_bad_request",
            )
        model = _plain(prompt.model)
        endpoint = self._endpoints.get(model) or self._endpoint(model)
        decoder = GeminiDecoder(
            endpoint, may_be_empty=prompt.prefix is not None, seed=seed_of(prompt)
        )
        return exchange(self._wire, endpoint, _payload(prompt, model), decoder)

    def _endpoint(self, model: str) -> Endpoint:
        """The way to a model. Its id is one segment of the path, whatever it holds."""
        segment = quote(model, safe="", errors="replace")
        return self._way_in(f"models/{segment}:streamGenerateContent?alt=sse")

    def _way_in(self, place: str) -> Endpoint:
        return Endpoint(
            who=self.id,
            url=f"{self._base_url}/v1beta/{place}",
            headers={"x-goog-api-key": self._api_key},
            explain=explained,
            secret=self._api_key,
        )


def _listed(page: object) -> Iterator[Model | None]:
    whole = {"models": None, **page} if isinstance(page, dict) else page  # empty lists are left out
    for entry in entries("gemini", whole, "models"):
        methods, name = entry.get("supportedGenerationMethods"), entry.get("name")
        if isinstance(methods, list) and "generateContent" in methods and isinstance(name, str):
            found = live("gemini", {**entry, "name": _plain(name)}, _LISTED)
            yield found and _able(found, entry.get("thinking"))


def _able(model: Model, thinking: object) -> Model:
    """With what it can: the list says only whether it thinks."""
    able = True if thinks(model.id) else None
    reasoning = thinking if isinstance(thinking, bool) else able
    return replace(model, vision=able, tools=able, reasoning=reasoning)


def _next_page(page: Entry) -> str:
    token = page.get("nextPageToken")
    return f"pageToken={quote(token, safe='')}" if isinstance(token, str) and token else ""


# ── the request ───────────────────────────────────────────────────────────────────────────────


def _plain(model: str) -> str:
    """The id without the collection's name, with which the vendor lists it."""
    return model.removeprefix("models/")


def _payload(prompt: Prompt, model: str) -> dict[str, object]:
    """Instruction and functions first, then the turns in their order, then what changes from one
    question to the next: the start of a growing conversation stays byte for byte the same."""
    turns = asked_to_go_on(prompt)
    payload: dict[str, object] = {}
    if system := instruction(turns):
        payload["systemInstruction"] = {"parts": system}
    if prompt.tools:
        payload["tools"] = declared(prompt.tools)
    payload["contents"] = contents(turns, signed=wants_signatures(model))
    chosen = prompt.options.tool_choice
    if prompt.tools and (choice := mode(prompt.tools, chosen, validates=thinks(model))):
        payload["toolConfig"] = choice
    known = any(row.id == model for row in MODELS)
    if given := dict(config(model, prompt.options, known=known, calls=bool(prompt.tools))):
        payload["generationConfig"] = given
    return payload
