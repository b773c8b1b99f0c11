"""The bytes of one streamed OpenAI response, as pieces. Pure: no I/O.

    bytes ─▶ SseSplitter ─▶ JSON ─▶ ResponseDecoder.feed ─▶ Text · Reasoning · ToolCall · Seal · …
                                        │      └ .finish ─▶ Finish, or UpstreamError
                                        └ .failure: what ended the answer early

    response.created · .in_progress      nothing that matters
      response.output_item.added    ┐
      response.….delta · .done      ├─   one item after another: reasoning, message, function_call
      response.output_item.done     ┘      only here is an item whole: a call, or a seal
    response.completed · .incomplete · .failed      the end, the usage, once more the whole output

    (types of the vendor's Python SDK 3.54.0, November 2026)

It believes little: every field may be null, absent or of another type, and kinds of events and
items that nobody here has heard of are passed over. What was not said by deltas is taken from the
`done` events, and what these left out from the whole output at the end; nothing is said twice. The
items themselves are read in responses_items.py.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..domain import Finish, Piece, Reasoning, Text, Usage
from ..errors import UpstreamError
from .exchange import empty, garbage, gave_up, leniently, too_large
from .frames import MAX_EVENT_BYTES, Frame, SseSplitter, alike, each_row, named
from .gather import Gatherer
from .refusal import read_refusal, refusal
from .responses_items import PARTS, Items, Place, number, response_usage, texts_of
from .wire import Endpoint, truncated

_MOST_PARTS = 100_000  # of an answer; more is none
# Why a response is incomplete (SDK 3.54.0), in the words that callers know; others stay.
_REASONS = {"max_output_tokens": "length"}
_ENDS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",  # of a whole body: its status
}
_EVENTS = frozenset(
    {
        *(f"response.{kind}.{what}" for kind in PARTS for what in ("delta", "done")),
        "response.output_item.added",
        "response.output_item.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        *_ENDS,
        "error",
        "message",  # the default name of any event
    }
)
_DELTAS = {f"response.{kind}.delta": (kind, piece) for kind, piece in PARTS.items()}
_TEXT = "response.output_text.delta"  # what most events are
_TEXT_START = named(_TEXT)
_DONE = {f"response.{kind}.done": kind for kind in PARTS}


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    delta: Any = None
    output_index: Any = None
    content_index: Any = None
    summary_index: Any = None
    text: Any = None
    refusal: Any = None
    arguments: Any = None
    item: Any = None
    response: Any = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Event)


class ResponseDecoder:
    """Turns the bytes of one answer into pieces. After a call, `failure` may hold the error that
    ends the answer: what came before it is in the pieces returned by that call. `maker` marks its
    seals."""

    takes_events = True
    grace_s = 0.0  # nothing comes after the last event
    __slots__ = (
        "_at",
        "_endpoint",
        "_gathered",
        "_heard",
        "_items",
        "_may_be_empty",
        "_model",
        "_reason",
        "_refused",
        "_sse",
        "_status",
        "_usage",
        "failure",
        "finished",
    )

    def __init__(
        self, endpoint: Endpoint, may_be_empty: bool = False, maker: str = "responses"
    ) -> None:
        self.failure: UpstreamError | None = None
        self.finished = False
        self._endpoint = endpoint
        self._may_be_empty = may_be_empty
        self._sse = SseSplitter()
        self._gathered = Gatherer()
        self._items = Items(maker)
        self._at: tuple[Any, ...] = ()  # the part that is being said: kind, item, part
        self._heard: set[Place] = set()  # parts that were said, their items, their kinds
        self._refused = False
        self._status: str | None = None
        self._reason: object = None
        self._usage: object = None
        self._model: str | None = None

    @property
    def working(self) -> int:
        """Characters of items so far."""
        return self._items.size

    @property
    def over(self) -> bool:
        """Nothing that still comes can matter."""
        return self.finished or self.failure is not None

    def reported(self) -> Usage | None:
        """What the vendor has said so far of the tokens."""
        return response_usage(self._usage)

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces in the next bytes of an event stream."""
        try:
            if not self._read_texts(data):
                self._take_all(self._sse.feed(data))
        except UpstreamError as error:
            self.failure = error
        return self._gathered.handed_out()

    def whole(self, body: bytes) -> list[Piece]:
        """The pieces of an answer, or the error, that came as one JSON body."""
        try:
            try:
                said = leniently(body)
            except (ValueError, RecursionError):
                said = None
            status = said.get("status") if isinstance(said, dict) else None
            if f"response.{status}" not in _ENDS:
                raise self._complained(body)
            self._end(str(status), said)
        except UpstreamError as error:
            self.failure = error
        return self._gathered.handed_out()

    def close(self) -> list[Piece]:
        """The pieces that were still waiting when the stream ended."""
        try:
            self._take_all([] if self.over else self._sse.close())
        except UpstreamError as error:
            if error.code != "upstream_garbage":  # half an event: the stream was cut
                self.failure = error
        return self._gathered.handed_out(last=True)

    def finish(self) -> Finish:
        """The Finish of a whole answer. Raises UpstreamError for any other."""
        if self.failure is not None:
            raise self.failure
        if self._status is None:
            raise truncated(self._endpoint.who)
        reason = self._word()
        if reason == "stop" and not (self._gathered.spoke or self._may_be_empty):
            raise empty(self._endpoint.who)
        return Finish(reason, response_usage(self._usage), self._model)

    def _word(self) -> str:
        """Why it ended. The vendor has no word for a call or a refusal, only parts of that kind;
        a refusal is called as other vendors call it."""
        if self._status == "incomplete":
            said = self._reason if isinstance(self._reason, str) and self._reason else "incomplete"
            return _REASONS.get(said, said)
        if self._items.called:
            return "tool_calls"
        return "refusal" if self._refused else "stop"

    # ── events ────────────────────────────────────────────────────────────────────────────────

    def _read_texts(self, data: bytes) -> bool:
        """Read whole events that are all deltas of the text. False for any others: nothing of them
        was read then."""
        rows = alike(data, _TEXT_START) if self._sse.at_event(data) else None
        events = each_row(_decoder, rows) if rows and not self.finished else None
        if events is None or [event for event in events if event.type != _TEXT]:
            return False
        for event in events:
            self._say(_DELTAS[_TEXT], event)
        return True

    def _take_all(self, frames: list[Frame]) -> None:
        for frame in frames:
            if not self.finished:
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        data = frame.data.strip()
        if frame.event == "error":
            raise self._complained(data)
        if data in (b"", b"[DONE]"):
            return
        event = self._event(frame.event, data)
        if event is None:
            return
        name = event.type if isinstance(event.type, str) else frame.event
        if part := _DELTAS.get(name):
            self._say(part, event)
        elif name in _DONE:
            place = (_DONE[name], number(event.output_index), _index(event))
            self._say_whole(place, event.refusal if event.text is None else event.text)
        elif name in _ENDS:
            self._end(_ENDS[name], event.response)
        elif name == "error" or event.error:
            raise self._complained(data)
        else:
            self._work_on(name, event)

    def _work_on(self, name: str, event: _Event) -> None:
        """What builds an item, and what says that it is whole."""
        index = number(event.output_index)
        match name:
            case "response.output_item.added":
                self._items.begin(index, event.item)
            case "response.function_call_arguments.delta":
                self._items.write(index, event.delta)
            case "response.function_call_arguments.done":
                self._items.written(index, event.arguments)
            case "response.output_item.done":
                self._say_missing(index, event.item)
                self._put(self._items.end(index, event.item))
        if self._items.size > MAX_EVENT_BYTES:
            raise too_large(self._endpoint.who)

    def _say(self, part: tuple[str | int, type[Text] | type[Reasoning]], event: _Event) -> None:
        if event.delta:
            at = (part[0], event.output_index, event.content_index, event.summary_index)
            if at != self._at:
                self._at = at
                self._turn_to((part[0], number(event.output_index), _index(event)))
            self._gathered.add(part[1], event.delta)

    def _turn_to(self, place: Place) -> None:
        """A part begins, or goes on. Between two thoughts, and between the texts of two items,
        there is a blank line."""
        kind, item, _ = place
        piece = PARTS[kind]
        if place not in self._heard:
            apart = piece is Reasoning or place[:2] not in self._heard
            if apart and any(PARTS[heard[0]] is piece for heard in self._heard):
                self._gathered.add(piece, "\n\n")
        self._refused |= kind == "refusal"
        self._heard |= {place, (kind, item), (kind,)}
        if len(self._heard) > _MOST_PARTS:
            raise garbage(self._endpoint.who, "an answer of too many parts")

    def _say_whole(self, place: Place, text: object) -> None:
        """A part that came without deltas."""
        if isinstance(text, str) and text and place not in self._heard:
            self._at = ()
            self._turn_to(place)
            self._gathered.add(PARTS[place[0]], text)

    def _say_missing(self, index: int, item: object) -> None:
        """The texts of a whole item of which nothing was said."""
        for kind, texts in texts_of(item).items():
            if (kind, index) not in self._heard:
                for at, text in texts:
                    self._say_whole((kind, index, at), text)

    def _put(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            self._gathered.put(piece)

    # ── the end ───────────────────────────────────────────────────────────────────────────────

    def _end(self, status: str, response: object) -> None:
        """The last event, or the whole body. What the output holds and nobody has said is said."""
        said = response if isinstance(response, dict) else {}
        self._usage = said.get("usage")
        if isinstance(model := said.get("model"), str) and model:
            self._model = model
        output = said.get("output")
        unheard = {kind for kind in PARTS if (kind,) not in self._heard}
        for index, item in enumerate(output if isinstance(output, list) else ()):
            if unheard.intersection(texts_of(item)):
                self._say_missing(index, item)
            self._put(self._items.end(index, item))
        if status == "completed":
            self._put(self._items.rest())
        if status == "cancelled":
            raise gave_up(self._endpoint.who, status)
        if status == "failed":
            raise self._endpoint.explain(
                refusal(said.get("error") or "", None, self._endpoint.secret)
            )
        details = said.get("incomplete_details")
        self._reason = details.get("reason") if isinstance(details, dict) else None
        self._status = status
        self.finished = True

    def _complained(self, data: bytes) -> UpstreamError:
        return self._endpoint.explain(read_refusal(data, None, self._endpoint.secret))

    def _event(self, name: str, data: bytes) -> _Event | None:
        """Strictly first, because that is fast; then leniently. None for an event of a kind that
        is not known, whatever it holds."""
        try:
            return _decoder.decode(data)
        except (ValueError, RecursionError):
            pass
        try:
            lenient = leniently(data)
            return msgspec.convert(lenient, _Event)
        except (ValueError, RecursionError) as error:
            if name and name not in _EVENTS:
                return None
            raise garbage(self._endpoint.who, "an event that is not what it should be") from error


def _index(event: _Event) -> int:
    return number(event.content_index if event.summary_index is None else event.summary_index)
