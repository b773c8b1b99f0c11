"""Anthropic's models: which there are, and what each generation of them accepts.

    "claude-opus-5-5"            ─▶ Habits: always thinks, no sampling, no prefill, effort up to max
    "claude-haiku-4-5-20251001"  ─▶ Habits of claude-haiku-4-5
    "claude-zebra-9"             ─▶ Habits of the newest, as far as they can be guessed

Sources: "docs" is platform.claude.com in copies of up to November 2026 (the model pages,
"Troubleshooting thinking", "Effort", "Prefill not supported", "Versions"); "SDK" is the vendor's
Python SDK 2.14.0, November 2026 (ids and retirement dates); "prices" is genai-prices 0.2.3 of the
same month (context windows); "seen" is what pydantic-ai 2.68.0 notes of the live API.

    SDK    the ids; claude-opus-4-5 is retired on 2027-01-22, claude-sonnet-4-5 on 2026-11-30 (it
           has no row any more); Mythos is by invitation only (docs), so it has none either
    docs   windows (and prices), output limits; from 4.6 on a last message of the assistant is
           refused; from 4.7 on temperature, top_p and top_k are refused unless they say nothing
    docs   thinking takes a budget up to 4.5, is adaptive from 4.6 on, is on unasked from 5 on;
           Fable, Mythos and Opus 5.5 cannot stop; Sonnet 5.5 stops with `between_tools`
    docs   nobody can be made to call a tool while thinking, and Fable, Mythos, Opus 5.5 and Sonnet
           5.5 never ("Forced tool use returns an error")
    docs   pictures, tools and JSON by a schema are taken by all from 4.5 on
    docs   effort from Opus 4.5 on, `max` from 4.6 on, `xhigh` from 4.7 on
    seen   Opus 5, Sonnet 5.5 and Haiku 5.5 refuse more effort than `high` while thinking is off
"""

from __future__ import annotations

from dataclasses import dataclass

from ..domain import Model, Options
from .model_list import replaced

EFFORTS = ("low", "medium", "high", "xhigh", "max")
_UP_TO_HIGH = EFFORTS[:3]
_NO_XHIGH = (*_UP_TO_HIGH, "max")
RUNGS = {**{name: name for name in EFFORTS}, "minimal": "low", "ultra": "max"}  # from our words

_LARGE = 128_000  # tokens of output, thinking included
_SMALL = 64_000
_WINDOW = 1_000_000
_SMALL_WINDOW = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What one generation accepts. `unasked` is whether it thinks when a request does not speak
    of it (None: not known), `off` the type of thinking that stops it ("": nothing does), `budget`
    whether thinking is asked for by a number of tokens; `quiet_efforts` are those it takes while
    thinking is off. `forces` is whether it can be made to call a tool, while it does not think.
    `max_output` None: not known."""

    unasked: bool | None
    off: str = "disabled"
    budget: bool = False
    efforts: tuple[str, ...] = EFFORTS
    quiet_efforts: tuple[str, ...] = EFFORTS
    samples: bool = False
    prefills: bool = False
    forces: bool = True
    max_output: int | None = _LARGE

    def thinks(self, options: Options) -> bool | None:
        """Whether the model will think: an explicit switch wins over the effort, any effort but
        `none` asks for it. None: the model decides, and which way is not known."""
        if not self.off:
            return True
        if options.thinking is not None:
            return options.thinking
        if options.effort == "none":
            return False
        return True if options.effort in RUNGS else self.unasked

    def effort(self, options: Options) -> str | None:
        """The effort in the vendor's word: the one that was asked for, or the next one below that
        this generation takes. None: nothing to send."""
        taken = self.quiet_efforts if self.thinks(options) is False else self.efforts
        wish = RUNGS.get(options.effort or "")
        if wish is None:
            return None
        below = EFFORTS[: EFFORTS.index(wish) + 1]
        return next((name for name in reversed(below) if name in taken), None)


_ALWAYS = Habits(unasked=True, off="", forces=False)
_CAPPED = Habits(unasked=True, quiet_efforts=_UP_TO_HIGH)
_ADAPTIVE = Habits(unasked=False)
_FIRST_ADAPTIVE = Habits(unasked=False, efforts=_NO_XHIGH, quiet_efforts=_NO_XHIGH, samples=True)
_BUDGET = Habits(
    unasked=False,
    budget=True,
    efforts=(),
    quiet_efforts=(),
    samples=True,
    prefills=True,
    max_output=_SMALL,
)
_OPUS_4_5 = Habits(
    unasked=False,
    budget=True,
    efforts=_UP_TO_HIGH,
    quiet_efforts=_UP_TO_HIGH,
    samples=True,
    prefills=True,
    max_output=_SMALL,
)
_NEWER = Habits(
    unasked=None, forces=False, max_output=None
)  # a guess for ids that are not listed here

_FAMILIES = {
    "claude-fable-5": _ALWAYS,
    "claude-mythos-5": _ALWAYS,
    "claude-opus-5-5": _ALWAYS,
    "claude-sonnet-5-5": Habits(
        unasked=True, off="between_tools", quiet_efforts=_UP_TO_HIGH, forces=False
    ),
    "claude-haiku-5-5": _CAPPED,
    "claude-opus-5": _CAPPED,
    "claude-sonnet-5": Habits(unasked=True),
    "claude-opus-4-8": _ADAPTIVE,
    "claude-opus-4-7": _ADAPTIVE,
    "claude-opus-4-6": _FIRST_ADAPTIVE,
    "claude-sonnet-4-6": _FIRST_ADAPTIVE,
    "claude-opus-4-5": _OPUS_4_5,
    "claude-sonnet-4-5": _BUDGET,
    "claude-haiku-4-5": _BUDGET,
}


def habits_of(model: str) -> Habits:
    """By the longest family that the id belongs to; dates and regions may follow its name."""
    families = (one for one in _FAMILIES if f"{model}-".replace("@", "-").startswith(f"{one}-"))
    family = max(families, key=len, default="")
    return _FAMILIES.get(family, _NEWER)


def _model(model_id: str, name: str, description: str) -> Model:
    habits = habits_of(model_id)
    return Model(
        id=model_id,
        name=name,
        provider="anthropic",
        context_length=_WINDOW if habits.max_output == _LARGE else _SMALL_WINDOW,
        max_output_tokens=habits.max_output or _LARGE,
        description=description,
        vision=True,
        tools=True,
        reasoning=True,
    )


_ROWS = (
    _model("claude-sonnet-5-5", "Claude Sonnet 5.5", "Fast and able; thinks unless told not to"),
    _model("claude-opus-5-5", "Claude Opus 5.5", "For long work; always thinks first"),
    _model("claude-haiku-5-5", "Claude Haiku 5.5", "The fastest; thinks unless told not to"),
    _model("claude-fable-5-2", "Claude Fable 5.2", "The largest; always thinks first"),
    _model("claude-opus-5", "Claude Opus 5", "Of July 2026; thinks unless told not to"),
    _model("claude-sonnet-5", "Claude Sonnet 5", "Of June 2026; thinks unless told not to"),
    _model("claude-opus-4-8", "Claude Opus 4.8", "Of May 2026; thinks when told to"),
    _model("claude-opus-4-7", "Claude Opus 4.7", "Of April 2026; thinks when told to"),
    _model("claude-opus-4-6", "Claude Opus 4.6", "Of February 2026; thinks when told to"),
    _model("claude-sonnet-4-6", "Claude Sonnet 4.6", "Of February 2026; thinks when told to"),
    _model("claude-haiku-4-5", "Claude Haiku 4.5", "Of October 2025; thinks when told to"),
    _model("claude-opus-4-5", "Claude Opus 4.5", "Retired on 2027-01-22; thinks when told to"),
)
# docs ("Model deprecations", and the release notes of 2026-06-15): what it recommends instead.
_GONE = (
    ("claude-sonnet-4-20250514", "claude-sonnet-4-6", "2026-06-15"),
    ("claude-opus-4-20250514", "claude-opus-4-8", "2026-06-15"),
    ("claude-3-5-haiku-20241022", "claude-haiku-4-5", "2026-02-19"),
)
MODELS = (*_ROWS, *replaced(_ROWS, "Anthropic", *_GONE))
