"""Values ↔ the text that a row keeps.

A Text or Reasoning event is stored as the bare text itself, so that a log can be read with any
SQLite shell and costs no quoting; everything else is JSON of the noun's fields. The parts of a
message are a JSON list of the same pairs. A value that does not read as one of ours is damage:
StorageUnavailable, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from ..domain import (
    Approval,
    Attachment,
    Body,
    Ended,
    Options,
    Origin,
    Part,
    Reasoning,
    Rerouted,
    Seal,
    Started,
    Text,
    ToolCall,
    ToolResult,
)
from ..errors import StorageUnavailable

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


def _reader(decode: Callable[[str], T]) -> Callable[[str], T]:
    def read(text: str) -> T:
        try:
            return decode(text)
        except (ValueError, TypeError) as cause:
            raise damaged() from cause

    return read


def damaged() -> StorageUnavailable:
    """The error of rows that say what this server never wrote."""
    return StorageUnavailable(
        "the database file is damaged, or was written by a newer version: run an integrity check"
        " on a copy of it, and restore a backup if that finds something"
    )


_decode_ended = _reader(msgspec.json.Decoder(Ended).decode)
_decode_origin = _reader(msgspec.json.Decoder(Origin).decode)
_decode_options = _reader(msgspec.json.Decoder(Options).decode)
_decode_strings = _reader(msgspec.json.Decoder(tuple[str, ...]).decode)


_MOMENT_CHARS = len("2026-11-30 12:00:00.000000")
_from_iso = datetime.fromisoformat
_decode_moment = _reader(lambda text: _from_iso(text).replace(tzinfo=UTC))

# Kinds whose data is JSON; the two that are bare text stand in the functions below.
_KINDS: dict[type, str] = {
    Started: "started",
    ToolCall: "tool_call",
    Seal: "seal",
    ToolResult: "tool_result",
    Approval: "approval",
    Rerouted: "rerouted",
    Ended: "ended",
    Attachment: "attachment",
}
_DECODERS: dict[str, Callable[[str], Any]] = {
    name: _reader(msgspec.json.Decoder(kind).decode) for kind, name in _KINDS.items()
}
_decode_pairs = _reader(msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode)


def body_to_row(body: Body | Attachment) -> tuple[str, str]:
    """A body as (kind, data)."""
    if isinstance(body, Text):
        return "text", body.text
    if isinstance(body, Reasoning):
        return "reasoning", body.text
    return _KINDS[type(body)], _encode(body).decode()


def row_to_body(kind: str, data: str) -> Body:
    """The inverse of `body_to_row`. Raises StorageUnavailable for what this version never wrote."""
    body = _row_to_any(kind, data)
    if isinstance(body, Attachment):
        raise damaged()
    return body


def _row_to_any(kind: str, data: str) -> Body | Attachment:
    if kind == "text":
        return Text(data)
    if kind == "reasoning":
        return Reasoning(data)
    decode = _DECODERS.get(kind)
    if decode is None:
        raise damaged()
    return decode(data)  # type: ignore[no-any-return]


def parts_to_text(parts: tuple[Part, ...]) -> str | None:
    """None for no parts."""
    return _encode([body_to_row(part) for part in parts]).decode() if parts else None


def text_to_parts(text: str | None) -> tuple[Part, ...]:
    if text is None:
        return ()
    parts = tuple(_row_to_any(kind, data) for kind, data in _decode_pairs(text))
    if any(isinstance(part, Started | Ended | Approval | Rerouted) for part in parts):
        raise damaged()
    return parts  # type: ignore[return-value]


def moment_to_text(at: datetime) -> str:
    """A moment as the tables keep it: UTC without its zone, to the microsecond."""
    here = at if at.tzinfo is UTC else at.astimezone(UTC)
    return here.isoformat(" ", "microseconds")[:_MOMENT_CHARS]


def text_to_moment(text: str) -> datetime:
    try:
        return _from_iso(f"{text}Z")  # seven times as fast as to add the zone later
    except ValueError:  # rows that were made elsewhere may name a zone or no time
        return _decode_moment(text)


def ended_to_text(ended: Ended) -> str:
    return _encode(ended).decode()


def text_to_ended(data: str | None) -> Ended | None:
    return None if data is None else _decode_ended(data)


def options_to_text(options: Options) -> str:
    return _encode({name: getattr(options, name) for name in options.given()}).decode()


def text_to_options(data: str) -> Options:
    return _decode_options(data)


def origin_to_text(origin: Origin) -> str:
    return _encode(origin).decode()


def text_to_origin(data: str) -> Origin:
    return _decode_origin(data)


def strings_to_text(strings: tuple[str, ...]) -> str:
    return _encode(strings).decode()


def text_to_strings(data: str) -> tuple[str, ...]:
    return _decode_strings(data)
