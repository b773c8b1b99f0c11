"""Anthropic: the request in its own dialect, and every fact about it, with its source.

    Prompt ─▶ _payload ─▶ exchange (MessageDecoder) ─▶ api.anthropic.com/v1/messages ─▶ pieces
                 │ system turns ─▶ system, wherever they stood
                 │ turns ─▶ messages: blocks of text, roles in turn, nothing empty
                 │ prefix ─▶ a last message of the assistant, or a request in words to go on
                 └ cache marks: behind the system text, and behind the last question
    its list ─▶ /v1/models, page by page ─▶ Model …
    its error ─▶ _explain ─▶ UpstreamError

Sources: "docs" is platform.claude.com in copies of up to November 2026; "SDK" is the vendor's
Python SDK 2.14.0 of that month; "seen" is what clients reported of the live API in 2026. What
depends on the model stands in anthropic_models.py.

    docs   version 2023-06-01 of the API is served beside 2026-10-21, which only takes things away:
           temperature, top_p and top_k, that models up to 4.6 still mind. So the older is asked for
    docs   the key goes into x-api-key, or, as the SDK does it, into a bearer's header
    docs   max_tokens is required and counts the thinking; system is a field of its own
    docs   the thinking of models from 4.7 on comes back empty unless `display` asks for a summary
    docs   an earlier thinking block goes back in tool loops only; elsewhere it may be left out
    docs   while thinking: no top_k, top_p from 0.95 to 1, no last message of the assistant
    seen   while thinking: no temperature but 1; temperature and top_p together are refused
    seen   empty text blocks, stop sequences of nothing but blanks and a last assistant text that
           ends in a blank are refused
    docs   up to four cache marks; a request looks back some twenty blocks from a mark for what an
           earlier one has written; a mark behind too short a prompt does nothing
    SDK    GET /v1/models: pages of up to 1000, the next one by after_id while has_more; a model has
           display_name, max_input_tokens and max_tokens, and a lifecycle
    docs   message roles of `system` exist from Opus 4.8 on, but not on every newer model: not used
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import replace
from urllib.parse import quote

from ..domain import Model, Options, Piece, Prompt, Turn
from ..errors import UpstreamError
from .anthropic_models import MODELS, RUNGS, Habits, habits_of
from .anthropic_stream import MessageDecoder
from .base import Readiness, insist, keyed
from .exchange import exchange
from .going_on import asked_to_go_on
from .model_list import Entry, Fields, entries, live, pages
from .refusal import Mend, Refusal, explain, too_long
from .wire import Endpoint, Wire

_VERSION = "2023-06-01"
_MEND = Mend(key_setting="ANTHROPIC_API_KEY", url_setting="ANTHROPIC_BASE_URL")

# Tokens of an answer when the caller does not say: what the model can, but not for ever. An answer
# that is cut here may be continued. A model that is not listed gets what all of the 4 family take.
_DEFAULT_MAX_TOKENS = 64_000
_UNLISTED_MAX_TOKENS = 32_000
_LEAST_BUDGET = 1_024  # docs
_BUDGETS = {"low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 32_768}  # ours
_TOP_P_THINKING = (0.95, 1.0)

_NEVER = frozenset({"seed", "frequency_penalty", "presence_penalty"})
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_LISTED = Fields(("id",), ("display_name",), ("max_input_tokens",), ("max_tokens",))
_CACHED = {"type": "ephemeral"}  # for five minutes, and again with each use
_BEGINNING = "(The conversation begins with your message.)"

# The vendor's types of errors that say no status by themselves (docs, "Errors").
_STATUS = {
    "billing_error": 402,
    "not_found_error": 404,
    "request_too_large": 413,
    "timeout_error": 504,
}
_NO_CREDIT = re.compile(r"credit balance is too low", re.IGNORECASE)
_NO_MODEL = re.compile(r"^model: ", re.IGNORECASE)
_TOO_LONG = re.compile(r"prompt is too long|exceed(?:s|ed)? (?:the )?context", re.IGNORECASE)


class Anthropic:
    """The Provider for Anthropic's own API, or for one that speaks like it at `base_url`."""

    id = "anthropic"
    name = "Anthropic"
    description = "Anthropic's Claude models over its API"
    models = MODELS
    open_ended = True
    first_piece_timeout_s: float | None = None

    def __init__(self, wire: Wire, *, api_key: str | None, base_url: str) -> None:
        self._wire = wire
        self._api_key = (api_key or "").strip()
        base_url = re.sub(r"/v1$", "", base_url.strip().rstrip("/"))
        self._endpoint = Endpoint(
            who=self.id,
            url=f"{base_url}/v1/messages",
            headers={"x-api-key": self._api_key, "anthropic-version": _VERSION},
            explain=_explain,
            secret=self._api_key,
        )
        self._list = replace(self._endpoint, url=f"{base_url}/v1/models?limit=1000")

    def readiness(self) -> Readiness:
        """By its key."""
        return keyed("ANTHROPIC_API_KEY", self._api_key)

    def ignored(self, model: str, options: Options) -> tuple[str, ...]:
        """What this model has no use for, by the rules above."""
        habits = habits_of(model)
        sent = {"max_tokens", *_sampling(habits, options)}
        if options.stop is not None and len(_stops(options)) == len(options.stop):
            sent.add("stop")
        if options.thinking is not None and _thinks(habits, options) == options.thinking:
            sent.add("thinking")
        if options.effort is not None and _minds_effort(habits, options):
            sent.add("effort")
        return tuple(name for name in options.given() if name not in sent)

    def formats(self, model: str) -> frozenset[str]:  # noqa: ARG002
        """None is left to the vendor: each is asked for in words."""
        return frozenset()

    async def listed(self) -> Sequence[Model]:
        """As the Protocol says. All that it lists can chat; what is retired fails."""
        found = [
            live(self.id, entry, _LISTED)
            for page in await pages(self._wire, self._list, _next_page)
            for entry in entries(self.id, page, "data")
            if entry.get("lifecycle") != "retired"
        ]
        return [model for model in found if model]

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """As the Protocol says. Models up to 4.5 go on from a prefix themselves, unless they are
        to think; all others are asked to in words."""
        insist(self.readiness())
        decoder = MessageDecoder(self._endpoint, may_be_empty=prompt.prefix is not None)
        return exchange(self._wire, self._endpoint, _payload(prompt), decoder)


def _next_page(page: Entry) -> str:
    last = page.get("last_id")
    more = page.get("has_more") is True and isinstance(last, str)
    return f"after_id={quote(last, safe='')}" if more and last else ""


# ── the request ───────────────────────────────────────────────────────────────────────────────


def _payload(prompt: Prompt) -> dict[str, object]:
    habits, options = habits_of(prompt.model), prompt.options
    payload: dict[str, object] = {
        "model": prompt.model,
        "max_tokens": _max_tokens(habits, options),
        "stream": True,
    }
    if system := [turn.content for turn in prompt.turns if turn.role == "system"]:
        payload |= _system(system)
    payload["messages"] = _messages(prompt, habits)
    payload |= _sampling(habits, options)
    if stops := _stops(options):
        payload["stop_sequences"] = list(stops)
    if thinking := _thinking(habits, options):
        payload["thinking"] = thinking
    if effort := habits.effort(options):
        payload["output_config"] = {"effort": effort}
    return payload


def _max_tokens(habits: Habits, options: Options) -> int:
    limit = habits.max_output
    if options.max_tokens is not None:
        return min(options.max_tokens, limit or options.max_tokens)
    return min(limit, _DEFAULT_MAX_TOKENS) if limit else _UNLISTED_MAX_TOKENS


def _stops(options: Options) -> tuple[str, ...]:
    return tuple(stop for stop in options.stop or () if stop.strip())


def _sampling(habits: Habits, options: Options) -> dict[str, float]:
    """The three ways of choosing a token, as far as the model minds them. Of temperature and
    top_p only one is taken: the first."""
    if not habits.samples:
        return {}
    thinks = _thinks(habits, options)
    given: dict[str, float] = {}
    if options.temperature is not None and not thinks:
        given["temperature"] = min(max(options.temperature, 0.0), 1.0)
    if options.top_p is not None and not given:
        low, high = _TOP_P_THINKING if thinks else (0.0, 1.0)
        given["top_p"] = min(max(options.top_p, low), high)
    if options.top_k is not None and not thinks:
        given["top_k"] = options.top_k
    return given


def _thinks(habits: Habits, options: Options) -> bool | None:
    """As the habits say; a budget needs room for itself, and as much again for the answer."""
    thinks = habits.thinks(options)
    if habits.budget and _max_tokens(habits, options) < 2 * _LEAST_BUDGET:
        return False
    return thinks


def _minds_effort(habits: Habits, options: Options) -> bool:
    if options.effort == "none":
        return _thinks(habits, options) is False
    if habits.effort(options) is not None:
        return True
    return habits.budget and options.effort in RUNGS and bool(_thinks(habits, options))


def _thinking(habits: Habits, options: Options) -> dict[str, object] | None:
    """The field, or None where the request need not speak of it. A model that thinks unasked is
    asked all the same, for a summary that can be shown."""
    match _thinks(habits, options):
        case True if habits.budget:
            wish = _BUDGETS[RUNGS.get(options.effort or "", "high")]
            room = _max_tokens(habits, options) // 2
            return {"type": "enabled", "budget_tokens": max(_LEAST_BUDGET, min(wish, room))}
        case True:
            return {"type": "adaptive", "display": "summarized"}
        case False if habits.unasked is not False:
            return {"type": habits.off}
    return None


# ── the conversation ──────────────────────────────────────────────────────────────────────────


def _system(texts: list[str]) -> dict[str, object]:
    """All system turns, in their order, as one field: a model reads it before anything else.
    Where a system turn in the middle of a conversation is appended, this moves it to the front
    and costs the cached prefix once; the role `system` would not be heard by every model."""
    blocks = [_block(text) for text in texts if text.strip()]
    if not blocks:
        return {}
    blocks[-1]["cache_control"] = _CACHED
    return {"system": blocks}


def _messages(prompt: Prompt, habits: Habits) -> list[dict[str, object]]:
    """The turns as messages. The mark stands behind the last question, and what follows it (the
    text to go on from) may change: all before it is the beginning of the next request too, for
    turns are only ever appended."""
    talk = _merged([turn for turn in prompt.turns if turn.role != "system"])
    if talk and talk[0][0] == "assistant":
        talk.insert(0, ("user", [_block(_BEGINNING)]))
    asked = [blocks for role, blocks in talk if role == "user"]
    if asked:
        asked[-1][-1]["cache_control"] = _CACHED
    talk += _merged(_continuation(prompt, habits))
    return [{"role": role, "content": blocks} for role, blocks in talk]


def _continuation(prompt: Prompt, habits: Habits) -> tuple[Turn, ...]:
    """What is put behind the turns to get on with a cut answer; nothing if it has no text yet."""
    if prompt.prefix is None or not (text := prompt.prefix.text).strip():
        return ()
    ends_well = text == text.rstrip()
    if habits.prefills and ends_well and not _thinks(habits, prompt.options):
        return (Turn("assistant", text),)
    return asked_to_go_on(replace(prompt, turns=()))


def _merged(turns: Iterable[Turn]) -> list[tuple[str, list[dict[str, object]]]]:
    """Roles in turn: what follows a text of its own kind becomes a further block of the same
    message. Empty texts are left out."""
    talk: list[tuple[str, list[dict[str, object]]]] = []
    for turn in turns:
        if not turn.content.strip():
            continue
        if not talk or talk[-1][0] != turn.role:
            talk.append((turn.role, []))
        talk[-1][1].append(_block(turn.content))
    return talk


def _block(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}


# ── the errors ────────────────────────────────────────────────────────────────────────────────


def _explain(said: Refusal) -> UpstreamError:
    """Anthropic's errors: `{type: error, error: {type, message}, request_id}` (SDK), the same in a
    stream that began well."""
    if said.status == 500:  # also where a stream named no status
        said = replace(said, status=_STATUS.get(said.kind, 500))
    match said.status:
        case 400 | 403 if _NO_CREDIT.search(said.message):
            return explain("anthropic", replace(said, status=402), _MEND)
        case 404 if _NO_MODEL.search(said.message):
            return explain("anthropic", replace(said, kind="model_not_found"), _MEND)
        case 400 | 413 if _TOO_LONG.search(said.message):
            return too_long(said)
    return explain("anthropic", said, _MEND)
