"""Other JSON: the dialects of OpenAI-compatible servers, chunk by chunk.

role · reasoning … · content … · finish          each class below bends one of these
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

from standins.behaviours.base import Stage
from standins.reply import Chunk, Reply, Step

Json = dict[str, object]
SPLIT_TAGS = ("<th", "ink>", "</thi", "nk>\n\n")


def choice_of(chunk: Chunk) -> Json:
    """The first choice of a chunk, empty when it has none."""
    choices = cast("list[Json]", chunk.data.get("choices") or [{}])
    return choices[0]


def delta_of(chunk: Chunk) -> Json:
    """The delta of a chunk."""
    return cast("Json", choice_of(chunk).get("delta") or {})


def with_top(chunk: Chunk, **changed: object) -> Chunk:
    """The chunk with other fields at its top."""
    return replace(chunk, data={**chunk.data, **changed})


def with_choice(chunk: Chunk, **changed: object) -> Chunk:
    """The chunk with other fields in its choice."""
    return with_top(chunk, choices=[{**choice_of(chunk), **changed}])


def with_delta(chunk: Chunk, delta: object) -> Chunk:
    """The chunk with another delta."""
    return with_choice(chunk, delta=delta)


def is_first(chunk: Chunk) -> bool:
    """Whether it is the chunk with the role."""
    return "role" in delta_of(chunk)


def is_last(chunk: Chunk) -> bool:
    """Whether it is the chunk with the finish_reason."""
    return choice_of(chunk).get("finish_reason") is not None


def thought_of(chunk: Chunk) -> str | None:
    """The reasoning text of a chunk that carries a token of it."""
    text = delta_of(chunk).get("reasoning_content")
    return text if chunk.tokens and isinstance(text, str) else None


def word_of(chunk: Chunk) -> str | None:
    """The visible text of a chunk that carries a token of it."""
    text = delta_of(chunk).get("content")
    return text if chunk.tokens and isinstance(text, str) else None


def edited(reply: Reply, edit: Callable[[Chunk], Iterable[Step]]) -> Reply:
    """The reply with every chunk replaced by what `edit` makes of it."""
    steps: list[Step] = []
    for step in reply.unfolded().body:
        steps += edit(step) if isinstance(step, Chunk) else (step,)
    return replace(reply, body=tuple(steps))


# ── first chunk, reasoning, content ───────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FirstChunk:
    """The first chunk has the role only, null content, comes after an empty one, or not at all."""

    stage: ClassVar[Stage] = Stage.DELTAS
    kind: Literal["role_only", "null_content", "empty_choices", "missing"]

    def shape(self, reply: Reply) -> Reply:
        """The reply with another beginning."""
        return edited(reply, self._edit)

    def _edit(self, chunk: Chunk) -> Iterable[Step]:
        if not is_first(chunk):
            return (chunk,)
        match self.kind:
            case "role_only":
                return (with_delta(chunk, {"role": "assistant"}),)
            case "null_content":
                return (with_delta(chunk, {"role": "assistant", "content": None}),)
            case "empty_choices":
                verdict = [{"prompt_index": 0, "content_filter_results": {}}]
                empty = with_top(chunk, id="", model="", choices=[], prompt_filter_results=verdict)
                return (empty, chunk)
            case "missing":
                return ()


@dataclass(frozen=True, slots=True)
class ReasoningAs:
    """Where other servers put the thoughts: under another name, under two, in details, in typed
    parts of the content, or as <think> tags whose ends fall between chunks."""

    stage: ClassVar[Stage] = Stage.DELTAS
    kind: Literal["reasoning", "both", "details", "parts", "think_tags"]

    def shape(self, reply: Reply) -> Reply:
        """The reply with its thoughts elsewhere."""
        if self.kind != "think_tags":
            return edited(reply, self._edit)
        thoughts = [
            step
            for step in reply.unfolded().body
            if isinstance(step, Chunk) and thought_of(step) is not None
        ]
        if not thoughts:
            return reply
        first, last = thoughts[0], thoughts[-1]
        return edited(reply, lambda chunk: self._tagged(chunk, chunk == first, chunk == last))

    def _edit(self, chunk: Chunk) -> Iterable[Step]:
        thought = thought_of(chunk)
        if thought is None:
            delta = delta_of(chunk)
            delta = {key: value for key, value in delta.items() if key != "reasoning_content"}
            return (with_delta(chunk, delta) if choice_of(chunk) else chunk,)
        details = {"type": "reasoning.text", "text": thought, "index": 0, "format": "unknown"}
        part = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
        deltas: dict[str, Json] = {
            "reasoning": {"reasoning": thought},
            "both": {"reasoning": thought, "reasoning_content": thought},
            "details": {"content": "", "reasoning": thought, "reasoning_details": [details]},
            "parts": {"content": [part]},
        }
        return (with_delta(chunk, deltas[self.kind]),)

    def _tagged(self, chunk: Chunk, first: bool, last: bool) -> Iterable[Step]:
        thought = thought_of(chunk)
        if thought is None:
            delta = delta_of(chunk)
            text = delta.get("content") or ""
            role = {"role": "assistant"} if "role" in delta else {}
            return (with_delta(chunk, {**role, "content": text}),)
        texts = [*(SPLIT_TAGS[:2] if first else ()), thought, *(SPLIT_TAGS[2:] if last else ())]
        return tuple(with_delta(chunk, {"content": text}) for text in texts)


@dataclass(frozen=True, slots=True)
class ContentAs:
    """No content at all, null content beside it, empty tool_calls, the role in every chunk, or
    chunks whose delta is null or not there."""

    stage: ClassVar[Stage] = Stage.DELTAS
    kind: Literal["none", "null_between", "empty_tool_calls", "role_everywhere", "no_delta"]

    def shape(self, reply: Reply) -> Reply:
        """The reply with other content chunks."""
        return edited(reply, self._edit)

    def _edit(self, chunk: Chunk) -> Iterable[Step]:
        word = word_of(chunk)
        match self.kind:
            case "none":
                return () if word is not None else (chunk,)
            case "null_between":
                return (replace(with_delta(chunk, {"content": None}), tokens=0), chunk)
            case "empty_tool_calls":
                return (with_delta(chunk, {**delta_of(chunk), "tool_calls": []}),)
            case "role_everywhere":
                return (with_delta(chunk, {"role": "assistant", **delta_of(chunk)}),)
            case "no_delta":
                if word is None:
                    return (chunk,)
                bare = {"index": 0, "finish_reason": None}
                absent = replace(with_top(chunk, choices=[bare]), tokens=0)
                return (replace(with_delta(chunk, None), tokens=0), absent, chunk)


# ── the end and the bill ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FinishAs:
    """Another finish_reason (None: no chunk has one), text in the finish chunk, text after it."""

    stage: ClassVar[Stage] = Stage.DELTAS
    reason: str | None = "stop"
    text: str = ""
    text_after: str = ""

    def shape(self, reply: Reply) -> Reply:
        """The reply with another end."""
        return edited(reply, self._edit)

    def _edit(self, chunk: Chunk) -> Iterable[Step]:
        if not is_last(chunk):
            return (chunk,)
        ended = with_choice(chunk, finish_reason=self.reason)
        if self.text:
            ended = with_delta(ended, {"content": self.text})
        if not self.text_after:
            return (ended,)
        after = with_choice(chunk, delta={"content": self.text_after}, finish_reason=None)
        return (ended, with_top(after, usage=None))


UsageKind = Literal[
    "none", "trailing", "both", "every_chunk", "x_groq", "negative", "inconsistent", "as_strings"
]


@dataclass(frozen=True, slots=True)
class UsageAs:
    """Usage nowhere, in a chunk of its own at the end, there and on the finish chunk, on every
    chunk, inside x_groq, or with numbers that cannot be."""

    stage: ClassVar[Stage] = Stage.DELTAS
    kind: UsageKind

    def shape(self, reply: Reply) -> Reply:
        """The reply with its bill elsewhere."""
        chunks = [step for step in reply.unfolded().body if isinstance(step, Chunk)]
        bills = [chunk.data.get("usage") for chunk in chunks if chunk.data.get("usage")]
        if not bills:
            return reply
        bill = cast("Json", bills[-1])
        return edited(reply, lambda chunk: self._edit(chunk, bill))

    def _edit(self, chunk: Chunk, bill: Json) -> Iterable[Step]:
        if self.kind == "every_chunk":
            return (with_top(chunk, usage=bill),)
        if not is_last(chunk):
            return (chunk,)
        silent, trailing = with_top(chunk, usage=None), with_top(chunk, choices=[], usage=bill)
        match self.kind:
            case "none":
                return (silent,)
            case "trailing":
                return (silent, trailing)
            case "both":
                return (chunk, trailing)
            case "x_groq":
                return (with_top(silent, x_groq={"id": "req_1", "usage": bill}),)
            case "negative":
                return (with_top(chunk, usage={**bill, "completion_tokens": -5}),)
            case "inconsistent":
                return (
                    with_top(chunk, usage={**bill, "total_tokens": 1, "prompt_tokens": 10**12}),
                )
            case _:
                strings = {k: str(v) if isinstance(v, int) else v for k, v in bill.items()}
                return (with_top(chunk, usage=strings),)


# ── the envelope ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Twist:
    """Another id, model and time in every chunk, unknown fields, numbers as strings, or a second
    choice beside the first."""

    stage: ClassVar[Stage] = Stage.DELTAS
    kind: Literal["identity", "unknown_fields", "numbers_as_strings", "second_choice"]

    def shape(self, reply: Reply) -> Reply:
        """The reply with odd envelopes."""
        count = 0

        def edit(chunk: Chunk) -> Iterable[Step]:
            nonlocal count
            count += 1
            return self._edit(chunk, count)

        return edited(reply, edit)

    def _edit(self, chunk: Chunk, count: int) -> Iterable[Step]:
        match self.kind:
            case "identity":
                return (with_top(chunk, id=f"id-{count}", model=f"model-{count}", created=count),)
            case "unknown_fields":
                odd = with_choice(chunk, native_finish_reason=None)
                return (with_top(odd, obfuscation="x" * (count % 7), provider={"a": [1]}),)
            case "numbers_as_strings":
                odd = with_choice(chunk, index="0")
                return (with_top(odd, created=str(chunk.data.get("created"))),)
            case "second_choice":
                if word_of(chunk) is None:
                    return (chunk,)
                other = {**choice_of(chunk), "index": 1, "delta": {"content": "OTHER"}}
                both = with_top(chunk, choices=[choice_of(chunk), other])
                return (both, replace(with_top(chunk, choices=[other]), tokens=0))


@dataclass(frozen=True, slots=True)
class Flood:
    """Instead of the words: `count` tokens, each with `width` times this text. One big token, a
    hundred equal ones, or two hundred thousand tiny ones."""

    stage: ClassVar[Stage] = Stage.DELTAS
    count: int
    text: str = "x"
    width: int = 1

    def shape(self, reply: Reply) -> Reply:
        """The reply with other words."""
        base = next((step for step in reply.unfolded().body if _speaks(step)), None)
        if base is None:
            return reply
        one = with_delta(cast("Chunk", base), {"content": self.text * self.width})
        frame = replace(reply, body=(one,)).rendered().body
        kept = tuple(step for step in reply.unfolded().body if not _speaks(step))
        ends = [i for i, step in enumerate(kept) if isinstance(step, Chunk) and is_last(step)]
        at = ends[0] if ends else len(kept)
        return replace(reply, body=(*kept[:at], *frame * self.count, *kept[at:]))


def _speaks(step: Step) -> bool:
    return isinstance(step, Chunk) and word_of(step) is not None
