"""Values ↔ the text that a row keeps.

A Text or Reasoning event is stored as the bare text itself, so that a log can be read with any
SQLite shell and costs no quoting; everything else is JSON of the noun's fields. A value that does
not read as one of ours is damage: StorageUnavailable, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar, assert_never

import msgspec

from ..domain import Body, Ended, Options, Reasoning, Started, Text
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


_decode_started = _reader(msgspec.json.Decoder(Started).decode)
_decode_ended = _reader(msgspec.json.Decoder(Ended).decode)
_decode_options = _reader(msgspec.json.Decoder(Options).decode)
_decode_strings = _reader(msgspec.json.Decoder(tuple[str, ...]).decode)


_from_iso = datetime.fromisoformat
_decode_moment = _reader(lambda text: _from_iso(text).replace(tzinfo=UTC))


def body_to_row(body: Body) -> tuple[str, str]:
    """A body as (kind, data)."""
    match body:
        case Text():
            return "text", body.text
        case Reasoning():
            return "reasoning", body.text
        case Started():
            return "started", _encode(body).decode()
        case Ended():
            return "ended", _encode(body).decode()
        case _:
            assert_never(body)


def row_to_body(kind: str, data: str) -> Body:
    """The inverse of `body_to_row`. Raises StorageUnavailable for what this version never wrote."""
    match kind:
        case "text":
            return Text(data)
        case "reasoning":
            return Reasoning(data)
        case "started":
            return _decode_started(data)
        case "ended":
            return _decode_ended(data)
        case _:
            raise damaged()


def moment_to_text(at: datetime) -> str:
    """A moment as the tables keep it: UTC without its zone, to the microsecond."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


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


def strings_to_text(strings: tuple[str, ...]) -> str:
    return _encode(strings).decode()


def text_to_strings(data: str) -> tuple[str, ...]:
    return _decode_strings(data)
