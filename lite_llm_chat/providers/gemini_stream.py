"""The bytes of one `streamGenerateContent?alt=sse`, as pieces. Pure: no I/O.

    bytes ─▶ SseSplitter ─▶ GenerateContentResponse ─▶ Text · Reasoning · ToolCall · Seal …
                 │                     └ finishReason, usageMetadata, modelVersion ─▶ Finish
                 └ bare lines: an error in the middle ─▶ UpstreamError

Facts, each with its source: SDK is google-genai 3.6.1 (November 2026), seen is what clients
reported of the live API.

    SDK   events are plain `data:` lines with CRLF, without names and without an end mark: the
          body ends after a chunk with a finishReason
    SDK   a part is `{text}`, a thought `{text, thought: true}` or a whole `{functionCall: {id,
          name, args}}`; a `thoughtSignature` may stand beside any of them or beside an empty text,
          and says nothing to a reader
    docs  every functionCall has an id since Gemini 3; an answer that calls ends with STOP
    SDK   promptFeedback.blockReason comes in the first chunk when there are no candidates
    SDK   usage is cumulative; thoughts are not part of candidatesTokenCount
    seen  an error in the middle comes as JSON over several lines without `data:`, even after a
          chunk with finishReason STOP whose answer was cut (vercel/ai 5217, March 2025;
          theopenco/llmgateway 3616, August 2026)

It believes little, as chat_stream.py does. A signature becomes a Seal right behind what it came
with, to be sent back (gemini_contents.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from ..domain import Finish, Piece, Reasoning, Text, Usage
from ..errors import UpstreamError
from .exchange import empty, garbage, gave_up, leniently
from .frames import Frame, SseSplitter, each_row
from .gather import Gatherer, count
from .gemini_contents import Signed, seal
from .object_calls import Calls
from .refusal import presentable, read_refusal, refusal
from .wire import MAX_ERROR_BYTES, Endpoint, truncated

# finishReason (SDK types.FinishReason) in the words that callers know. Text that came before any
# of these is kept.
_LIMIT = frozenset({"MAX_TOKENS", "CONTINUATION"})  # the latter: the cap of one request, Gemini 4
_FILTERED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
    }
)
# The vendor or its model gave up: a fault with the text so far kept, which a retry may mend.
_GAVE_UP = frozenset(
    {
        "OTHER",
        "MALFORMED_RESPONSE",
        "NO_IMAGE",
        "IMAGE_OTHER",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
    }
)
# The same, of a call: what happened, and the mend.
_MISCALLED = {
    "MALFORMED_FUNCTION_CALL": "wrote a call of a function that cannot be read: retry it",
    "UNEXPECTED_TOOL_CALL": "called a function that it was not offered: retry it, or offer that"
    " function in tools",
    "TOO_MANY_TOOL_CALLS": "called too many functions for one answer: retry it, or ask for less at"
    " once",
    "MISSING_THOUGHT_SIGNATURE": "misses the signature of an earlier call: start a new session, or"
    " choose another model",
}
_UNSET = frozenset({"", "FINISH_REASON_UNSPECIFIED"})
_SIGNATURE = re.compile(r"[\w+/=-]+", re.ASCII)  # base64, of either alphabet
_GRACE_S = 1.0  # after the finishReason: how long the end of the body, or an error, may take


class _Part(msgspec.Struct, gc=False, rename="camel"):
    text: Any = None
    thought: Any = None
    function_call: Any = None
    thought_signature: Any = None


class _Content(msgspec.Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, gc=False, rename="camel"):
    index: Any = 0
    content: _Content | None = None
    finish_reason: Any = None


class _Counted(msgspec.Struct, gc=False, rename="camel"):
    """What is wanted of usageMetadata, which comes with every chunk."""

    prompt_token_count: Any = None
    tool_use_prompt_token_count: Any = None
    cached_content_token_count: Any = None
    candidates_token_count: Any = None
    thoughts_token_count: Any = None

    def after(self, before: _Counted) -> _Counted:
        """These figures, and where there is none of a kind, the one before. Written out, because
        it is done for every chunk."""
        if self.prompt_token_count is None:
            self.prompt_token_count = before.prompt_token_count
        if self.tool_use_prompt_token_count is None:
            self.tool_use_prompt_token_count = before.tool_use_prompt_token_count
        if self.cached_content_token_count is None:
            self.cached_content_token_count = before.cached_content_token_count
        if self.candidates_token_count is None:
            self.candidates_token_count = before.candidates_token_count
        if self.thoughts_token_count is None:
            self.thoughts_token_count = before.thoughts_token_count
        return self


class _Chunk(msgspec.Struct, gc=False, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: Any = None
    usage_metadata: _Counted | None = None
    model_version: Any = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Chunk)


class GeminiDecoder:
    """Turns the bytes of one answer into pieces. After a call, `failure` may hold the error that
    ends the answer: what came before it is in the pieces returned by that call. `seed` tells the
    request from others, for the ids of calls that have none."""

    takes_events = True
    grace_s = _GRACE_S
    __slots__ = (
        "_calls",
        "_endpoint",
        "_may_be_empty",
        "_model",
        "_ready",
        "_reason",
        "_said",
        "_sse",
        "_usage",
        "_whole",
        "failure",
        "finished",
    )

    def __init__(self, endpoint: Endpoint, may_be_empty: bool = False, seed: str = "") -> None:
        self.failure: UpstreamError | None = None
        self.finished = False
        self._endpoint = endpoint
        self._may_be_empty = may_be_empty
        self._sse = SseSplitter(keep_bare=True)
        self._said = Gatherer()
        self._calls = Calls(endpoint.who, seed)
        self._ready: list[Piece] = []  # what came before the text that is being gathered
        self._whole = False
        self._reason: str | None = None
        self._usage: _Counted | None = None
        self._model: str | None = None

    @property
    def working(self) -> int:
        """Nothing: each part comes whole."""
        return 0

    @property
    def over(self) -> bool:
        """Nothing that still comes can matter. Only the end of the body ends a good answer: an
        error may follow its finishReason."""
        return self._whole or self.failure is not None

    def reported(self) -> Usage | None:
        """What the vendor has said so far of the tokens."""
        return _bill(self._usage)

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces in the next bytes of an event stream."""
        before = len(self._sse.bare)
        try:
            new = self._sse.rows(data)
            if not isinstance(new, bytes):
                self._take_all(new)
            elif (chunks := each_row(_decoder, new)) is not None:
                for chunk in chunks:
                    self._read(chunk)
            else:
                self._take_all(map(Frame, new.split(b"\n")))
            if len(self._sse.bare) > before:
                self._take_bare()
        except UpstreamError as error:
            self.failure = error
        return self._handed_out()

    def whole(self, body: bytes) -> list[Piece]:
        """The pieces of an answer, or the error, that came as one JSON body: one response, or a
        list of them as without `alt=sse`."""
        try:
            for chunk in self._chunks(body):
                self._read(chunk)
            if self._reason is None and not (self._said.spoke or self._calls.made):
                raise self._endpoint.explain(read_refusal(body, None, self._endpoint.secret))
        except UpstreamError as error:
            self.failure = error
        self._whole = True
        return self._handed_out()

    def close(self) -> list[Piece]:
        """The pieces that were still waiting when the stream ended. JSON without a field's name
        that never became whole is the start of an error."""
        try:
            if not self.over:
                self._take_all(self._sse.close())
                if self._sse.bare.strip():  # blanks are no error, but padding
                    raise self._broke_in(bytes(self._sse.bare))
        except UpstreamError as error:
            if error.code != "upstream_garbage":  # half an event: the stream was cut
                self.failure = error
        return self._handed_out(last=True)

    def finish(self) -> Finish:
        """The Finish of a whole answer. Raises UpstreamError for any other."""
        who, reason = self._endpoint.who, self._reason
        if self.failure is not None:
            raise self.failure
        if reason is None:
            raise truncated(who)
        if reason in _GAVE_UP:
            raise gave_up(who, reason)
        if reason in _MISCALLED:
            raise _miscalled(who, reason)
        nothing = not (self._said.spoke or self._calls.made or self._may_be_empty)
        if reason == "STOP" and nothing:
            raise empty(who)
        if reason == "STOP" and self._calls.made:
            reason = "TOOL_CALLS"
        return Finish(_known(reason), _bill(self._usage), self._model)

    def _handed_out(self, last: bool = False) -> list[Piece]:
        ready, self._ready = self._ready, []
        return ready + self._said.handed_out(last)

    def _put(self, piece: Piece) -> None:
        """A piece that is whole, behind all that was said."""
        self._ready += self._said.handed_out(last=True)
        self._ready.append(piece)

    def _take_all(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            data = frame.data.strip()
            for chunk in self._chunks(data) if data else ():
                self._read(chunk)

    def _take_bare(self) -> None:
        """The error that the bare lines are, once they are whole."""
        bare = bytes(self._sse.bare)
        try:
            json.loads(bare)
        except (ValueError, RecursionError):
            if len(bare) > MAX_ERROR_BYTES:
                raise garbage(self._endpoint.who, "lines that are no events") from None
            return
        raise self._broke_in(bare)

    def _broke_in(self, bare: bytes) -> UpstreamError:
        return self._endpoint.explain(read_refusal(bare, None, self._endpoint.secret))

    def _read(self, chunk: _Chunk) -> None:
        if chunk.error:
            given = {"error": chunk.error}
            raise self._endpoint.explain(refusal(given, None, self._endpoint.secret))
        if counted := chunk.usage_metadata:
            self._usage = counted.after(self._usage) if self._usage else counted
        if isinstance(chunk.model_version, str) and chunk.model_version:
            self._model = chunk.model_version
        if not chunk.candidates:
            self._look_for_block(chunk.prompt_feedback)
        for candidate in chunk.candidates or ():
            if candidate.index in (0, None):
                self._choose(candidate)

    def _choose(self, candidate: _Candidate) -> None:
        for part in (candidate.content and candidate.content.parts) or ():
            self._part(part)
        reason = candidate.finish_reason
        if isinstance(reason, str) and reason not in _UNSET:
            self._reason = reason
            self.finished = True

    def _part(self, part: _Part) -> None:
        """A call is whole; text may go on in the next part. Its signature comes behind it."""
        called = part.function_call
        if isinstance(called, dict) and called:
            call = self._calls.read(called.get("id"), called.get("name"), called.get("args"))
            self._put(call)
        else:
            self._said.add(Reasoning if part.thought is True else Text, part.text)
        signature = part.thought_signature
        if isinstance(signature, str) and _SIGNATURE.fullmatch(signature):
            characters = len(part.text) if isinstance(part.text, str) else 0
            spoken: Signed = "thought" if part.thought is True else "text"
            self._put(seal("call" if called else spoken, characters, signature))

    def _look_for_block(self, feedback: object) -> None:
        """Raises UpstreamError if the vendor's filter refused the prompt itself."""
        reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
        if not isinstance(reason, str) or not reason:
            return
        named = presentable(reason, self._endpoint.secret)
        raise UpstreamError(
            f"{self._endpoint.who} refused the question by its own filter ({named}): say it"
            " differently or start a new session",
            code="provider_blocked",
        )

    def _chunks(self, data: bytes) -> list[_Chunk]:
        """The responses in some JSON: one, or a list of them. Strictly first, because that is
        fast; then leniently."""
        try:
            return [_decoder.decode(data)]
        except (ValueError, RecursionError):
            pass
        try:
            value = leniently(data)
            rows = value if isinstance(value, list) else [value]
            return [msgspec.convert(_billed(row), _Chunk) for row in rows]
        except (ValueError, RecursionError) as error:
            what = "an event that is not what it should be"
            raise garbage(self._endpoint.who, what) from error


def _billed(row: Any) -> Any:
    """A response without a usageMetadata that is none."""
    if isinstance(row, dict) and not isinstance(row.get("usageMetadata"), dict):
        return {name: row[name] for name in row if name != "usageMetadata"}
    return row


def _miscalled(who: str, reason: str) -> UpstreamError:
    return UpstreamError(
        f"{who} {_MISCALLED[reason]} ({reason})",
        code="upstream_gave_up",
        status=503,
        retryable=reason != "MISSING_THOUGHT_SIGNATURE",
    )


def _known(reason: str) -> str:
    """The finishReason in the words of the other vendors; one that is new keeps its own."""
    if reason in _LIMIT:
        return "length"
    return "content_filter" if reason in _FILTERED else reason.lower()


def _bill(said: _Counted | None) -> Usage | None:
    if said is None or said == _Counted():
        return None
    thoughts, prompt = count(said.thoughts_token_count), count(said.prompt_token_count)
    return Usage(
        input=prompt + count(said.tool_use_prompt_token_count),
        cached=min(count(said.cached_content_token_count), prompt),
        output=count(said.candidates_token_count) + thoughts,
        reasoning=thoughts,
    )
