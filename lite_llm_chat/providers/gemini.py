"""Gemini: every fact about this vendor's requests and refusals, and its source.

    Prompt ─▶ _payload ─▶ exchange (GeminiDecoder) ─▶ /v1beta/models/{model}:streamGenerateContent
                 └ generationConfig: what this generation of models takes
    its list ─▶ /v1beta/models, page by page ─▶ Model …
    its error ─▶ _explain ─▶ UpstreamError

Sources: SDK is google-genai 3.6.1 (November 2026); docs is ai.google.dev and Google Cloud's pages
as of autumn 2026; PA is pydantic-ai 2.68, whose profiles note what was tried live in September
and October 2026; seen is what clients reported of the live API in 2025 and 2026.

    SDK   the key goes in x-goog-api-key; roles are user and model; system turns are apart
    docs  GET /v1beta/models: pages of up to 1000, the next one by pageToken; a model has its name
          below models/, displayName, inputTokenLimit, outputTokenLimit, supportedGenerationMethods
    docs  stopSequences: at most 5; seed and the token counts are 32 bit numbers
    docs  3.5 Flash-Lite, 3.6 Flash and later ignore temperature, topP and topK and may refuse
          them one day; their requests must not end with a turn of the model, so going on is
          asked for in words
    seen  penalties are 400 "Penalty is not enabled for this model" for every model since 2.5
          (google-gemini/cookbook 1290, July 2026)
    PA    2.5 thinks within a budget of tokens, later ones by levels; budget 0 and the level
          minimal are 400 where a model only works in thinking mode
    seen  a wrong key is 400 API_KEY_INVALID; a retired model 404; too long a conversation 400,
          sometimes 500 or 504; a 429 says in its details when to come back, and "prepayment
          credits are depleted" is a 429 as well (dyad 3626, June 2026)

safetySettings are never sent: the vendor's own defaults hold. Explicit caches are not used; the
implicit one rewards what is sent here anyway, a history that only grows at its end.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ..domain import Model, Options, Piece, Prompt, Turn
from ..errors import UpstreamError
from .base import Readiness, insist, keyed
from .exchange import exchange
from .gemini_stream import GeminiDecoder
from .going_on import asked_to_go_on
from .model_list import Entry, Fields, entries, live, may_chat, pages, replaced
from .refusal import Mend, Refusal, explain, too_long
from .wire import Endpoint, Wire

_LISTED = Fields(("name",), ("displayName",), ("inputTokenLimit",), ("outputTokenLimit",))
_CONTEXT = 1_048_576  # tokens; docs, and genai-prices 0.2.3
_MAX_OUTPUT = 65_536  # tokens, thoughts included; docs
_MAX_STOPS = 5
_INT32 = range(-(2**31), 2**31)
_MEND = Mend(key_setting="GEMINI_API_KEY", url_setting="GEMINI_BASE_URL")

# Which generation a model id is of; what is none of these gets no thinkingConfig.
_BY_BUDGET = re.compile(r"gemini-2\.5-(?!.*image)")
_BY_LEVEL = re.compile(r"gemini-(?:[3-9]\b|\d\d|(?:pro|flash|flash-lite)-latest$)")
_TAKES_SAMPLING = re.compile(r"gemini-3(?:\.[0-4])?-|gemini-3\.5-flash(?!-lite)")  # docs
_TAKES_MINIMAL = re.compile(r"gemini-3(?:\.[156])?-flash")  # PA; the others start at low
_NO_SAMPLING = ("temperature", "top_p", "top_k")
_NEVER = ("frequency_penalty", "presence_penalty")

_LEVELS = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
    "ultra": "high",
}
# Tokens; within the range of every 2.5 model that can think (docs: Flash-Lite starts at 512, Flash
# ends at 24,576). Pro cannot do without: 128 is its least.
_BUDGETS = {
    "minimal": 512,
    "low": 2_048,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
    "ultra": 24_576,
}
_LEAST_OF_PRO = 128
_DYNAMIC = -1

_BAD_KEY = re.compile(r"API key (?:not valid|expired|not found)", re.IGNORECASE)
_TOO_LONG = re.compile(r"input token count.{0,40}exceeds the maximum", re.IGNORECASE)
_NO_MODEL = re.compile(r"\bmodels?/\S+ is (?:not found|no longer)", re.IGNORECASE)
_NO_CREDIT = re.compile(r"credits are depleted", re.IGNORECASE)
_DELAY = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s", re.ASCII)


def _model(model_id: str, name: str, description: str, max_output: int = _MAX_OUTPUT) -> Model:
    return Model(
        id=model_id,
        name=name,
        provider="gemini",
        context_length=_CONTEXT,
        max_output_tokens=max_output,
        description=description,
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

    def ignored(self, model: str, options: Options, *, going_on: bool = False) -> tuple[str, ...]:  # noqa: ARG002
        """What this model has no use for, by the rules above."""
        model, idle = _plain(model), set(_NEVER)
        if not _minds_sampling(model):
            idle.update(_NO_SAMPLING)
        if options.seed is not None and options.seed not in _INT32:
            idle.add("seed")
        thinks = bool(_BY_BUDGET.match(model) or _BY_LEVEL.match(model))
        if not thinks:
            idle.add("thinking")
        if not thinks or not _minds_effort(options):
            idle.add("effort")
        return tuple(name for name in options.given() if name in idle)

    def formats(self, model: str) -> frozenset[str]:  # noqa: ARG002
        """None of them."""
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
        if len(prompt.options.stop or ()) > _MAX_STOPS:
            raise UpstreamError(
                f"gemini takes at most {_MAX_STOPS} stop sequences: send fewer",
                code="provider_bad_request",
            )
        model = _plain(prompt.model)
        endpoint = self._endpoints.get(model) or self._endpoint(model)
        decoder = GeminiDecoder(endpoint, may_be_empty=prompt.prefix is not None)
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
            explain=_explain,
            secret=self._api_key,
        )


def _listed(page: object) -> Iterator[Model | None]:
    whole = {"models": None, **page} if isinstance(page, dict) else page  # empty lists are left out
    for entry in entries("gemini", whole, "models"):
        methods, name = entry.get("supportedGenerationMethods"), entry.get("name")
        if isinstance(methods, list) and "generateContent" in methods and isinstance(name, str):
            yield live("gemini", {**entry, "name": _plain(name)}, _LISTED)


def _next_page(page: Entry) -> str:
    token = page.get("nextPageToken")
    return f"pageToken={quote(token, safe='')}" if isinstance(token, str) and token else ""


# ── the request ───────────────────────────────────────────────────────────────────────────────


def _plain(model: str) -> str:
    """The id without the collection's name, with which the vendor lists it."""
    return model.removeprefix("models/")


def _payload(prompt: Prompt, model: str) -> dict[str, object]:
    """Instruction first, then the turns in their order, then what changes from one question to
    the next: the start of a growing conversation stays byte for byte the same."""
    turns = asked_to_go_on(prompt)
    payload: dict[str, object] = {}
    if instruction := [{"text": t.content} for t in turns if t.role == "system" and t.content]:
        payload["systemInstruction"] = {"parts": instruction}
    payload["contents"] = _contents(turns)
    if config := dict(_config(model, prompt.options)):
        payload["generationConfig"] = config
    return payload


def _contents(turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    """Turns of one role in a row are one content, because Gemini wants the roles to alternate;
    one without text is left out, because it refuses empty parts (seen)."""
    contents: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "system" or not turn.content:
            continue
        role = "model" if turn.role == "assistant" else "user"
        if not contents or contents[-1]["role"] != role:
            contents.append({"role": role, "parts": []})
        contents[-1]["parts"].append({"text": turn.content})
    return contents


def _config(model: str, options: Options) -> Iterator[tuple[str, object]]:
    if _minds_sampling(model):
        sampling = {"temperature": "temperature", "top_p": "topP", "top_k": "topK"}
        for ours, theirs in sampling.items():
            if (value := getattr(options, ours)) is not None:
                yield theirs, value
    if options.max_tokens is not None:
        known = any(row.id == model for row in MODELS)
        yield "maxOutputTokens", min(options.max_tokens, _MAX_OUTPUT if known else _INT32[-1])
    if options.stop:
        yield "stopSequences", list(options.stop)
    if options.seed is not None and options.seed in _INT32:
        yield "seed", options.seed
    if thinking := _thinking(model, options):
        yield "thinkingConfig", thinking


def _minds_sampling(model: str) -> bool:
    """Whether the model heeds temperature and the like: the older ones, and unknown ones may."""
    return not _BY_LEVEL.match(model) or bool(_TAKES_SAMPLING.match(model))


def _minds_effort(options: Options) -> bool:
    """An explicit switch wins over the effort."""
    if options.effort == "none":
        return options.thinking is not True
    return options.thinking is not False and options.effort in _LEVELS


def _thinking(model: str, options: Options) -> dict[str, object]:
    """The thinkingConfig, empty where a model has none. Of a model that thinks its thoughts are
    asked for: they are billed either way."""
    off = options.thinking is False or (options.thinking is None and options.effort == "none")
    effort = options.effort if options.effort in _LEVELS else None
    if _BY_LEVEL.match(model):
        config = _level(model, "minimal" if off else effort)
    elif _BY_BUDGET.match(model):
        config = _budget(model, off, effort, asked=options.thinking is True)
        off = off or (not config and "lite" in model)  # which does not think by itself (docs)
    else:
        return {}
    return config if off else {"includeThoughts": True, **config}


def _level(model: str, effort: str | None) -> dict[str, object]:
    """No Gemini since 3 can be told not to think at all: the least is its lowest level."""
    if effort is None:
        return {}
    level = _LEVELS[effort]
    if level == "minimal" and not _TAKES_MINIMAL.match(model):
        level = "low"
    return {"thinkingLevel": level}


def _budget(model: str, off: bool, effort: str | None, *, asked: bool) -> dict[str, object]:
    if off:
        return {"thinkingBudget": _LEAST_OF_PRO if "pro" in model else 0}
    if effort is not None:
        return {"thinkingBudget": _BUDGETS[effort]}
    return {"thinkingBudget": _DYNAMIC} if asked else {}


# ── its refusals ──────────────────────────────────────────────────────────────────────────────


def _explain(said: Refusal) -> UpstreamError:
    """Gemini's errors: `{code, message, status, details[]}`, each detail with an @type."""
    details = list(_details(said.error))
    match said.status:
        case 400 if _BAD_KEY.search(said.message) or _reason(details) == "API_KEY_INVALID":
            return explain("gemini", Refusal(401), _MEND)
        case 400 if _TOO_LONG.search(said.message):
            return too_long(said)
        case 403:
            return UpstreamError(
                f"gemini refused the key or its project: check GEMINI_API_KEY in .env{said.quoted}",
                code="provider_auth",
            )
        case 404 if _NO_MODEL.search(said.message):
            return UpstreamError(
                f"gemini does not serve this model any more, or never did{said.quoted}",
                code="provider_unknown_model",
            )
        case 429:
            return _limited(said, details)
        case 500:
            return UpstreamError(
                "gemini failed (500): try again, or with a shorter conversation if it stays so"
                f"{said.quoted}",
                code="provider_error",
                retryable=True,
                retry_after_s=said.retry_after_s,
            )
        case 504:
            return UpstreamError(
                f"gemini did not finish in time: try again, or with less to read{said.quoted}",
                code="upstream_timeout",
                status=504,
                retryable=True,
                retry_after_s=said.retry_after_s,
            )
    return explain("gemini", said, _MEND)


def _limited(said: Refusal, details: list[Mapping[str, object]]) -> UpstreamError:
    """A 429: money, the day's quota, or too many requests at the moment."""
    if _NO_CREDIT.search(said.message):
        return explain("gemini", Refusal(402), _MEND)
    if any("PerDay" in str(detail.get("violations")) for detail in details):
        return UpstreamError(
            f"the key's quota of this day at gemini is used up: wait or raise it{said.quoted}",
            code="provider_rate_limited",
            status=503,
        )
    waits = (_DELAY.fullmatch(str(detail.get("retryDelay"))) for detail in details)
    wait_s = next((float(wait[1]) for wait in waits if wait), said.retry_after_s)
    return explain("gemini", Refusal(429, said.message, said.kind, wait_s), _MEND)


def _details(error: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    given = error.get("details")
    for detail in given if isinstance(given, list) else ():
        if isinstance(detail, dict):
            yield detail


def _reason(details: list[Mapping[str, object]]) -> object:
    return next((detail["reason"] for detail in details if "reason" in detail), None)
