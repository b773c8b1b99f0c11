"""The bytes of one streamed Anthropic message, as pieces. Pure: no I/O.

    bytes ─▶ SseSplitter ─▶ JSON ─▶ MessageDecoder.feed ─▶ Text · Reasoning · …
                                        │      └ .finish ─▶ Finish, or UpstreamError
                                        └ .failure: what ended the answer early

    message_start             the served model, the usage of the prompt
      content_block_start ┐
      content_block_delta ├─  one block after another: thinking, text, …
      content_block_stop  ┘
    message_delta             why it ended, the usage of the whole (cumulative: the last one counts)
    message_stop              only this makes an answer whole

    (types of the vendor's Python SDK 2.14.0, November 2026)

It believes little: every field may be null, absent or of another type. A `ping`, and events, blocks
and deltas that nobody here has heard of are passed over, as the vendor asks of its clients (API
docs, "Versions", November 2026: new kinds of events come without notice). A call is whole when its
block stops. So is thinking: its Seal follows then, where tools may want it back. What the vendor's
own tools do is passed over; that there was something is noticed, so the answer does not count as
empty.
"""

from __future__ import annotations

from uuid import uuid4

import msgspec

from ..domain import Finish, Piece, Reasoning, Text, ToolCall, Usage
from ..errors import UpstreamError
from .anthropic_events import DELTA, Block, Part, StreamEvent, Whole, decoder, template_of
from .anthropic_seals import redacted, signed
from .exchange import empty, garbage, leniently
from .frames import Frame, SseSplitter, alike, each_row, named
from .gather import Gatherer, count
from .refusal import read_refusal
from .template import VAIN_TEMPLATES, Template
from .wire import Endpoint, truncated

_DELTA_START = named(DELTA)

# The vendor's stop reasons (SDK 2.14.0, November 2026) in the words that callers know from every
# other vendor. "length" is what may be continued: a limit was reached, of the answer or of the
# window, or the vendor paused a turn and says itself that it goes on when asked again. A refusal
# keeps its name, and so does whatever is new.
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
}
_EVENTS = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "message",  # one body instead of a stream, and the default name of any event
        "error",
    }
)

_COUNTS = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
)


class MessageDecoder:
    """Turns the bytes of one answer into pieces. After a call, `failure` may hold the error that
    ends the answer: what came before it is in the pieces returned by that call."""

    takes_events = True
    grace_s = 0.0  # nothing comes after message_stop
    __slots__ = (
        "_bound",
        "_done",
        "_endpoint",
        "_gathered",
        "_ids",
        "_may_be_empty",
        "_model",
        "_open",
        "_reason",
        "_sse",
        "_template",
        "_usage",
        "_vain",
        "failure",
        "finished",
    )

    def __init__(self, endpoint: Endpoint, may_be_empty: bool = False, bound: str = "") -> None:
        """`bound` is what the thinking is tied to; "": nobody will want it back."""
        self.failure: UpstreamError | None = None
        self.finished = False
        self._endpoint = endpoint
        self._may_be_empty = may_be_empty
        self._sse = SseSplitter()
        self._gathered = Gatherer()
        self._reason: str | None = None
        self._usage: dict[str, object] = {}
        self._model: str | None = None
        self._bound = bound
        self._open: dict[int, Block] = {}
        self._ids: set[str] = set()
        self._done: list[Piece] = []
        # Of the event that was read last, if it was a text: of one like it, only the text is news.
        self._template: Template | None = None
        self._vain = 0

    @property
    def working(self) -> int:
        """Pieces of arguments that are waiting for their call."""
        return sum(len(block.arguments) for block in self._open.values())

    @property
    def over(self) -> bool:
        """Nothing that still comes can matter."""
        return self.finished or self.failure is not None

    def reported(self) -> Usage | None:
        """What the vendor has said so far of the tokens."""
        return _usage(self._usage)

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces in the next bytes of an event stream."""
        try:
            if not (self._read_alike(data) or self._read_deltas(data)):
                self._take_all(self._sse.feed(data))
        except UpstreamError as error:
            self.failure = error
        return self._handed_out()

    def whole(self, body: bytes) -> list[Piece]:
        """The pieces of an answer, or the error, that came as one JSON body."""
        try:
            self._read_whole(body)
        except UpstreamError as error:
            self.failure = error
        return self._handed_out()

    def close(self) -> list[Piece]:
        """The pieces that were still waiting when the stream ended."""
        try:
            self._take_all([] if self.over else self._sse.close())
        except UpstreamError as error:
            if error.code != "upstream_garbage":  # half an event: the stream was cut
                self.failure = error
        return self._handed_out(last=True)

    def finish(self) -> Finish:
        """The Finish of a whole answer. Raises UpstreamError for any other."""
        if self.failure is not None:
            raise self.failure
        if self._reason is None or not self.finished:
            raise truncated(self._endpoint.who)
        reason = _REASONS.get(self._reason, self._reason)
        if reason == "stop" and not (self._gathered.spoke or self._may_be_empty):
            raise empty(self._endpoint.who)
        return Finish(reason, _usage(self._usage), self._model)

    def _handed_out(self, last: bool = False) -> list[Piece]:
        pieces, self._done = self._done, []
        return pieces + self._gathered.handed_out(last)

    def _put(self, piece: Piece) -> None:
        """Behind everything that was said before it."""
        self._done += self._gathered.handed_out(last=True)
        self._done.append(piece)

    def _read_alike(self, data: bytes) -> bool:
        """Read whole events that are like the last one but for their text. False for any others:
        nothing of them was read then."""
        template = self._template
        if template is None or (texts := template.texts(data)) is None:
            return False
        if self.over or not self._sse.at_event(data):
            return False
        self._vain = 0
        self._gathered.more(texts)
        return True

    def _read_deltas(self, data: bytes) -> bool:
        """Read whole events that are all deltas, once none was like another for long. False for
        any others: nothing of them was read then."""
        if self._vain < VAIN_TEMPLATES or self.over or not self._sse.at_event(data):
            return False
        rows = alike(data, _DELTA_START)
        events = each_row(decoder, rows) if rows else None
        if events is None or [event for event in events if event.type != DELTA]:
            return False
        for event in events:
            self._take_block(event)
        return True

    def _take_all(self, frames: list[Frame]) -> None:
        self._template = None
        for frame in frames:
            if not self.finished:
                self._take(frame)
        if frames and self._vain < VAIN_TEMPLATES:
            self._template = template_of(frames[-1])
            self._vain += self._template is not None

    def _take(self, frame: Frame) -> None:
        data = frame.data.strip()
        if frame.event == "error":
            raise self._complained(data)
        if frame.event == "ping" or data in (b"", b"[DONE]"):
            return
        event = self._event(frame.event, data)
        if event is None:
            return
        match event.type or frame.event:
            case "content_block_delta" | "content_block_start" | "content_block_stop":
                self._take_block(event)
            case "message_delta":
                self._note(event.usage)
                self._stop(event.delta.stop_reason if event.delta else None)
            case "message_start" if event.message:
                self._note(event.message.usage)
                self._serve(event.message.model)
            case "message_stop":
                self.finished = True
            case _ if event.type == "error" or event.error:
                raise self._complained(data)

    def _read_whole(self, body: bytes) -> None:
        try:
            said = msgspec.convert(leniently(body), Whole)
        except (ValueError, RecursionError):
            said = Whole()
        if said.content is None or not isinstance(said.stop_reason, str):
            raise self._complained(body)
        for part in said.content:
            self._begin(part, 0)
            self._end(0)
        self._note(said.usage)
        self._serve(said.model)
        self._stop(said.stop_reason)
        self.finished = True

    def _complained(self, data: bytes) -> UpstreamError:
        return self._endpoint.explain(read_refusal(data, None, self._endpoint.secret))

    def _take_block(self, event: StreamEvent) -> None:
        index = event.index if isinstance(event.index, int) else 0
        if event.content_block:
            self._begin(event.content_block, index)
        elif event.delta:
            self._say(event.delta)
            if block := self._open.get(index):
                block.take(event.delta)
        else:
            self._end(index)

    def _say(self, part: Part) -> None:
        match part.type:
            case "text_delta" | "text":
                self._gathered.add(Text, part.text)
            case "thinking_delta" | "thinking":
                self._gathered.add(Reasoning, part.thinking)

    def _begin(self, part: Part, index: int) -> None:
        self._say(part)
        match part.type:
            case "tool_use" | "server_tool_use":
                self._may_be_empty = True
        self._open[index] = block = Block(part)
        block.take(part)

    def _end(self, index: int) -> None:
        """A block is whole."""
        block = self._open.pop(index, None)
        if block is None:
            return
        match block.part:
            case Part(type="tool_use", name=name) if _plain(name):
                self._put(ToolCall(self._own(block.part.id), name, block.written()))
            case Part(type="thinking") if self._bound and _plain(block.signature):
                self._put(signed(self._bound, block.chars, block.signature))
            case Part(type="redacted_thinking", data=data) if self._bound and _plain(data):
                self._put(redacted(self._bound, data))

    def _own(self, call_id: object) -> str:
        """The id of a call: the vendor's, if it is one and its own."""
        own = str(call_id)
        if not _plain(call_id) or own in self._ids:
            own = f"call_{uuid4().hex}"
        self._ids.add(own)
        return own

    def _note(self, usage: object) -> None:
        """Later figures replace earlier ones, field by field; not every report has them all."""
        if isinstance(usage, dict):
            self._usage |= {name: usage[name] for name in _COUNTS if usage.get(name) is not None}

    def _serve(self, model: object) -> None:
        if isinstance(model, str) and model:
            self._model = model

    def _stop(self, reason: object) -> None:
        if isinstance(reason, str) and reason:
            self._reason = reason

    def _event(self, name: str, data: bytes) -> StreamEvent | None:
        """Strictly first, because that is fast; then leniently. None for an event of a kind that
        is not known, whatever it holds."""
        try:
            return decoder.decode(data)
        except (ValueError, RecursionError):
            pass
        try:
            lenient = leniently(data)
            if not name and isinstance(lenient, dict):
                name = str(lenient.get("type") or "")
            return msgspec.convert(lenient, StreamEvent)
        except (ValueError, RecursionError) as error:
            if name and name not in _EVENTS:
                return None
            raise garbage(self._endpoint.who, "an event that is not what it should be") from error


def _plain(word: object) -> bool:
    """Whether this is a word that the vendor could have meant: none of its own holds more."""
    return isinstance(word, str) and word.isascii() and word.isprintable() and word != ""


def _usage(said: dict[str, object]) -> Usage | None:
    """All input is what was new, what was written to the cache and what was read from it
    (SDK 2.14.0); the output includes the thinking."""
    if not said:
        return None
    cached = count(said, "cache_read_input_tokens")
    fresh = count(said, "input_tokens") + count(said, "cache_creation_input_tokens")
    output = count(said, "output_tokens")
    thought = count(said, "output_tokens_details", "thinking_tokens")
    return Usage(fresh + cached, cached, output, min(thought, output))
