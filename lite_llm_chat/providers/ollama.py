"""Ollama by its native API: every fact about this vendor, and its source.

    Prompt ─▶ _payload ─▶ exchange (OllamaDecoder) ─▶ OLLAMA_BASE_URL/api/chat
                 ├ ollama_messages: turns, pictures, functions, formats
                 └ think, num_ctx, what may not be cut: Ollama's own rules
    what is pulled ─▶ OLLAMA_BASE_URL/api/tags ─▶ Model …
    its error ─▶ _explain ─▶ UpstreamError

Sources: "docs" is Ollama's own documentation, docs.ollama.com and docs/ in its repository, as of
October 2026; "code" is its server's source (server/routes.go, runner/, api/types.go) as of 2026;
"seen" is what clients reported of versions 0.12 to 0.40 in 2026.

    docs   POST /api/chat, one JSON object a line, streamed unless told otherwise; options are in
           `options` under their own names; a model stays loaded for 5 minutes
    docs   think: true, false, or a level for models that have levels, as gpt-oss has
    docs   GET /api/tags: what is on the machine, each with its name
    code   … and, in 2026, its capabilities: completion (an embedding model has none), vision,
           tools, thinking
    docs   cloud models have their largest window
    docs   errors are {"error": "…"} with a status, or a line of a stream under 200
    code   the headers of a stream come with its first line, so after the model was loaded
    code   `think` for a model that cannot: 400 "… does not support thinking"; a level for one
           without levels: 400; a window over the model's own is lowered to it
    code   `tools` for a model that cannot call: 400 "… does not support tools"; a picture for one
           that cannot see: an error that names image input
    code   a last message of the assistant is gone on from (maintainers, issue 6778, March 2025)
    seen   what does not fit the window is left out without a word, and so is the beginning of
           the prompt when an answer fills it. `truncate` and `shift` false (since 0.12.6, October
           2025; ignored before) make it a 400 and a `length`

What a window is and which one is asked for stands in ollama_window.py.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from ..domain import Model, Options, Piece, Prompt
from ..errors import UpstreamError
from .base import Readiness, insist, keyed
from .exchange import exchange, fetched
from .model_list import Entry, Fields, entries, live, may_chat
from .object_calls import seed_of
from .ollama_messages import messages, tools, unmet, wire_format
from .ollama_stream import OllamaDecoder
from .ollama_window import Windows
from .refusal import Mend, Refusal, explain
from .wire import Endpoint, Wire

# How long the headers may take, and with them a model's way from the disk: tens of seconds for a
# large one (seen). The Wire of this provider needs it as its `headers_timeout_s`.
LOAD_TIMEOUT_S = 300.0

_MEND = Mend(key_setting="OLLAMA_API_KEY", url_setting="OLLAMA_BASE_URL")
_LISTED = Fields(("name", "model"))
_EXAMPLE = "http://localhost:11434"
_USUAL_PORT = ":11434"

# Our options under Ollama's names, all inside `options` (docs).
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "num_predict",
    "stop": "stop",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
# Our efforts in the three levels of the models that have levels (docs).
_LEVELS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
    "ultra": "high",
}
_HAS_LEVELS = re.compile(r"(?:^|/)gpt-oss(?:$|[:-])")
_CLOUD = re.compile(r"//ollama\.com$|[:-]cloud$")  # an address, or a model's name

_NO_MODEL = re.compile(r"model (?:['\"]*(?P<name>[\w.:/-]+)['\"]* )?not found", re.IGNORECASE)
_TOO_LONG = re.compile(r"exceed\w*\b.{0,40}\bcontext (?:length|size|window)", re.IGNORECASE)
_TOO_LARGE = "requires more system memory"
_CANNOT_THINK = "does not support thinking"
_CANNOT_CALL = "does not support tools"
_CANNOT_SEE = re.compile(r"image input|does not support (?:images?|vision)", re.IGNORECASE)
_INNER = re.compile(r'"message": ?"([^"\\]+)"')


def _model(model_id: str, name: str, description: str, *, vision: bool) -> Model:
    return Model(
        id=model_id,
        name=name,
        provider="ollama",
        context_length=131_072,  # of both (ollama.com/library, October 2026)
        max_output_tokens=131_072,  # no bound of its own
        description=f"{description}; `ollama pull {model_id}` fetches it",
        vision=vision,
        tools=True,
        reasoning=True,
    )


# Which models there are, only the user's machine knows, and any name is sent as it is. These are
# the example of Ollama's quickstart (docs, October 2026) and its usual larger choice; the first
# is asked when no model is named.
MODELS = (
    _model(
        "gemma4:e2b",
        "Gemma 4 E2B",
        "A small model for a laptop, the one of the quickstart",
        vision=True,
    ),
    _model(
        "gpt-oss:20b", "gpt-oss 20B", "A larger model that thinks in three levels", vision=False
    ),
)


class Ollama:
    """The Provider for an Ollama at `base_url`: on this machine, in the network, or ollama.com,
    which wants `api_key`."""

    id = "ollama"
    name = "Ollama"
    description = "Models on your own Ollama, by its native API"
    models = MODELS
    open_ended = True
    first_piece_timeout_s: float | None = LOAD_TIMEOUT_S

    def __init__(self, wire: Wire, *, api_key: str | None, base_url: str | None) -> None:
        self._wire = wire
        self._api_key = (api_key or "").strip()
        self._base_url = _base_url(base_url or "")
        self._endpoint = self._way_in()
        self._list = replace(self._endpoint, url=f"{self._base_url}/api/tags")
        self._windows = Windows()

    def readiness(self) -> Readiness:
        """Ready as soon as there is an address; whether a server listens there shows with the
        first request."""
        if not self._base_url:
            note = f"set OLLAMA_BASE_URL in .env (for example {_EXAMPLE}) and restart"
            return Readiness(False, note)
        if self._api_key:
            return keyed("OLLAMA_API_KEY", self._api_key)
        return Readiness(True, "ready")

    def ignored(self, model: str, options: Options) -> tuple[str, ...]:
        """An effort that changes nothing: unknown, or thinking is switched the other way, or the
        model has no levels and is told to think anyway; what Ollama has no way to ask of calls; a
        format in its cloud. All else is Ollama's to use."""
        without = _think(model, replace(options, effort=None))
        idle = set(unmet(options))
        if options.effort is not None and _think(model, options) == without:
            idle.add("effort")
        if not self.formats(model):
            idle.add("response_format")
        return tuple(name for name in options.given() if name in idle)

    def formats(self, model: str) -> frozenset[str]:
        """What a model is held to by Ollama itself: both, but in its cloud none."""
        held = () if self._in_the_cloud(model) else ("json_object", "json_schema")
        return frozenset(held)

    def formats(self, model: str) -> frozenset[str]:  # noqa: ARG002
        """None is left to the vendor: each is asked for in words."""
        return frozenset()

    async def listed(self) -> Sequence[Model]:
        """As the Protocol says: what was pulled and can chat. Windows are not asked for: that
        would be a request for each model."""
        found = entries(self.id, await fetched(self._wire, self._list), "models")
        rows = ((live(self.id, entry, _LISTED), _abilities(entry)) for entry in found)
        return [
            _able(model, able)
            for model, able in rows
            if model and may_chat(model.id) and (able is None or "completion" in able)
        ]

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """As the Protocol says. A prefix is a last assistant message, which Ollama goes on from;
        the model does not think again for it."""
        insist(self.readiness())
        decoder = OllamaDecoder(
            self._endpoint, may_be_empty=prompt.prefix is not None, seed=seed_of(prompt)
        )
        return exchange(self._wire, self._endpoint, self._payload(prompt), decoder)

    def _payload(self, prompt: Prompt) -> dict[str, object]:
        in_the_cloud = self._in_the_cloud(prompt.model)
        window = None if in_the_cloud else self._windows.ask_for(prompt)
        options = _options(prompt.options)
        if window is not None:
            options["num_ctx"] = window
        payload: dict[str, object] = {
            "model": prompt.model,
            "messages": messages(prompt),
            "stream": True,
            "truncate": False,
            "shift": False,
        }
        if offered := tools(prompt):
            payload["tools"] = offered
        if (wanted := prompt.options.response_format) is not None and not in_the_cloud:
            payload["format"] = wire_format(wanted)
        think = _think(prompt.model, prompt.options)
        if prompt.prefix is not None:  # llama.cpp refuses to think and go on at once (seen, 2026)
            think = False
        if think is not None:
            payload["think"] = think
        return payload | ({"options": options} if options else {})

    def _in_the_cloud(self, model: str) -> bool:
        return bool(_CLOUD.search(self._base_url) or _CLOUD.search(model))

    def _way_in(self) -> Endpoint:
        headers = {"accept": "application/x-ndjson"}
        if self._api_key:
            headers["authorization"] = f"Bearer {self._api_key}"
        return Endpoint(
            who=self.id,
            url=f"{self._base_url}/api/chat",
            headers=headers,
            explain=_explain,
            secret=self._api_key,
        )


def _base_url(given: str) -> str:
    """The address as people write it: with or without a scheme, as OLLAMA_HOST is, and with the
    path of the native API or of OpenAI's dialect. Without a scheme the usual port may be left
    out (docs)."""
    url = re.sub(r"/(?:api|v1)$", "", given.strip().rstrip("/"))
    if not url or "://" in url:
        return url
    host, slash, path = url.partition("/")
    port = "" if re.search(r":\d+$", host) else _USUAL_PORT
    return f"http://{host}{port}{slash}{path}"


def _abilities(entry: Entry) -> list[object] | None:
    """What the list says that a model can; None where it does not say."""
    able = entry.get("capabilities")
    return able if isinstance(able, list) else None


def _able(model: Model, able: list[object] | None) -> Model:
    if able is None:
        return model
    return replace(
        model, vision="vision" in able, tools="tools" in able, reasoning="thinking" in able
    )


# ── the request ───────────────────────────────────────────────────────────────────────────────


def _options(options: Options) -> dict[str, object]:
    """What was set, under Ollama's names."""
    names = (name for name in options.given() if name in _OPTIONS)
    return {_OPTIONS[name]: getattr(options, name) for name in names}


def _think(model: str, options: Options) -> bool | str | None:
    """The value of `think`, None to leave it to the model: an explicit switch wins over the
    effort, and an effort is a level only where there are levels."""
    if options.thinking is False or (options.thinking is None and options.effort == "none"):
        return False
    level = _LEVELS.get(options.effort or "")
    if level is not None:
        return level if _HAS_LEVELS.search(model) else True
    return options.thinking


# ── its errors ────────────────────────────────────────────────────────────────────────────────


def _explain(said: Refusal) -> UpstreamError:
    """Ollama's errors, by its words first: in a stream they have no status. The engine below it
    may have said them, as JSON in the sentence (seen)."""
    if inner := _INNER.search(said.message):
        said = replace(said, message=inner[1])
    if unknown := _NO_MODEL.search(said.message):
        return UpstreamError(
            f"ollama does not have this model: run `ollama pull {unknown['name'] or 'NAME'}` on"
            " its machine, or choose another",
            code="provider_unknown_model",
        )
    if _TOO_LONG.search(said.message):
        return UpstreamError(
            "the conversation is longer than the window that ollama gives this model: start a new"
            f" session, or raise OLLAMA_CONTEXT_LENGTH on its machine{said.quoted}",
            code="provider_bad_request",
        )
    if _CANNOT_THINK in said.message:
        return UpstreamError(
            f"this model cannot think: ask it without thinking and effort{said.quoted}",
            code="provider_bad_request",
        )
    if _CANNOT_CALL in said.message:
        return UpstreamError(
            "this model cannot call functions: ask it without tools, or choose one whose list of"
            f" abilities has them{said.quoted}",
            code="provider_bad_request",
        )
    if _CANNOT_SEE.search(said.message):
        return UpstreamError(
            f"this model cannot see pictures: ask it without, or choose another{said.quoted}",
            code="provider_bad_request",
        )
    if _TOO_LARGE in said.message:
        return UpstreamError(
            f"this model is too large for ollama's machine: choose a smaller one{said.quoted}",
            code="provider_error",
        )
    if said.status == 403:
        return UpstreamError(
            f"ollama forbids it: check OLLAMA_API_KEY in .env and its own settings{said.quoted}",
            code="provider_auth",
        )
    if said.status == 401:
        return UpstreamError(
            "ollama wants to know who asks: check OLLAMA_API_KEY in .env, or run `ollama signin`"
            " on its machine for a model of its cloud",
            code="provider_auth",
        )
    return explain("ollama", said, _MEND)
