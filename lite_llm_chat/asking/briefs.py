"""One history, as it is asked of one model: what is sent, and what has to be said of that. Pure.

    history ─▶ turns ─▶ the form of the text in words, where the vendor does not see to it
                   ─▶ what fits the window, and a summary of what does not, if there is one
                   ─▶ Prompt · warnings · what was left out

The same brief is made into another prompt for whoever is asked next.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import NamedTuple

from ..catalog import Catalog, Choice
from ..domain import Attachment, Message, Options, Prompt, Tool, Turn
from ..errors import Invalid
from . import context, forms
from .prompts import Beside, LeftOut, beginning_of, images_of, turns_of

IMAGES_BYTES = 24 * 1024 * 1024  # of one prompt: 32 MiB in base64, which a vendor has to take
NONE = sys.maxsize  # deeper than any message
SUMMARY_TOKENS = 1_000  # of a window, kept free for one where they are made
_TOO_LARGE = f"with them all images would have over {IMAGES_BYTES} bytes"
SUMMED_UP = "What was said before, summed up because it no longer fits: "


@dataclass(frozen=True, slots=True)
class Rules:
    """What the transactions need to know of the providers: who serves a name, whether any of some
    providers can answer (raises if not), which options one has no use for, in a request that goes
    on from a text or not, and which forms of a text it keeps to itself; and which tools this server
    has now. `sums_up`: what is left out is summed up."""

    catalog: Catalog
    require: Callable[[Sequence[str]], None]
    ignored: Callable[[Choice, Options, bool], tuple[str, ...]]
    formats: Callable[[Choice], frozenset[str]]
    tools: Callable[[], tuple[Tool, ...]]
    sums_up: bool = False


@dataclass(frozen=True, slots=True)
class Brief:
    """What is to be asked, of whomever: a branch, oldest first, the cut answer that is gone on
    with, the summaries of its beginnings by the message that they go up to, the tools of this
    server that may be called, and the text and a note of each of its files that is no image, by
    id."""

    history: Sequence[Message]
    system_prompt: str | None = None
    begun: Message | None = None
    summaries: Mapping[int, str] | None = None
    tools: tuple[Tool, ...] = ()
    texts: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)

    def beside(self, choice: Choice) -> Beside:
        """What a choice is given of the files."""
        return Beside(self.texts, NONE if choice.vision is False else self._shows_from())

    def _shows_from(self) -> int:
        """The depth of the first message from which on all images together are within bounds."""
        size = 0
        for message in reversed(self.history):
            size += _size(images_of(message)) if message.parts else 0
            if size > IMAGES_BYTES:
                return message.depth + 1
        return 0

    def new_images(self) -> list[Attachment]:
        """Those of the question that is to be answered now."""
        said = takewhile(lambda one: one.role != "assistant", reversed(self.history))
        return _images(list(said))

    def left_out(self, beside: Beside) -> int:
        """How many images are not shown."""
        return len(_images([one for one in self.history if one.depth < beside.shows_from]))


def _images(history: Sequence[Message]) -> list[Attachment]:
    return [image for message in history if message.parts for image in images_of(message)]


def _size(images: Sequence[Attachment]) -> int:
    return sum(image.size_bytes for image in images)


class Briefed(NamedTuple):
    """What is asked of one model, the warnings about that, and what was left out, if anything."""

    prompt: Prompt
    warnings: tuple[str, ...]
    left_out: LeftOut | None


def briefed(brief: Brief, choice: Choice, options: Options, rules: Rules) -> Briefed:
    """What is asked of a choice. Raises Invalid `prompt_too_long`, `model_cannot_see` or
    `too_many_images`."""
    _check_images(brief.new_images(), choice, rules)
    beside = brief.beside(choice)
    turns = turns_of(brief.system_prompt, brief.history, beside)
    prefix = None
    if brief.begun is not None:
        prefix, said = beginning_of(brief.begun)
        turns += said
    ours = () if choice.tools is False else brief.tools
    tools = (*(options.tools or ()), *ours)
    kept_to = _formats(choice, options, tools, rules)
    form, words = forms.passed_on(options.response_format, kept_to)
    if words:
        turns = forms.with_words(turns, words)
    kept, dropped = _fitted(turns, choice, options, rules)
    left_out = _left_out(brief, choice, kept, dropped) if dropped else None
    if left_out is not None and left_out.before:
        kept = (*_head(kept), Turn("system", SUMMED_UP + left_out.before), *_talk(kept))
    sent = options
    if form is not options.response_format:
        sent = replace(options, response_format=form)
    pictured = any(turn.pictures for turn in kept)
    prompt = Prompt(choice.served, kept, sent, prefix, tools, pictured)
    warnings = _warnings(choice, rules, prompt, left_out)
    if unseen := brief.left_out(beside):
        why = f"{choice.model} cannot see them" if choice.vision is False else _TOO_LARGE
        warnings.append(f"images of earlier messages, {unseen} in all, were left out: {why}")
    return Briefed(prompt, tuple(warnings), left_out)


def _formats(
    choice: Choice, options: Options, tools: tuple[Tool, ...], rules: Rules
) -> frozenset[str]:
    """The forms that a choice keeps to by itself; none if it does not beside these tools."""
    idle = tools and "response_format" in rules.ignored(
        choice, replace(options, tools=tools), False
    )
    return frozenset() if idle else rules.formats(choice)


def _check_images(images: Sequence[Attachment], choice: Choice, rules: Rules) -> None:
    """Whether the images of a question can be sent; nothing of a question is left out."""
    if images and choice.vision is False:
        raise _blind(choice, rules)
    if (size := _size(images)) > IMAGES_BYTES:
        raise Invalid(
            f"the images of this question have {size} bytes together, and {IMAGES_BYTES} are the"
            " most that are sent at once: send fewer, or smaller ones",
            code="too_many_images",
        )


def _blind(choice: Choice, rules: Rules) -> Invalid:
    seeing = rules.catalog.seeing(choice.provider)
    instead = f"ask one that can, such as {seeing}" if seeing else "ask one that can"
    return Invalid(
        f"{choice.model} of {choice.provider} cannot see images: {instead}, or leave the image out",
        code="model_cannot_see",
    )


def _fitted(
    turns: Sequence[Turn], choice: Choice, options: Options, rules: Rules
) -> tuple[tuple[Turn, ...], int]:
    """The turns that fit the choice's window, and how many were left out."""
    room = choice.max_prompt_tokens
    if room is None:
        room = context.room(choice.window, choice.most_output, options.max_tokens)
    if room is not None and rules.sums_up:
        room = max(room // 2, room - SUMMARY_TOKENS)
    kept, dropped = context.fit(turns, room)
    if context.hopeless(kept, room):
        raise Invalid(
            f"the question alone is longer than the window of {choice.model}, which has room for"
            f" {room} tokens: shorten it, or ask a model with a larger window",
            code="prompt_too_long",
        )
    return kept, dropped


def _left_out(brief: Brief, choice: Choice, kept: Sequence[Turn], dropped: int) -> LeftOut:
    """What was left out, up to which message, and what is known of it: what is kept begins with a
    question, and each question is a message."""
    questions = sum(1 for turn in kept if turn.role == "user")
    asked = [i for i, message in enumerate(brief.history) if message.role == "user"]
    gone = brief.history[: asked[-questions]]
    known = [message.id for message in gone if message.id in (brief.summaries or {})]
    before = (brief.summaries or {})[known[-1]] if known else None
    fresh = gone[[one.id for one in gone].index(known[-1]) + 1 :] if known else gone
    turns = tuple(turns_of(None, fresh, brief.beside(choice)))
    return LeftOut(gone[-1].session_id, gone[-1].id, dropped, before, turns)


def _head(turns: Sequence[Turn]) -> Sequence[Turn]:
    return turns[: len(turns) - len(_talk(turns))]


def _talk(turns: Sequence[Turn]) -> Sequence[Turn]:
    first = next((i for i, turn in enumerate(turns) if turn.role != "system"), len(turns))
    return turns[first:]


def _warnings(choice: Choice, rules: Rules, prompt: Prompt, left_out: LeftOut | None) -> list[str]:
    warnings = [
        f"{name}: {choice.model} has no use for it, so it was ignored"
        for name in rules.ignored(choice, prompt.options, prompt.prefix is not None)
    ]
    if left_out is not None:
        instead = "; a summary stands for them" if left_out.before else ""
        warnings.append(
            f"the oldest {left_out.count} messages were left out: they do not fit into the context"
            f" window of {choice.model}{instead}"
        )
    return warnings
