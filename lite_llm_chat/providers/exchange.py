"""One answer of any dialect, streamed or whole: asked for, read to its end, given back.

    payload ──POST──▶ vendor
                        │ bytes
    pieces ◀─ Decoder ◀─┤ 200: events, or one JSON body where events were wanted
    UpstreamError ◀─────┘ any other status: Endpoint.explain of the Refusal

    fetched ──GET──▶ vendor ──▶ one JSON value, within bounds of size and time

What is the same in every dialect stands here: blank lines before the answer, a web page in its
place, one body instead of a stream, a rest between two readings, what may still come after the
end, and that the connection is closed or kept. What the bytes say is the Decoder's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from ..domain import Finish, Piece, Usage, Working
from ..errors import UpstreamError
from .frames import MAX_EVENT_BYTES
from .refusal import read_refusal
from .wire import Endpoint, Reply, Wire

FETCH_S = 20.0  # for a whole document
_MAX_NAME_CHARS = 200


class Decoder(Protocol):
    """The bytes of one answer into pieces; no I/O. After a call, `failure` may hold the error
    that ends the answer: what came before it is in the pieces returned by that call."""

    takes_events: bool  # False: a stream of JSON itself, so a leading brace is nothing odd
    failure: UpstreamError | None
    finished: bool  # the vendor has said that the answer is over; usage may still come

    @property
    def over(self) -> bool:
        """Nothing that still comes can matter."""

    @property
    def working(self) -> int:
        """A number that changes while something comes that is a piece only once it is whole."""

    def reported(self) -> Usage | None:
        """What the vendor has said so far of the tokens."""

    @property
    def grace_s(self) -> float:
        """How long after `finished` more is worth waiting for."""

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces in the next bytes."""

    def whole(self, body: bytes) -> list[Piece]:
        """The pieces of an answer, or the error, that came as one JSON body."""

    def close(self) -> list[Piece]:
        """The pieces that were still waiting when the stream ended."""

    def finish(self) -> Finish:
        """The Finish of a whole answer. Raises UpstreamError for any other."""


def garbage(who: str, what: str) -> UpstreamError:
    """The error of a vendor that sent something else than its dialect."""
    return UpstreamError(f"{who} sent {what}", code="upstream_garbage", retryable=True)


def too_large(who: str) -> UpstreamError:
    """The error of something that has to be whole to be read, and is too long for that. It would
    be so again."""
    what = f"{who} sent more than {MAX_EVENT_BYTES} bytes in one piece"
    return UpstreamError(what, code="upstream_garbage")


def empty(who: str) -> UpstreamError:
    """The error of an answer that ended well, but said nothing."""
    return UpstreamError(
        f"{who} ended without saying anything: retry it", code="empty_answer", retryable=True
    )


def gave_up(who: str, reason: str) -> UpstreamError:
    """The error of an answer whose end says that the vendor could not finish it."""
    return UpstreamError(
        f"{who} gave up in the middle of the answer ({reason}): retry or continue it",
        code="upstream_gave_up",
        status=503,
        retryable=True,
    )


def leniently(data: bytes) -> Any:
    """JSON as a lenient reader takes it: lone surrogate escapes, broken UTF-8 and raw control
    characters are mended later, they are no reason to lose an answer. Raises ValueError,
    RecursionError."""
    return json.loads(data.decode("utf-8", "replace"), strict=False)


class _Signs:
    """What is yielded beside the pieces: where the tokens can be asked for, once, and a sign of
    life while nothing is whole."""

    __slots__ = ("_decoder", "_told", "_worked")

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._told = False
        self._worked = 0

    def beside(self, pieces: list[Piece]) -> list[Piece]:
        """The pieces of one reading, with the signs."""
        if pieces:
            if self._told:
                return pieces
            self._told = True
            return [*pieces, Working(self._decoder.reported)]
        if self._decoder.working == self._worked:
            return []
        self._worked = self._decoder.working
        return [Working()]


async def exchange(
    wire: Wire, endpoint: Endpoint, payload: Mapping[str, object], decoder: Decoder
) -> AsyncGenerator[Piece, None]:
    """Ask and yield the pieces; Finish exactly once and last. Raises UpstreamError."""
    reply = await wire.post(endpoint, msgspec.json.encode(payload))
    del payload  # a conversation may be long, and its answer take an hour
    try:
        data = await _first(endpoint, reply)
        deadline_s: float | None = None
        signs = _Signs(decoder)
        if decoder.takes_events and data[:1] in (b"{", b"["):
            for piece in decoder.whole(await _body(endpoint.who, reply, data)):
                yield piece
            data = b""
        while data:
            pieces = decoder.feed(data)
            data = b""  # its memory is needed elsewhere until more comes
            for piece in signs.beside(pieces):
                yield piece
            if decoder.over:
                break
            if not decoder.finished:
                data = await (reply.more() if pieces else reply.read())
                continue
            if deadline_s is None:
                deadline_s = asyncio.get_running_loop().time() + decoder.grace_s
            data = await _late(reply, deadline_s)
        for piece in decoder.close():
            yield piece
        finish = decoder.finish()
        await reply.settle()
        yield _storable(finish)
    finally:
        reply.close()


def _storable(finish: Finish) -> Finish:
    """With names as any store can hold them: a vendor may call its model what it likes."""
    said = finish.reason, finish.model, finish.fingerprint
    reason, model, fingerprint = names = tuple(one and _name(one) for one in said)
    if names == said:
        return finish
    return replace(finish, reason=reason or "", model=model, fingerprint=fingerprint)


def _name(said: str) -> str:
    """On one line, without lone surrogates and control characters, and short."""
    short = said[:_MAX_NAME_CHARS]
    if short.isprintable():
        return short
    return "".join(char if char.isprintable() else "\ufffd" for char in short)


async def fetched(wire: Wire, endpoint: Endpoint) -> object:
    """The JSON value that a GET is answered with, whole, within `FETCH_S` and `MAX_EVENT_BYTES`.
    Raises UpstreamError."""
    try:
        async with asyncio.timeout(FETCH_S):
            reply = await wire.get(endpoint)
            try:
                body = await _body(endpoint.who, reply, await _first(endpoint, reply))
            finally:
                reply.close()
    except TimeoutError as error:
        raise UpstreamError(
            f"{endpoint.who} did not send the whole answer in time",
            code="upstream_timeout",
            status=504,
            retryable=True,
        ) from error
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise garbage(endpoint.who, "something that is no JSON") from error


async def _first(endpoint: Endpoint, reply: Reply) -> bytes:
    """The first bytes of an answer that are not blank: vendors pad a slow one with empty lines.
    Raises UpstreamError for a refusal and for a web page."""
    if not 200 <= reply.status < 300:
        body, wish_s = await reply.complaint(), reply.retry_after_s
        raise endpoint.explain(read_refusal(body, reply.status, endpoint.secret, wish_s))
    data = b""
    while not data and (new := await reply.read()):
        data = new.removeprefix(b"\xef\xbb\xbf").lstrip()
    if reply.html or data.startswith(b"<"):
        raise garbage(endpoint.who, "a web page instead of an answer: check its base URL")
    return data


async def _late(reply: Reply, deadline_s: float) -> bytes:
    """The next bytes after the finish reason. Neither silence nor a lost connection can take the
    answer back any more: both count as its end."""
    try:
        async with asyncio.timeout_at(deadline_s):
            return await reply.read()
    except (TimeoutError, UpstreamError):
        return b""


async def _body(who: str, reply: Reply, start: bytes) -> bytes:
    parts, size = [start], len(start)
    while data := await reply.read():
        parts.append(data)
        size += len(data)
        if size > MAX_EVENT_BYTES:
            raise too_large(who)
    return b"".join(parts)
