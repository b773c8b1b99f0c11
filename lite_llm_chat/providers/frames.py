"""Bytes of an event stream into frames, and text that any store can hold. Pure: no I/O.

    b"data: {…}\\n\\nda" ─▶ SseSplitter.feed ─▶ Frame Frame …
                                                └─▶ the dialect's JSON ─▶ Mender.mend ─▶ text

Written here because of what ready-made readers get wrong: they split on U+2028, lose the last
event or the one after a BOM, cap a line at half a megabyte, or hide comments.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from ..errors import UpstreamError

MAX_EVENT_BYTES = 8 * 1024 * 1024

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_PLAIN = b"data: "  # how most events begin
_BARE_STARTS = (b"{", b"}", b"[", b"]", b'"', b" ", b"\t")  # no field's name begins so
_LONE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


# ── frames ────────────────────────────────────────────────────────────────────────────────────


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event. `event` is "" where the stream named none."""

    data: bytes
    event: str = ""


class SseSplitter:
    """Cuts a byte stream into frames, however the reads happen to fall.

    Lines end at LF, CRLF or CR and nowhere else: U+2028 and U+0085 are ordinary text. A leading
    BOM is dropped, several `data:` lines are joined by LF, comments are only counted. An event
    without data is dropped as the standard asks, and the last one is dispatched at `close()`
    even if its blank line never came. Raises UpstreamError when one event outgrows `max_bytes`.
    With `keep_bare`, lines that are JSON without a field's name are kept in `bare`, LF after
    each, instead of being passed over; for their sum the same bound holds.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_data_bytes",
        "_event",
        "_head",
        "_held",
        "_held_bytes",
        "_keep_bare",
        "_max_bytes",
        "bare",
        "comments",
    )

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES, *, keep_bare: bool = False) -> None:
        self.comments = 0
        self.bare = bytearray()
        self._keep_bare = keep_bare
        self._max_bytes = max_bytes
        self._held: list[bytes] = []  # the line that has not ended yet
        self._held_bytes = 0
        self._data: list[bytes] = []  # the event that has not ended yet
        self._data_bytes = 0
        self._event = ""
        self._after_cr = False
        self._head: bytes | None = b""  # the first three bytes, until they are known

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that `chunk` completes, in order."""
        new = self.rows(chunk)
        return [Frame(row) for row in new.split(b"\n")] if isinstance(new, bytes) else new

    def rows(self, chunk: bytes) -> bytes | list[Frame]:
        """What `feed` returns, several times faster in the usual case: where every event is one
        `data: ` line, their data, one a row."""
        if self.at_event(chunk) and (rows := alike(chunk)):
            return rows
        if self._head is not None:
            chunk = self._without_bom(self._head + chunk)
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_lf(chunk)
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._hold(chunk)
            return []
        whole = chunk[:end]
        if self._held:
            whole = b"".join((*self._held, whole))
            self._held.clear()
            self._held_bytes = 0
        mixed = self._data or self._event or len(whole) > self._max_bytes
        plain = None if mixed else alike(whole)
        new = plain or self._lines(whole[:-1].split(b"\n"))
        if end < len(chunk):
            self._hold(chunk[end:])
        return new

    def at_event(self, chunk: bytes) -> bool:
        """Nothing of an earlier event is held and `chunk` is short enough: if `chunk` is whole
        events, whoever knows how to read them needs no splitter."""
        held = self._held or self._data or self._event or self._after_cr
        return not held and self._head is None and len(chunk) <= self._max_bytes

    def close(self) -> list[Frame]:
        """What is left at the end of the stream: no frame or one."""
        rest = (self._head or b"") + b"".join(self._held)
        self._held, self._head = [], None
        return self._lines([rest, b""])

    def _lines(self, lines: list[bytes]) -> list[Frame]:
        frames: list[Frame] = []
        data = self._data
        for line in lines:
            if not line:
                if data:
                    whole = data[0] if len(data) == 1 else b"\n".join(data)
                    frames.append(Frame(whole, self._event))
                    data.clear()
                    self._data_bytes = 0
                self._event = ""
            elif line.startswith(b"data: "):
                data.append(line[6:])
                self._grow(len(line))
            else:
                self._field(line)
        return frames

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not name:
            self.comments += 1
        elif name == b"data":
            self._data.append(value)
            self._grow(len(line))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"error":  # older llama.cpp wrote its errors into a field of this name
            self._event = "error"
            self._data.append(value)
            self._grow(len(line))
        elif self._keep_bare and line[:1] in _BARE_STARTS:
            self.bare += line
            self.bare += b"\n"
            if len(self.bare) > self._max_bytes:
                raise self._too_large()

    def _grow(self, size: int) -> None:
        self._data_bytes += size
        if self._data_bytes > self._max_bytes:
            raise self._too_large()

    def _hold(self, part: bytes) -> None:
        if part:
            self._held.append(part)
            self._held_bytes += len(part)
        if self._held_bytes > self._max_bytes:
            raise self._too_large()

    def _too_large(self) -> UpstreamError:
        return UpstreamError(
            f"the provider sent one event of more than {self._max_bytes} bytes",
            code="upstream_garbage",
        )

    def _without_bom(self, start: bytes) -> bytes:
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._head = start
            return b""
        self._head = None
        return start.removeprefix(_BOM)

    def _with_lf(self, chunk: bytes) -> bytes:
        """The chunk with every line end written as LF; a CRLF may be cut between two chunks."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if chunk.endswith(b"\r"):
            self._after_cr = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def named(name: str) -> bytes:
    """How an event of this name begins, up to its data."""
    return b"event: " + name.encode() + b"\n" + _PLAIN


def alike(events: bytes, start: bytes = _PLAIN) -> bytes | None:
    """The rows of whole events that all start so, have one line of data each, and whose lines all
    end alike; None for anything else."""
    if not events.startswith(start):
        return None
    end = b"\r\n\r\n" if events.endswith(b"\r\n\r\n") else b"\n\n"
    if not events.endswith(end):
        return None
    between = end + start
    rows = events[len(start) : -len(end)].replace(between, b"\n")
    shorter = len(events) - len(between) - len(rows)
    alone = rows.count(b"\n") * (len(between) - 1) == shorter and b"\r" not in rows
    return rows if alone else None


def each_row(decoder: msgspec.json.Decoder[T], rows: bytes) -> list[T] | None:
    """The objects of some JSON, one a row, or None if they have to be looked at one by one."""
    try:
        found: list[T] = decoder.decode_lines(rows)
    except (ValueError, RecursionError):
        return None
    return found if len(found) == rows.count(b"\n") + 1 else None


# ── text ──────────────────────────────────────────────────────────────────────────────────────


class Mender:
    """Makes one stream of text deltas storable: no lone surrogate and no NUL ever leaves.

    A character outside the basic plane may come as two escapes in two deltas; its first half is
    kept back until the second comes. Halves that stay alone, and NUL, become U+FFFD.
    """

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def mend(self, text: str) -> str:
        """The storable part of what has come so far; it may be empty."""
        if "\0" in text:
            text = text.replace("\0", "\ufffd")
        if not self._half and (text.isascii() or not _LONE.search(text)):
            return text
        text = self._half + text
        self._half = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = _PAIR.sub(_joined, text.removesuffix(self._half) if self._half else text)
        return _LONE.sub("\ufffd", text)

    def rest(self) -> str:
        """What is left when the stream of deltas ends: "" or one U+FFFD."""
        half, self._half = self._half, ""
        return "\ufffd" if half else ""


def _joined(pair: re.Match[str]) -> str:
    return pair.group().encode("utf-16-le", "surrogatepass").decode("utf-16-le")
