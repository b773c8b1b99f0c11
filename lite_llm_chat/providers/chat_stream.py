"""The bytes of one streamed chat completion, as pieces. Pure: no I/O.

    bytes ─┬─▶ SseSplitter ─▶ JSON ─┬▶ ChatDecoder.feed ─▶ Text · Reasoning · …
           └─▶ Template ────────────┘   │      └ .finish ─▶ Finish, or UpstreamError
         chunks like the last one       └ .failure: what ended the answer early

It believes little: every field may be null, absent or of another type, an error may hide in any
event, and only a finish reason makes an answer whole. What one read brings leaves as one piece
for each kind in a row, so a fast vendor costs few pieces.

Calls of tools are gathered in calls.py and leave last, once the end says that they are whole. An
answer with calls ends as `tool_calls`, whatever its vendor says, and one without never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ..domain import Finish, Piece, Reasoning, Text, Usage
from ..errors import UpstreamError
from .calls import NO_CALLS, Calls, Details, Expected, Leak, leaked
from .exchange import empty, garbage, gave_up, leniently
from .frames import Frame, SseSplitter, each_row
from .gather import Gatherer
from .refusal import read_refusal, refusal
from .template import MAX_TEMPLATE_BYTES, VAIN_TEMPLATES, Template, around_text
from .think import TagReader
from .usage import read_usage
from .wire import Endpoint, truncated

# Finish reasons that say: the vendor gave up. DeepSeek API docs, November 2026 (the first two);
# OpenRouter and Mistral SDKs, 2026 (`error`); Z.ai API docs, 2026 (the last).
_GAVE_UP = frozenset({"insufficient_system_resource", "aborted", "error", "network_error"})
# Other words for a usual reason (Mistral SDK 3.7, 2026: the limit of the window).
_REASONS = {"model_length": "length"}
_GRACE_S = 1.0  # after the finish reason: how long a late usage may take
_GRACE_WITH_USAGE_S = 0.1  # … when nothing more is expected but the end mark
# Ends that calls do not change: the last of them may have been cut.
_CUT_SHORT = frozenset({"length", "content_filter"})
_READ_INDEXES = (0, None, "0")  # of the choices: the first one, however a vendor says so


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None

    def thought(self) -> Any:
        """The reasoning, under whichever name: the same text may stand under several."""
        return self.reasoning_content or self.reasoning or _details(self.reasoning_details)


def _details(items: Any) -> str:
    """The text in OpenRouter's `reasoning_details` (its SDK 1.3, November 2026): of an item, its
    `text` or its `summary`; what is encrypted has neither."""
    if not isinstance(items, list):
        return ""
    found = (one for one in items if isinstance(one, dict))
    texts = (one.get("text") or one.get("summary") for one in found)
    return "".join(text for text in texts if isinstance(text, str))


class _Choice(msgspec.Struct, gc=False):
    index: Any = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: Any = None
    usage: Any = None
    error: Any = None


class _Groq(msgspec.Struct, gc=False):
    usage: Any = None
    error: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    object: Any = None
    message: Any = None
    detail: Any = None
    model: Any = None
    system_fingerprint: Any = None
    x_groq: _Groq | None = None

    def complaint(self) -> object:
        """The error that this event carries beside its choices, in whichever place, or None."""
        if self.error:
            return self.error
        if self.object == "error":
            return {"message": self.message or self.detail}
        return self.x_groq.error if self.x_groq else None


_decoder = msgspec.json.Decoder(_Chunk)


def _said(chunk: _Chunk) -> tuple[Any, ...]:
    """Reasoning and text of a chunk whose only choice is the one that is read, else nothing."""
    choice = chunk.choices[0] if chunk.choices and len(chunk.choices) == 1 else None
    if choice is None or choice.index not in _READ_INDEXES:
        return ()
    delta = choice.delta or choice.message
    return (delta.thought(), delta.content) if delta else ()


def _has_more(chunk: _Chunk) -> bool:
    """Whether a chunk has something beside its text that counts each time it comes."""
    deltas = (choice.delta or choice.message for choice in chunk.choices or ())
    return any(delta and (delta.tool_calls or delta.reasoning_details) for delta in deltas)


def _template(row: bytes, chunk: _Chunk) -> Template | None:
    """The template of a chunk that says one thing, in one string; `row` is its JSON. The proof:
    the same row with that string empty says nothing."""
    if len(row) > MAX_TEMPLATE_BYTES or not any(_said(chunk)) or _has_more(chunk):
        return None
    if (halves := around_text(row)) is None:
        return None
    mute = each_row(_decoder, b"".join(halves))
    return None if mute is None or any(_said(mute[0])) else Template(*halves)


class ChatDecoder:
    """Turns the bytes of one answer into pieces. After a call, `failure` may hold the error that
    ends the answer: what came before it is in the pieces returned by that call."""

    takes_events = True
    __slots__ = (
        "_calls",
        "_details",
        "_done",
        "_endpoint",
        "_fingerprint",
        "_leak",
        "_model",
        "_out",
        "_reason",
        "_said_something",
        "_sse",
        "_template",
        "_usage",
        "_vain",
        "failure",
        "finished",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        may_be_empty: bool = False,
        tags: TagReader | None = None,
        expected: Expected = NO_CALLS,
    ) -> None:
        self.failure: UpstreamError | None = None
        self.finished = False
        self._endpoint = endpoint
        self._sse = SseSplitter()
        self._out = Gatherer(tags)
        self._calls = Calls(endpoint.who, expected)
        self._details = Details() if expected.seals == "reasoning_details" else None
        self._leak = Leak() if expected.tools else None
        self._done = False
        self._said_something = may_be_empty
        self._reason: str | None = None
        self._usage: Any = None
        self._model: str | None = None
        self._fingerprint: str | None = None
        # Of the very last chunk that was read or none: of one like it, only the text is news.
        self._template: Template | None = None
        self._vain = 0  # templates in a row that nothing was like

    @property
    def working(self) -> int:
        """Characters of calls so far."""
        return self._calls.size

    @property
    def over(self) -> bool:
        """Nothing that still comes can matter."""
        return self._done or self.failure is not None

    @property
    def grace_s(self) -> float:
        """How long after the finish reason the end mark is worth waiting for."""
        return _GRACE_S if self._usage is None else _GRACE_WITH_USAGE_S

    def reported(self) -> Usage | None:
        """What the vendor has said so far of the tokens."""
        return read_usage(self._usage)

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces in the next bytes of an event stream."""
        try:
            if not self._read_alike(data):
                self._read_each(data)
        except UpstreamError as error:
            self.failure = error
        return self._handed_out()

    def whole(self, body: bytes) -> list[Piece]:
        """The pieces of an answer, or the error, that came as one JSON body."""
        try:
            self._take(Frame(body.strip()))
            if self._reason is None and self._out.empty and not self._calls:
                raise self._endpoint.explain(read_refusal(body, 500, self._endpoint.secret))
        except UpstreamError as error:
            self.failure = error
        self._done = True
        return self._handed_out()

    def close(self) -> list[Piece]:
        """The pieces that were still waiting when the stream ended; calls only of a whole one."""
        try:
            for frame in () if self.over else self._sse.close():
                self._take(frame)
        except UpstreamError as error:
            if error.code != "upstream_garbage":  # half an event: the stream was cut
                self.failure = error
        return [*self._handed_out(last=True), *self._called()]

    def finish(self) -> Finish:
        """The Finish of a whole answer. Raises UpstreamError for any other."""
        who, reason = self._endpoint.who, self._reason
        if self.failure is not None:
            raise self.failure
        if reason is None:
            raise truncated(who)
        if reason in _GAVE_UP:
            raise gave_up(who, reason)
        reason = self._known(reason)
        if reason == "stop" and not (self._said_something or self._out.spoke):
            raise empty(who)
        if self._leak is not None and self._leak.found and not self._calls:
            raise leaked(who)
        return Finish(reason, read_usage(self._usage), self._model, self._fingerprint)

    def _known(self, reason: str) -> str:
        reason = _REASONS.get(reason, reason)
        if self._calls:
            return reason if reason in _CUT_SHORT else "tool_calls"
        return "stop" if reason == "tool_calls" else reason

    def _handed_out(self, last: bool = False) -> list[Piece]:
        pieces = self._out.handed_out(last)
        return pieces if self._leak is None else self._leak.seen(pieces)

    def _called(self) -> list[Piece]:
        """The calls of a whole answer, and what the vendor wants back with them."""
        if self.failure or self._reason is None or self._reason in _GAVE_UP or not self._calls:
            return []
        try:
            calls = list(self._calls.taken_out())
        except UpstreamError as error:
            self.failure = error
            return []
        return [*(self._details.taken_out() if self._details else ()), *calls]

    def _read_alike(self, data: bytes) -> bool:
        """Read whole events that are like the last one but for their text, so their kind is its
        kind. False for any others: nothing of them was read then."""
        template = self._template
        if template is None or (texts := template.texts(data)) is None:
            return False
        if not self._sse.at_event(data):
            return False
        self._vain = 0
        self._out.more(texts)
        return True

    def _read_each(self, data: bytes) -> None:
        new = self._sse.rows(data)
        if not isinstance(new, bytes):
            self._take_all(new)
        elif (chunks := each_row(_decoder, new)) is not None and not self._done:
            self._template = None
            for chunk in chunks:
                self._read(chunk)
            if self._vain < VAIN_TEMPLATES:
                self._template = _template(new[new.rfind(b"\n") + 1 :], chunks[-1])
                self._vain += self._template is not None
        else:
            self._take_all(map(Frame, new.split(b"\n")))

    def _take_all(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if not self._done:
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        self._template = None
        data = frame.data.strip()
        if data == b"[DONE]":
            self._done = True
            return
        if frame.event == "error":
            raise self._endpoint.explain(read_refusal(data, None, self._endpoint.secret))
        if data:
            self._read(self._chunk(data))

    def _read(self, chunk: _Chunk) -> None:
        odd = chunk.error or chunk.x_groq or chunk.object == "error"
        if odd and (complaint := chunk.complaint()):
            raise self._complained(complaint)
        for choice in chunk.choices or ():
            if choice.error:
                raise self._complained(choice.error)
            if choice.index in _READ_INDEXES:
                self._choose(choice)
        usage = chunk.x_groq.usage if chunk.usage is None and chunk.x_groq else chunk.usage
        if usage is not None:
            self._usage = usage
        if isinstance(chunk.model, str) and chunk.model:
            self._model = chunk.model
        if isinstance(chunk.system_fingerprint, str) and chunk.system_fingerprint:
            self._fingerprint = chunk.system_fingerprint

    def _complained(self, complaint: object) -> UpstreamError:
        return self._endpoint.explain(refusal(complaint, None, self._endpoint.secret))

    def _choose(self, choice: _Choice) -> None:
        if delta := choice.delta or choice.message:
            if thought := delta.thought():
                self._add(Reasoning, thought)
            if delta.content:
                self._add(Text, delta.content)
            if delta.tool_calls:
                self._calls.add(delta.tool_calls)
            if delta.reasoning_details and self._details is not None:
                self._details.add(delta.reasoning_details)
        if choice.usage is not None:
            self._usage = choice.usage
        if isinstance(choice.finish_reason, str) and choice.finish_reason:
            self._reason = choice.finish_reason
            self.finished = True

    def _add(self, kind: type[Text] | type[Reasoning], content: object) -> None:
        if isinstance(content, str):
            self._out.add(kind, content)
        else:
            for part_kind, part in _parts(kind, content):
                self._out.add(part_kind, part)

    def _chunk(self, data: bytes) -> _Chunk:
        """Strictly first, because that is fast; then leniently."""
        try:
            return _decoder.decode(data)
        except (ValueError, RecursionError):
            pass
        try:
            return msgspec.convert(leniently(data), _Chunk)
        except (ValueError, RecursionError) as error:
            raise garbage(self._endpoint.who, "an event that is not what it should be") from error


def _parts(kind: type[Text] | type[Reasoning], content: object) -> Iterator[tuple[Any, str]]:
    """The texts of a content given as typed parts (Mistral SDK, 2026: `text`, and `thinking`
    with parts of its own); other parts are passed over."""
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str) and part:
            yield kind, part
        elif isinstance(part, dict):
            thought = part.get("thinking")
            if isinstance(thought, str) and thought:
                yield Reasoning, thought
            elif thought:
                yield from _parts(Reasoning, thought)
            elif isinstance(text := part.get("text"), str) and text:
                yield kind, text
