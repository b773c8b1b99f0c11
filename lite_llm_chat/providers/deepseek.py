"""DeepSeek: every fact about this vendor, and its source.

    Prompt ─▶ _payload ─▶ converse ─▶ api.deepseek.com/chat/completions
                 │                └─▶ …/beta/chat/completions   to go on with a cut answer
                 │                      or where every tool is strict
                 └ thinking, effort, tools, reasoning sent back: DeepSeek's own rules
    its list ─▶ openai_models ─▶ …/models
    its error ─▶ _explain ─▶ UpstreamError

Sources: "docs" is DeepSeek's API documentation as of November 2026; "seen" is what clients
reported of the live API in 2026, where the documentation is silent.

    docs   models, limits, thinking on by default, effort none/low/high/max, max_tokens counts
           the reasoning, prefix completion on the beta address, 429 by concurrent requests;
           GET /models in OpenAI's dialect, with windows and limits
    docs   temperature has no effect while thinking; the two penalties never have; seed, n and
           top_k do not exist
    docs   with tools and while thinking, every assistant turn carries its reasoning, "" if it is
           not known, and no call can be forced; `strict` on the beta address alone, and of all
           tools or none; at most 128 tools; no parallel_tool_calls
    docs   json_object wants the word "json" in the prompt; json_schema: 400 (seen)
    docs   Flash sees pictures, Pro does not
    docs   a request may wait up to 10 minutes for its turn, with comments as a sign of life
    seen   400 for retired model names, 401 with the key's last characters in it, "stop" after
           reasoning alone, connections that just end
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from ..domain import Model, Options, Piece, Prompt
from ..errors import Crowded, UpstreamError
from .base import Readiness, insist, keyed
from .calls import expected_of
from .chat_messages import Message, messages_of, naming_json
from .chat_stream import ChatDecoder
from .functions import is_forced
from .habits import CHOICE, NOT_FORCED, OBJECT, Habits, option_fields, tool_fields
from .model_list import openai_models
from .openai_compatible import base_payload, converse
from .refusal import Mend, Refusal, explain, too_long
from .wire import Endpoint, Wire

_CONTEXT = 1_048_576  # tokens; docs
_MAX_OUTPUT = 393_216  # tokens, reasoning included; docs
_FLASH = "deepseek-flash"
_PRO = "deepseek-v4-pro"
_MEND = Mend(key_setting="DEEPSEEK_API_KEY", url_setting="DEEPSEEK_BASE_URL")

# Our efforts in DeepSeek's four (docs; the API maps foreign values the same way).
_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "xhigh": "high",
    "max": "max",
    "ultra": "max",
}
# Sent as they are. Temperature and top_p have rules of their own below.
_SENT = Habits(takes=frozenset({"stop"}) | CHOICE, formats=OBJECT, strict=False)
_NEVER = frozenset(
    {"seed", "top_k", "frequency_penalty", "presence_penalty", "parallel_tool_calls"}
)
_TOP_P_THINKING = (0.95, 1.0)  # deepseek-flash clamps to this; docs

_WRONG_MODEL = re.compile(r"supported API model names? (?:are|is)\b", re.IGNORECASE)
_TOO_LONG = re.compile(r"maximum context length is \d+ tokens", re.IGNORECASE)


def _model(
    model_id: str,
    name: str,
    description: str,
    *,
    alias_of: str | None = None,
    thinking: bool | None = None,
) -> Model:
    return Model(
        id=model_id,
        name=name,
        provider="deepseek",
        context_length=_CONTEXT,
        max_output_tokens=_MAX_OUTPUT,
        description=description,
        alias_of=alias_of,
        thinking=thinking,
        vision=model_id != _PRO,
        tools=True,
        reasoning=thinking is not False,
    )


MODELS = (
    _model(_FLASH, "DeepSeek Flash", "Fast and cheap; thinks before it answers unless told not to"),
    _model(
        _PRO, "DeepSeek V4 Pro", "The larger model; thinks before it answers unless told not to"
    ),
    _model(
        "deepseek-chat",
        "DeepSeek Chat",
        "Retired by DeepSeek on 2026-07-24; kept here as deepseek-flash with thinking off",
        alias_of=_FLASH,
        thinking=False,
    ),
    _model(
        "deepseek-reasoner",
        "DeepSeek Reasoner",
        "Retired by DeepSeek on 2026-07-24; kept here as deepseek-flash with thinking on",
        alias_of=_FLASH,
        thinking=True,
    ),
    _model(
        "deepseek-v4-flash",
        "DeepSeek V4 Flash",
        "Replaced by DeepSeek on 2026-09-10; kept here as deepseek-flash",
        alias_of=_FLASH,
    ),
)


class DeepSeek:
    """The Provider for DeepSeek's own API, or for one that behaves like it at `base_url`."""

    id = "deepseek"
    name = "DeepSeek"
    description = "DeepSeek's models over its API"
    models = MODELS
    open_ended = True
    first_piece_timeout_s: float | None = 630.0  # its queue of 10 minutes, and a little

    def __init__(self, wire: Wire, *, api_key: str | None, base_url: str) -> None:
        self._wire = wire
        self._api_key = (api_key or "").strip()
        base_url = base_url.strip().rstrip("/")
        self._plain = self._endpoint(base_url)
        self._list = replace(self._plain, url=f"{base_url}/models")
        self._beta = self._endpoint(re.sub(r"/(?:v1|beta)$", "", base_url) + "/beta")

    def readiness(self) -> Readiness:
        """By its key."""
        return keyed("DEEPSEEK_API_KEY", self._api_key)

    def ignored(self, model: str, options: Options, *, going_on: bool = False) -> tuple[str, ...]:  # noqa: ARG002
        """What DeepSeek has no use for, by the rules above. Going on, it thinks as ever."""
        idle = set(_NEVER)
        if _thinks(options):
            idle.add("temperature")
        if not _minds_top_p(model, options):
            idle.add("top_p")
        if options.effort is not None and not _minds_effort(options):
            idle.add("effort")
        if _thinks(options) and is_forced(options):
            idle.add("tool_choice")
        if options.response_format is not None and options.response_format.kind not in OBJECT:
            idle.add("response_format")
        return tuple(name for name in options.given() if name in idle)

    def formats(self, model: str) -> frozenset[str]:  # noqa: ARG002
        """Any JSON object."""
        return frozenset(OBJECT)

    async def listed(self) -> Sequence[Model]:
        """As the Protocol says."""
        return await openai_models(self._wire, self._list)

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """As the Protocol says. Going on and strict tools are at DeepSeek's beta address."""
        insist(self.readiness())
        goes_on = prompt.prefix is not None
        endpoint = self._beta if goes_on or _strict(prompt) else self._plain
        decoder = ChatDecoder(endpoint, goes_on, expected=expected_of(prompt))
        return converse(self._wire, endpoint, _payload(prompt), decoder)

    def _endpoint(self, base_url: str) -> Endpoint:
        return Endpoint(
            who=self.id,
            url=f"{base_url}/chat/completions",
            headers={"authorization": f"Bearer {self._api_key}"},
            explain=_explain,
            secret=self._api_key,
        )


def _thinks(options: Options) -> bool:
    """Whether the model will think: an explicit switch wins over the effort; on by default."""
    return options.thinking if options.thinking is not None else options.effort != "none"


def _strict(prompt: Prompt) -> bool:
    """Whether every tool is strict: some alone cannot be."""
    return bool(prompt.tools) and all(tool.strict for tool in prompt.tools)


def _minds_effort(options: Options) -> bool:
    if options.effort == "none":
        return options.thinking is not True
    return _thinks(options) and options.effort in _EFFORTS


def _minds_top_p(model: str, options: Options) -> bool:
    """Flash minds it while thinking only (docs), Pro only while not (seen)."""
    return _thinks(options) != (model == _PRO)


def _payload(prompt: Prompt) -> dict[str, object]:
    options = prompt.options
    thinks = _thinks(options)
    payload = base_payload(prompt.model, _messages(prompt, thinks))
    payload |= option_fields(_SENT, options)
    if options.thinking is not None or options.effort == "none":
        payload["thinking"] = {"type": "enabled" if thinks else "disabled"}
    if thinks and options.effort in _EFFORTS:
        payload["reasoning_effort"] = _EFFORTS[options.effort]
    if options.max_tokens is not None:
        payload["max_tokens"] = min(options.max_tokens, _MAX_OUTPUT)
    if options.temperature is not None and not thinks:
        payload["temperature"] = options.temperature
    if options.top_p is not None and _minds_top_p(prompt.model, options):
        low, high = _TOP_P_THINKING if thinks else (0.01, 1.0)
        payload["top_p"] = min(max(options.top_p, low), high)
    if not prompt.tools:
        return payload
    habits = replace(_SENT, strict=_strict(prompt))
    if thinks:
        habits = replace(habits, forced=NOT_FORCED)
    return payload | tool_fields(habits, options, prompt.tools)


def _messages(prompt: Prompt, thinks: bool) -> list[Message]:
    """The turns. Reasoning goes back only where DeepSeek insists (docs): with tools and while
    thinking, then in every assistant turn, empty if unknown. Elsewhere it would be ignored."""
    turns, wanted = prompt.turns, prompt.options.response_format
    if wanted is not None and wanted.kind in OBJECT:
        turns = naming_json(turns)
    messages = messages_of(turns)
    for message, turn in zip(messages, turns, strict=True):
        if turn.role == "assistant" and prompt.tools and thinks:
            message["reasoning_content"] = turn.reasoning or ""
    if prompt.prefix is not None:
        start: Message = {"role": "assistant", "content": prompt.prefix.text, "prefix": True}
        if thinks and (prompt.prefix.reasoning or prompt.tools):
            start["reasoning_content"] = prompt.prefix.reasoning
        messages.append(start)
    return messages


def _explain(said: Refusal) -> UpstreamError:
    """DeepSeek's errors. Types and codes in its bodies follow no rule: status first (seen)."""
    match said.status:
        case 400 | 404 | 422 if _WRONG_MODEL.search(said.message):
            return UpstreamError(
                f"deepseek does not serve this model any more, or never did{said.quoted}",
                code="provider_unknown_model",
            )
        case 400 | 422 if _TOO_LONG.search(said.message):
            return too_long(said)
        case 402:
            return UpstreamError(
                "the DeepSeek balance is used up: top it up at platform.deepseek.com",
                code="provider_balance",
            )
        case 429:
            return Crowded(
                "deepseek limits how many requests run at once, and the limit falls with the"
                f" balance: try again in a moment or top up{said.quoted}",
                code="provider_rate_limited",
                status=503,
                retryable=True,
                retry_after_s=said.retry_after_s,
            )
    return explain("deepseek", said, _MEND)
