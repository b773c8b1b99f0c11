"""A long JSON text, cut into its entries without reading it into memory.

    [ {…}, {…}, … ]         an array: each object in it
    {…}⏎{…}⏎                lines: each of them                     ─▶ bytes · Cut
    {…}                     one object, over any number of lines

Brackets and strings are all that is looked at, so an entry that is broken in any other way is only
its own end: the next one begins where this one's brackets close. What is longer than it may be is
passed over, and the memory taken is that of one entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

CHUNK_BYTES = 256 * 1024

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Cut:
    """An entry that cannot be given, and why: half a sentence."""

    why: str


def pieces(source: BinaryIO, most_bytes: int) -> Iterator[bytes | Cut]:
    """The entries of a text. Nothing for one that begins neither with `[` nor with `{`."""
    head = source.read(CHUNK_BYTES).removeprefix(_BOM).lstrip()
    if head.startswith(b"["):
        yield from _Cutter(source, head[1:], most_bytes).run()
    elif head.startswith(b"{"):
        line = head.split(b"\n", 1)[0]
        rest_of_line = b"" if len(line) < len(head) else source.readline(most_bytes)
        if _is_json(line + rest_of_line):
            yield from _lines(source, head + rest_of_line, most_bytes)
        else:
            yield from _Cutter(source, head + rest_of_line, most_bytes).run()


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _lines(source: BinaryIO, begun: bytes, most_bytes: int) -> Iterator[bytes | Cut]:
    *whole, rest = begun.split(b"\n")
    yield from (line for line in whole if line.strip())
    line = rest + source.readline(most_bytes + 1)
    while line:
        if len(line) > most_bytes:
            while line and not line.endswith(b"\n"):
                line = source.readline(CHUNK_BYTES)
            yield Cut(f"it is longer than {most_bytes} bytes")
        elif line.strip():
            yield line
        line = source.readline(most_bytes + 1)


class _Cutter:
    """Follows the brackets. `_at` is where to look on, `_start` where the entry begins."""

    def __init__(self, source: BinaryIO, begun: bytes, most_bytes: int) -> None:
        self._source = source
        self._most = most_bytes
        self._data = bytearray(begun)
        self._at = 0
        self._depth = 0
        self._start: int | None = None
        self._in_string = False
        self._too_long = False
        self._closed = False

    def run(self) -> Iterator[bytes | Cut]:
        while True:
            yield from self._scan()
            self._let_go()
            chunk = b"" if self._closed else self._source.read(CHUNK_BYTES)
            if not chunk:
                break
            self._data += chunk
        if self._start is not None:
            yield Cut("the file ends in the middle of it")

    def _scan(self) -> Iterator[bytes | Cut]:
        while not self._closed:
            if self._in_string and not self._string_ends():
                return
            found = _TOKEN.search(self._data, self._at)
            if found is None:
                self._at = len(self._data)
                return
            token, self._at = found[0], found.end()
            if token == b'"':
                self._in_string = True
            elif token in (b"{", b"["):
                if self._depth == 0:
                    self._start = found.start()
                self._depth += 1
            elif token in (b"}", b"]"):
                yield from self._close()

    def _string_ends(self) -> bool:
        """Go on behind the string, if its end is here."""
        rest = _REST_OF_STRING.match(self._data, self._at)
        self._at = rest.end() if rest else self._at
        if self._at < len(self._data) and self._data[self._at] == ord('"'):
            self._at += 1
            self._in_string = False
        return not self._in_string

    def _close(self) -> Iterator[bytes | Cut]:
        if self._depth == 0:  # the array's own end
            self._closed = True
            return
        self._depth -= 1
        if self._depth == 0 and self._start is not None:
            long = self._too_long or self._at - self._start > self._most
            piece = b"" if long else bytes(self._data[self._start : self._at])
            self._start, self._too_long = None, False
            yield Cut(f"it is longer than {self._most} bytes") if long else piece

    def _let_go(self) -> None:
        """Forget what is behind."""
        keep = self._at if self._start is None or self._too_long else self._start
        if self._start is not None and self._at - keep > self._most:
            self._too_long, keep = True, self._at
        del self._data[:keep]
        self._at -= keep
        self._start = None if self._start is None else 0
