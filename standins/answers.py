"""What is said in answer to an order, and how it looks on the wire when all goes well.

    Order + Answer ─▶ Speech (thoughts, words, calls, why it ended) ─▶ Reply (steps)

The same order always gets the same speech, also when it comes back with the first half as a
prefix: then only the second half is said. A line `say: …` in the question is answered by exactly
what follows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from standins.accounting import usage
from standins.deepseek_order import example_arguments, tool_names
from standins.deepseek_rules import Order, text_of
from standins.reply import (
    DONE,
    JSON_HEADERS,
    KEEP_ALIVE,
    SSE_HEADERS,
    Chunk,
    Envelope,
    Frame,
    Reply,
    Step,
    Token,
    Wait,
    compact,
)
from standins.words import Language, pieces, seed_of, tokens

SAY = re.compile(r"^say: ?(.*)$", re.MULTILINE)
TOKENS = 48
REASONING_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the answer; `arguments` is the JSON text the model wrote."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say and how fast. None: the stand-in's own choice. `calls` is either the calls
    themselves or how many of the request's tools to call; `keep_alives` is how many comments
    (or blank lines, when not streaming) come before the first token."""

    text: str | None = None
    reasoning: str | None = None
    tokens: int | None = None
    reasoning_tokens: int | None = None
    tokens_per_s: float | None = None
    language: Language | None = None
    calls: int | tuple[Call, ...] | None = None
    finish_reason: str | None = None
    keep_alives: int | None = None

    def over(self, other: Answer) -> Answer:
        """The other answer with everything that this one says put in its place."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(other, **{name: value for name, value in said.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Speech:
    """An answer in tokens."""

    reasoning: tuple[str, ...]
    words: tuple[str, ...]
    calls: tuple[Call, ...]
    finish_reason: str
    seed: int

    def carried(self) -> int:
        """How many tokens it costs: words, thoughts, and one for each piece of a call."""
        calls = sum(1 + len(pieces(call.arguments)) for call in self.calls)
        return len(self.reasoning) + len(self.words) + calls

    def said(self) -> str:
        """The visible text."""
        return "".join(self.words)


# ── an order becomes a speech ─────────────────────────────────────────────────────────────────


def speech(order: Order, answer: Answer) -> Speech:
    """What is said to this order."""
    turns = order.messages[:-1] if order.prefix else order.messages
    said = (f"{turn['role']}:{text_of(turn.get('content'))}" for turn in turns)
    seed = seed_of(order.model, *said)
    calls = _calls(order, answer)
    thoughts = _thoughts(order, answer, seed) if order.thinking else []
    words = [] if calls and answer.text is None else _words(order, answer, seed)
    if order.prefix:
        thoughts, words = _after_prefix(order.prefix, thoughts, words)
    words, stopped = _until_stop(words, order.stop)
    room = order.max_tokens
    finish = "tool_calls" if calls else "stop"
    if len(thoughts) + len(words) > room:
        thoughts = thoughts[:room]
        words, calls, stopped, finish = words[: room - len(thoughts)], (), False, "length"
    if stopped:
        calls, finish = (), "stop"
    reason = answer.finish_reason or finish
    return Speech(tuple(thoughts), tuple(words), calls, reason, seed)


def _calls(order: Order, answer: Answer) -> tuple[Call, ...]:
    wanted = answer.calls
    if isinstance(wanted, tuple):
        return wanted
    if not wanted:
        wanted = 1 if order.tool_choice == "required" or isinstance(order.tool_choice, dict) else 0
    names = tool_names(order) or ["get_weather"]
    if isinstance(order.tool_choice, dict):
        names = [str(order.tool_choice["function"].get("name"))]
    chosen = (names[index % len(names)] for index in range(wanted))
    return tuple(Call(name, example_arguments(order, name)) for name in chosen)


def _thoughts(order: Order, answer: Answer, seed: int) -> list[str]:
    if answer.reasoning is not None:
        return pieces(answer.reasoning)
    count = REASONING_TOKENS if answer.reasoning_tokens is None else answer.reasoning_tokens
    if order.effort == "max":
        count *= 2
    return tokens(seed + 1, count, answer.language or "en")


def _words(order: Order, answer: Answer, seed: int) -> list[str]:
    if answer.text is not None:
        return pieces(answer.text)
    asked = SAY.search(order.question())
    if asked:
        return pieces(asked[1])
    count = TOKENS if answer.tokens is None else answer.tokens
    words = tokens(seed, count, answer.language or "en")
    if order.json_mode:
        return pieces(json.dumps({"answer": "".join(words)}, ensure_ascii=False))
    return words


def _after_prefix(
    prefix: Mapping[str, object], thoughts: list[str], words: list[str]
) -> tuple[list[str], list[str]]:
    """What is left to say after the prefix: words only, once it has words."""
    known = text_of(prefix.get("content"))
    thought = prefix.get("reasoning_content")
    if known:
        return [], _rest(words, known)
    return _rest(thoughts, thought if isinstance(thought, str) else ""), words


def _rest(row: list[str], known: str) -> list[str]:
    """The row from the end of `known` on; the whole row when it does not begin with it."""
    if not "".join(row).startswith(known):
        return row
    left = len(known)
    for index, token in enumerate(row):
        if left < len(token):
            return [token[left:], *row[index + 1 :]]
        left -= len(token)
    return []


def _until_stop(words: list[str], stop: tuple[str, ...]) -> tuple[list[str], bool]:
    text = "".join(words)
    ends = [text.find(one) for one in stop if one and one in text]
    if not ends:
        return words, False
    kept: list[str] = []
    left = min(ends)
    for token in words:
        kept.append(token[:left])
        left -= len(kept[-1])
    return [token for token in kept if token], True


# ── a speech becomes a reply ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Bill:
    """What the request costs: tokens of its prompt, and how many of them were cached."""

    prompt: int
    hit: int

    def usage(self, spoken: Speech) -> dict[str, object]:
        """The usage object of this speech."""
        return usage(self.prompt, self.hit, spoken.carried(), len(spoken.reasoning))


def streamed(spoken: Speech, bill: Bill, envelope: Envelope, answer: Answer) -> Reply:
    """The speech as an event stream."""
    first: dict[str, object] = {"role": "assistant", "content": ""}
    last: dict[str, object] = {"content": ""}
    if envelope.thinking:
        first |= {"content": None, "reasoning_content": ""}
        last |= {"reasoning_content": None}
    steps: list[Step] = [Frame(KEEP_ALIVE)] * keep_alives(answer)
    steps.append(Chunk(envelope.chunk(first)))
    steps += [Token("reasoning_content", token) for token in spoken.reasoning]
    steps += [Token("content", token) for token in spoken.words]
    for index, call in enumerate(spoken.calls):
        steps += call_steps(envelope, spoken.seed, index, call)
    steps.append(Chunk(envelope.chunk(last, spoken.finish_reason, bill.usage(spoken))))
    steps.append(Frame(DONE))
    return Reply(
        tuple(steps),
        headers=SSE_HEADERS,
        streaming=True,
        tokens_per_s=answer.tokens_per_s,
        envelope=envelope,
    )


def whole(spoken: Speech, bill: Bill, envelope: Envelope, answer: Answer) -> Reply:
    """The speech as one JSON document, blank lines first."""
    message: dict[str, object] = {"role": "assistant", "content": spoken.said() or None}
    if not spoken.calls:
        message["content"] = spoken.said()
    if envelope.thinking:
        message["reasoning_content"] = "".join(spoken.reasoning)
    if spoken.calls:
        message["tool_calls"] = [
            {"index": index, **call_object(spoken.seed, index, call)}
            for index, call in enumerate(spoken.calls)
        ]
    document = envelope.chunk({}, spoken.finish_reason, bill.usage(spoken))
    document["object"] = "chat.completion"
    document["choices"] = [
        {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": spoken.finish_reason,
        }
    ]
    steps: list[Step] = [Frame(b"\n")] * keep_alives(answer)
    if answer.tokens_per_s:
        steps.append(Wait(spoken.carried() / answer.tokens_per_s))
    steps.append(Frame(compact(document), spoken.carried()))
    return Reply(tuple(steps), headers=JSON_HEADERS, envelope=envelope)


def keep_alives(answer: Answer) -> int:
    """How many signs of life come before the first token; one, unless told otherwise."""
    return 1 if answer.keep_alives is None else answer.keep_alives


def call_id(seed: int, index: int) -> str:
    """`call_00_` and 24 characters."""
    return f"call_{index:02d}_{seed_of(str(seed), str(index)) % 16**24:024x}"


def call_object(seed: int, index: int, call: Call) -> dict[str, object]:
    """A call as it stands in a message."""
    return {
        "id": call_id(seed, index),
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def call_steps(envelope: Envelope, seed: int, index: int, call: Call) -> list[Step]:
    """A call as it is streamed: its name first, then its arguments token by token."""
    named = call_object(seed, index, Call(call.name, ""))
    rows: list[dict[str, object]] = [{"index": index, **named}]
    rows += [{"index": index, "function": {"arguments": piece}} for piece in pieces(call.arguments)]
    return [Chunk(envelope.chunk({"tool_calls": [row]}), 1) for row in rows]
