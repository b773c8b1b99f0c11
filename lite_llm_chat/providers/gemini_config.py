"""How Gemini is asked to answer: generationConfig, and what a generation of models takes.

    model, Options ─▶ config ─▶ temperature, maxOutputTokens, thinkingConfig, responseJsonSchema …
                 └──▶ idle ─▶ the names of what this model has no use for

    docs  stopSequences: at most 5; seed and the token counts are 32 bit numbers
    docs  3.5 Flash-Lite, 3.6 Flash and later ignore temperature, topP and topK and may refuse
          them one day
    seen  penalties are 400 "Penalty is not enabled for this model" for every model since 2.5
          (google-gemini/cookbook 1290, July 2026)
    PA    2.5 thinks within a budget of tokens, later ones by levels; budget 0 and the level
          minimal are 400 where a model only works in thinking mode
    SDK   JSON: responseMimeType application/json, and beside it a responseJsonSchema
    PA    JSON and functions in one request: since Gemini 3; before, 400 "Function calling with a
          response mime type: 'application/json' is unsupported" (python-genai 867, May 2025)
    seen  Gemma has no JSON mode: 400 "JSON mode is not enabled for models/…"

What the sources are called stands in gemini.py. There is no switch for parallel calls: there are
as many in an answer as the model likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..domain import Options, ResponseFormat
from .gemini_schema import understood

MAX_STOPS = 5
MAX_OUTPUT = 65_536  # tokens, thoughts included; docs
_INT32 = range(-(2**31), 2**31)

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


def thinks(model: str) -> bool:
    """Whether a model can think: those of 2.5 and all since Gemini 3."""
    return bool(_BY_BUDGET.match(model) or _BY_LEVEL.match(model))


def wants_signatures(model: str) -> bool:
    """Whether it refuses a function call without the signature that came with it: since
    Gemini 3."""
    return bool(_BY_LEVEL.match(model))


def formats(model: str) -> frozenset[str]:
    """Which response formats a model is held to by the vendor, where there are no functions."""
    return frozenset({"json_object", "json_schema"}) if thinks(model) else frozenset()


def idle(model: str, options: Options) -> set[str]:
    """The names of what a model has no use for, set or not."""
    names = set(_NEVER)
    if not _minds_sampling(model):
        names.update(_NO_SAMPLING)
    if options.seed is not None and options.seed not in _INT32:
        names.add("seed")
    if not thinks(model):
        names.add("thinking")
    if not thinks(model) or not _minds_effort(options):
        names.add("effort")
    if options.parallel_tool_calls is False:
        names.add("parallel_tool_calls")
    if not _takes_format(model, bool(options.tools)):
        names.add("response_format")
    return names


def config(
    model: str, options: Options, *, known: bool, calls: bool
) -> Iterator[tuple[str, object]]:
    """The fields of generationConfig. `known`: the model is in our table, so its limit is.
    `calls`: there are functions in the request."""
    if _minds_sampling(model):
        sampling = {"temperature": "temperature", "top_p": "topP", "top_k": "topK"}
        for ours, theirs in sampling.items():
            if (value := getattr(options, ours)) is not None:
                yield theirs, value
    if options.max_tokens is not None:
        yield "maxOutputTokens", min(options.max_tokens, MAX_OUTPUT if known else _INT32[-1])
    if options.stop:
        yield "stopSequences", list(options.stop)
    if options.seed is not None and options.seed in _INT32:
        yield "seed", options.seed
    if options.response_format is not None and _takes_format(model, calls):
        yield from _format(options.response_format)
    if thinking := _thinking(model, options):
        yield "thinkingConfig", thinking


def _takes_format(model: str, calls: bool) -> bool:
    return thinks(model) if not calls else bool(_BY_LEVEL.match(model))


def _format(wanted: ResponseFormat) -> Iterator[tuple[str, object]]:
    yield "responseMimeType", "application/json"
    if wanted.schema is not None:
        yield "responseJsonSchema", understood(wanted.schema)


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
