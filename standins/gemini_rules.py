"""What Gemini accepts, and the sentence with which it refuses the rest (autumn 2026).

    headers ─▶ authenticate ─▶ key     model, body ─▶ read_order ─▶ Order, the same as DeepSeek's
                    └──── raise GeminiRefusal(sentence, status, gRPC status, details) ────┘

Sentences were seen in reports of clients, but for those marked (?): their status was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from standins.accounting import estimate
from standins.deepseek_rules import Order
from standins.gemini_refusal import GeminiRefusal, Object, named
from standins.gemini_tools import read_tools, reads_json
from standins.gemini_turns import read_turns, text_of_parts

CONTEXT_TOKENS = 1_048_576
MAX_OUTPUT_TOKENS = 65_536
MAX_STOPS = 5


@dataclass(frozen=True, slots=True)
class Served:
    """One model: the levels it can think at, or none where it has a budget instead; whether it
    must think, and whether a request may end with a turn of its own."""

    levels: tuple[str, ...] = ("LOW", "MEDIUM", "HIGH")
    must_think: bool = False
    goes_on: bool = False


SERVED: Mapping[str, Served] = {
    "gemini-4-argon": Served(),
    "gemini-4-carbon": Served(),
    "gemini-3.8-flash": Served(),
    "gemini-3.7-flash": Served(),
    "gemini-3.6-flash": Served(("MINIMAL", "LOW", "MEDIUM", "HIGH")),
    "gemini-3.5-flash": Served(("MINIMAL", "LOW", "MEDIUM", "HIGH"), goes_on=True),
    "gemini-3.5-flash-lite": Served(("MINIMAL", "LOW", "MEDIUM", "HIGH")),
    "gemini-3.1-pro-preview": Served(must_think=True, goes_on=True),
    "gemini-3.1-flash-lite": Served(("MINIMAL", "LOW", "MEDIUM", "HIGH"), goes_on=True),
    "gemini-2.5-pro": Served((), must_think=True, goes_on=True),
    "gemini-2.5-flash-lite": Served((), goes_on=True),
}
FIELDS = frozenset(
    {
        "cachedContent",
        "contents",
        "generationConfig",
        "safetySettings",
        "systemInstruction",
        "toolConfig",
        "tools",
    }
)
CONFIG_FIELDS = frozenset(
    {
        "candidateCount",
        "frequencyPenalty",
        "maxOutputTokens",
        "presencePenalty",
        "responseJsonSchema",
        "responseMimeType",
        "responseSchema",
        "seed",
        "stopSequences",
        "temperature",
        "thinkingConfig",
        "topK",
        "topP",
    }
)
PLACE = re.compile(r"^/v1(?:beta)?/models/([^/?:]+):(streamGenerateContent|generateContent)$")


def authenticate(headers: Mapping[str, str], keys: tuple[str, ...]) -> str:
    """The key of the request. `keys` are the known ones; none known means that every key is."""
    key = headers.get("x-goog-api-key", "")
    if not key:
        raise GeminiRefusal(
            "Method doesn't allow unregistered callers (callers without established identity)."
            " Please use API Key or other form of API consumer identity to call this API.",
            403,
        )
    if keys and key not in keys:
        sentence = "API key not valid. Please pass a valid API key."
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
        local = {
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale": "en-US",
            "message": sentence,
        }
        raise GeminiRefusal(sentence, 400, (info, local))
    return key


def quota(retry_s: float, period: str = "PerMinute") -> GeminiRefusal:
    """Gemini's 429, with the time to come back in its details."""
    help_links = [{"description": "Learn more", "url": "https://ai.google.dev/gemini-api/docs"}]
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
        "quotaId": f"GenerateRequests{period}PerProjectPerModel",
        "quotaDimensions": {"location": "global", "model": "gemini-3.8-flash"},
        "quotaValue": "10",
    }
    kind = "type.googleapis.com/google.rpc."
    return GeminiRefusal(
        "You exceeded your current quota, please check your plan and billing details. For more"
        " information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
        " To monitor your current usage, head to: https://ai.dev/rate-limit. \n* Quota exceeded"
        " for metric: generativelanguage.googleapis.com/generate_content_requests, limit: 10\n"
        f"Please retry in {retry_s}s.",
        429,
        (
            {"@type": f"{kind}Help", "links": help_links},
            {"@type": f"{kind}QuotaFailure", "violations": [violation]},
            {"@type": f"{kind}RetryInfo", "retryDelay": f"{retry_s}s"},
        ),
    )


# ── an order ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is accepted: the order, whether its thoughts are shown, and whether calls
    are signed."""

    order: Order
    shows_thoughts: bool
    signs: bool


def read_order(model: str, body: object) -> Asked:
    """The order in a request's body. Raises GeminiRefusal."""
    served = SERVED.get(model)
    if served is None:
        raise GeminiRefusal(
            f"models/{model} is not found for API version v1beta, or is not supported for"
            " generateContent. Call ListModels to see the list of available models and their"
            " supported methods.",
            404,
        )
    if not isinstance(body, dict):
        raise GeminiRefusal("Invalid JSON payload received. Unexpected end of string.")
    body = named(body)
    _only(body, FIELDS, "")
    config = named(body.get("generationConfig"))
    _only(config, CONFIG_FIELDS, " at 'generation_config'")
    signed = bool(served.levels)
    turns = read_turns(body.get("contents"), signed=signed, goes_on=served.goes_on)
    messages = (*_instruction(body.get("systemInstruction")), *turns)
    tools, choice = read_tools(body)
    thinking = named(config.get("thinkingConfig"))
    order = Order(
        asked_model=model,
        model=model,
        messages=messages,
        thinking=_thinks(model, thinking, served),
        effort="high",
        max_tokens=cast("int", config.get("maxOutputTokens") or MAX_OUTPUT_TOKENS),
        stream=True,
        include_usage=True,
        stop=_sampling(config),
        json_mode=reads_json(config, calls=bool(body.get("tools")), mixes=signed),
        tools=tools,
        tool_choice=choice,
        user="",
        prefix=None,
    )
    if (count := estimate(order.prompt())) > CONTEXT_TOKENS:
        raise GeminiRefusal(
            f"The input token count ({count}) exceeds the maximum number of tokens allowed"
            f" ({CONTEXT_TOKENS})."
        )
    shown = order.thinking and bool(thinking.get("includeThoughts"))
    return Asked(order, shown, signs=signed or order.thinking)


def _only(given: Object, known: frozenset[str], where: str) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        sentence = f'Invalid JSON payload received. Unknown name "{unknown[0]}"{where}: Cannot find'
        found = [{"description": f"{sentence} field."}]
        kind = "type.googleapis.com/google.rpc.BadRequest"
        detail: Object = {"@type": kind, "fieldViolations": found}
        raise GeminiRefusal(f"{sentence} field.", 400, (detail,))


def _instruction(given: object) -> Iterator[Object]:
    if isinstance(given, dict):
        text = text_of_parts(given.get("parts"), "system_instruction")
        yield {"role": "system", "content": text}


def _thinks(model: str, thinking: Object, served: Served) -> bool:
    """Whether the model thinks; it does unless told not to, but for 2.5 Flash-Lite."""
    budget, level = thinking.get("thinkingBudget"), thinking.get("thinkingLevel")
    if budget is not None and level is not None:
        raise GeminiRefusal("You can only set only one of thinking budget and thinking level.")
    if level is not None:
        if not served.levels:
            raise GeminiRefusal("Thinking level is not supported for this model.")
        if str(level).upper() not in served.levels:
            raise GeminiRefusal(
                f"Thinking level {str(level).upper()} is not supported for this model."
            )
        return True
    if budget == 0 and (served.must_think or served.levels):
        raise GeminiRefusal("Budget 0 is invalid. This model only works in thinking mode.")
    if isinstance(budget, int) and (budget < -1 or budget > 32_768):
        raise GeminiRefusal(f"The thinking budget {budget} is invalid.")  # (?)
    return budget != 0 if budget is not None else "2.5-flash-lite" not in model


def _sampling(config: Object) -> tuple[str, ...]:
    """Checks what has bounds; the stop sequences."""
    if config.get("frequencyPenalty") or config.get("presencePenalty"):
        raise GeminiRefusal("Penalty is not enabled for this model")
    stop = config.get("stopSequences") or []
    if not isinstance(stop, list) or len(stop) > MAX_STOPS:
        raise GeminiRefusal(f"At most {MAX_STOPS} stop sequences are allowed.")  # (?)
    seed = config.get("seed", 0)
    if not isinstance(seed, int) or not -(2**31) <= seed < 2**31:
        raise GeminiRefusal(
            "Invalid value at 'generation_config.seed' (TYPE_INT32)"  # (?)
        )
    return tuple(stop)
