"""The bytes of one answer of Ollama's `/api/chat`, as pieces. Pure: no I/O.

    bytes ─▶ lines ─▶ JSON ─▶ OllamaDecoder.feed ─▶ Text · Reasoning · ToolCall …
                                  │      └ .finish ─▶ Finish, or UpstreamError
                                  └ .failure: what ended the answer early

One JSON object a line (`application/x-ndjson`); the last one has `done`, why it ended and what it
cost. An error is a line with `error` and nothing else, also under status 200 (Ollama's docs,
October 2026: streaming, errors). It believes little: every field may be null, absent or of
another type, and only `done` makes an answer whole.

A call comes whole, with its arguments as an object, in versions before 2026 without an id; an
answer that calls ends with `stop` (seen).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..domain import Finish, Piece, Reasoning, Text, Usage
from ..errors import UpstreamError
from .exchange import empty, garbage, leniently, too_large
from .frames import MAX_EVENT_BYTES, each_row
from .gather import Gatherer, count
from .object_calls import Calls
from .refusal import refusal
from .wire import Endpoint, truncated

_DONE = "stop"  # what an Ollama before 0.3 (July 2024) means, which gives no reason
# Of a request that only moved a model (docs/api.md, October 2026): no answer was made.
_NO_ANSWER = frozenset({"load", "unload"})


class _Message(msgspec.Struct, gc=False):
    content: Any = None
    thinking: Any = None
    tool_calls: Any = None


class _Line(msgspec.Struct, gc=False):
    message: _Message | None = None
    done: Any = None
    done_reason: Any = None
    error: Any = None
    model: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None


_decoder = msgspec.json.Decoder(_Line)


class OllamaDecoder:
    """Turns the bytes of one answer into pieces, as exchange.Decoder says. Lines end at LF,
    whatever the reads are; blank ones are passed over. `may_be_empty` allows an answer without
    any text, as the continuation of a text may be; `seed` tells the request from others, for the
    ids of calls that have none."""

    takes_events = False
    grace_s = 0.0  # the line that says `done` has everything
    __slots__ = (
        "_calls",
        "_endpoint",
        "_gathered",
        "_held",
        "_held_bytes",
        "_may_be_empty",
        "_model",
        "_ready",
        "_reason",
        "_usage",
        "failure",
        "finished",
    )

    def __init__(self, endpoint: Endpoint, may_be_empty: bool = False, seed: str = "") -> None:
        self.failure: UpstreamError | None = None
        self.finished = False
        self._endpoint = endpoint
        self._may_be_empty = may_be_empty
        self._gathered = Gatherer()
        self._held: list[bytes] = []  # the line that has not ended yet
        self._held_bytes = 0
        self._calls = Calls(endpoint.who, seed)
        self._ready: list[Piece] = []  # what came before the text that is being gathered
        self._reason: str | None = None
        self._usage: Usage | None = None
        self._model: str | None = None

    @property
    def working(self) -> int:
        """Nothing: each part comes whole."""
        return 0

    @property
    def over(self) -> bool:
        """Nothing that still comes can matter."""
        return self.finished or self.failure is not None

    def reported(self) -> Usage | None:
        """What the vendor has said so far of the tokens."""
        return self._usage

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces in the next bytes of the stream."""
        try:
            rows = self._rows(data)
            lines = each_row(_decoder, rows) if rows else []
            for line in map(self._line, rows.split(b"\n")) if lines is None else lines:
                if line is not None and not self.finished:
                    self._read(line)
        except UpstreamError as error:
            self.failure = error
        return self._handed_out()

    def whole(self, body: bytes) -> list[Piece]:
        """The pieces of an answer that came as one JSON body: a stream of one line."""
        return self.feed(body + b"\n")

    def close(self) -> list[Piece]:
        """The pieces of a last line without its end, and half a character that waits for the
        other half. Half an object is no rubbish, but the mark of a cut."""
        rest = b"" if self.over else b"".join(self._held)
        pieces = self.feed(b"\n") if rest else []
        garbled = self.failure is not None and self.failure.code == "upstream_garbage"
        if garbled and rest.lstrip().startswith(b"{"):
            self.failure = truncated(self._endpoint.who)
        return [*pieces, *self._handed_out(last=True)]

    def finish(self) -> Finish:
        """The Finish of a whole answer. Raises UpstreamError for any other."""
        if self.failure is not None:
            raise self.failure
        if self._reason is None:
            raise truncated(self._endpoint.who)
        if self._reason in _NO_ANSWER or (self._reason == "stop" and not self._answered):
            raise empty(self._endpoint.who)
        calls = self._reason == "stop" and self._calls.made
        return Finish("tool_calls" if calls else self._reason, self._usage, self._model)

    def _handed_out(self, last: bool = False) -> list[Piece]:
        ready, self._ready = self._ready, []
        return ready + self._gathered.handed_out(last)

    @property
    def _answered(self) -> bool:
        return self._gathered.spoke or self._calls.made > 0 or self._may_be_empty

    def _rows(self, data: bytes) -> bytes:
        """The whole lines that `data` completes, without the last line end; the rest is held."""
        cut = data.rfind(b"\n")
        rest = data[cut + 1 :]
        rows = b""
        if cut >= 0:
            rows = b"".join((*self._held, data[:cut]))
            self._held.clear()
            self._held_bytes = 0
        if rest:
            self._held.append(rest)
            self._held_bytes += len(rest)
        if max(self._held_bytes, len(rows)) > MAX_EVENT_BYTES:
            raise too_large(self._endpoint.who)
        return rows

    def _read(self, line: _Line) -> None:
        if line.error:
            raise self._endpoint.explain(refusal(line.error, None, self._endpoint.secret))
        if message := line.message:
            self._gathered.add(Reasoning, message.thinking)
            self._gathered.add(Text, message.content)
            if isinstance(message.tool_calls, list):
                self._call(message.tool_calls)
        if isinstance(line.model, str) and line.model:
            self._model = line.model
        if line.done is True:
            given = isinstance(line.done_reason, str) and line.done_reason
            self._reason = line.done_reason if given else _DONE
            self.finished = True
            self._usage = _usage(line)

    def _call(self, calls: list[Any]) -> None:
        """Calls, behind all that was said."""
        for call in calls:
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                read = self._calls.read(
                    call.get("id"), function.get("name"), function.get("arguments")
                )
                self._ready += self._gathered.handed_out(last=True)
                self._ready.append(read)

    def _line(self, row: bytes) -> _Line | None:
        """Strictly first, because that is fast; then leniently."""
        row = row.strip()
        if not row:
            return None
        try:
            return _decoder.decode(row)
        except (ValueError, RecursionError):
            pass
        try:
            return msgspec.convert(leniently(row), _Line)
        except (ValueError, RecursionError) as error:
            raise garbage(
                self._endpoint.who, "a line that is not what it should be: check OLLAMA_BASE_URL"
            ) from error


def _usage(line: _Line) -> Usage | None:
    """The counts of the last line. A prompt that was all in the cache has none (docs, October
    2026): 0. None if there is no count at all."""
    if line.prompt_eval_count is None and line.eval_count is None:
        return None
    return Usage(input=count(line.prompt_eval_count), output=count(line.eval_count))
