"""The part of a text that shows what was found: as it was written, the found words marked.

text, query ─▶ spans ─▶ marks ─▶ the stretch with most of what was sought ─▶ text, ranges, HTML
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from html import escape

from ..store.words import spans
from .query import Phrase, Query

LONGEST = 240  # characters of a snippet
BEFORE = 60  # of them, at most, before the first mark

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A stretch of a text on one line. `ranges` are the marks, from and up to, in characters of
    `text`; `cut_before` and `cut_after`: the text goes on there."""

    text: str
    ranges: tuple[Range, ...]
    cut_before: bool = False
    cut_after: bool = False

    def html(self) -> str:
        """Escaped, the marks as <mark>…</mark>, an ellipsis where it was cut."""
        pieces, end = [], 0
        for start, stop in self.ranges:
            pieces.append(escape(self.text[end:start]))
            pieces.append(f"<mark>{escape(self.text[start:stop])}</mark>")
            end = stop
        whole = "".join(pieces) + escape(self.text[end:])
        return f"{'…' * self.cut_before}{whole}{'…' * self.cut_after}"


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    phrase: Phrase


def snippet(text: str, query: Query) -> Snippet:
    """Where most of the phrases are near each other, the first such place; the beginning of the
    text if there is none."""
    marks, first = _marks(text, query)
    near = [one for one in marks if first <= one.start < first + LONGEST]
    return _cut(text, first if near else 0, _joined(near))


def _marks(text: str, query: Query) -> tuple[list[_Mark], int]:
    """Marks by their ends, and where the best stretch begins. It reads no further than it must."""
    said: list[str] = []
    starts: list[int] = []
    marks: list[_Mark] = []
    recent: deque[_Mark] = deque()
    best, first, stop = 0, 0, len(text)
    for word, start, end in spans(text):
        if start > stop:
            break
        said.append(word)
        starts.append(start)
        ended = [phrase for phrase in query.wanted if phrase.ends(said)]
        if not ended:
            continue
        recent += [_Mark(starts[-len(phrase.words)], end, phrase) for phrase in ended]
        marks += list(recent)[-len(ended) :]
        while len(recent) > 1 and recent[0].start < end - (LONGEST - BEFORE):
            recent.popleft()
        if best < (phrases := len({one.phrase for one in recent})):
            best, first = phrases, min(one.start for one in recent)
            stop = end + LONGEST if best == len(query.wanted) else stop
    return marks, first


def _joined(marks: list[_Mark]) -> tuple[Range, ...]:
    """Ranges that do not overlap."""
    ranges: list[Range] = []
    for one in sorted(marks, key=lambda mark: mark.start):
        if ranges and one.start < ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(ranges[-1][1], one.end)
        else:
            ranges.append((one.start, one.end))
    return tuple(ranges)


def _cut(text: str, first_mark: int, ranges: tuple[Range, ...]) -> Snippet:
    start = _blank_after(text, max(0, first_mark - BEFORE), first_mark)
    end = min(len(text), start + LONGEST)
    kept = [(a - start, min(b, end) - start) for a, b in ranges if a < end]
    line = "".join(" " if one.isspace() else one for one in text[start:end])
    return Snippet(line, tuple(kept), start > 0, end < len(text))


def _blank_after(text: str, start: int, last: int) -> int:
    """Where the first whole word after `start` begins, if there is one before `last`."""
    if start == 0:
        return 0
    for place in range(start, last):
        if text[place - 1].isspace():
            return place
    return start
