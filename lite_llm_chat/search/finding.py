"""One page of what was found: conversations, each with its best hit.

    the newest hits, a window of messages and one of titles ─▶ ranked ─▶ grouped by session ─▶ taken
         ▲                                                                                     │
         └── the next window, older hits, while the page has room ◀────────────────────────────┘

Ranked by relevance (as BM25: rare words weigh more, repetition less and less, long texts a little
less), times TITLE_WEIGHT for a title, times freshness, which halves after FRESH_DAYS. All hits are
ranked together while there are at most WINDOW of a kind; of a common word the newest windows come
first. A session is shown once: in the window of its newest hit.

A cursor holds where its page ended, what the search began with (the moment, the newest ids, the
weights of the words), and a mark of what was asked: later pages are of the same search, whatever
is written meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from ..domain import Session
from ..errors import Invalid
from ..store import found, sessions
from ..store.database import Connection
from ..store.found import COMMON, Hit, Kind, Stretch, Wanted
from ..store.words import words
from .query import Phrase, parse
from .snippets import Snippet, snippet

TITLE_WEIGHT = 4.0
FRESH_DAYS = 90
RANKED_CHARS = 4000  # of a text, that decide its relevance
WINDOWS = 3  # that are looked through for one page
USUAL_WORDS = 40  # of a text
RARE = 30  # messages with a phrase of several words, as it counts
_REPEATS, _LENGTHS = 1.2, 0.75  # how much they count: k1 and b of BM25

In = Literal["messages", "titles", "all"]
KINDS: tuple[Kind, Kind] = ("message", "title")
_KINDS: dict[In, tuple[Kind, ...]] = {"messages": KINDS[:1], "titles": KINDS[1:], "all": KINDS}
_Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class Asked:
    """One search. `cursor` is the `next` of the page before."""

    typed: str
    wanted: Wanted
    within: In = "all"
    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A session and its best hit; `more` messages of it, beside that one, have what is sought
    (those of the last SCAN that match are counted)."""

    session: Session
    hit: Hit
    score: float
    snippet: Snippet
    on_branch: bool
    more: int


class Page(NamedTuple):
    """Results, best first, and the cursor of what comes after; None: nothing does."""

    results: list[Result]
    next: str | None


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Of each kind, message and title: the newest ids of the search, and the window's top and
    bottom (0: not known as yet). `after`: score and session that were shown last of this window."""

    asked: str
    began: float
    weights: tuple[float, ...]
    newest: tuple[_Id, _Id]
    top: tuple[_Id, _Id]
    bottom: tuple[_Id, _Id]
    after: tuple[float, int] | None = None


class _Group(NamedTuple):
    """A session of a window: its best hit."""

    score: float
    hit: Hit


def find(conn: Connection, asked: Asked, now: datetime) -> Page:
    """Raises Invalid `empty_query` or `invalid_cursor`."""
    search = _Search(conn, asked)
    cursor = search.cursor(now)
    results: list[Result] = []
    for _ in range(WINDOWS):
        groups, cursor = search.window(cursor)
        for group in search.unseen(groups, cursor):
            if len(results) == asked.limit:
                return Page(results, _to_text(cursor))
            results.append(search.result(group, cursor))
            cursor = replace(cursor, after=(group.score, group.hit.session_id))
        cursor = _below(cursor)
        if not any(cursor.top):
            return Page(results, None)
    return Page(results, _to_text(cursor))


class _Search:
    """What is asked for, taken apart once, and the rows it is asked of."""

    def __init__(self, conn: Connection, asked: Asked) -> None:
        self._conn = conn
        self._asked = asked
        self._query = parse(asked.typed)
        self._few = found.few_sessions(conn, asked.wanted)
        self._matching = self._query.matching(self._few or ())
        kinds = () if self._few == [] else _KINDS[asked.within]
        self._kinds = tuple(one for one in kinds if one == "message" or not asked.wanted.role)

    # ── cursors ───────────────────────────────────────────────────────────────────────────────

    def cursor(self, now: datetime) -> _Cursor:
        """The one that was given, or that of a new search."""
        what = repr((self._asked.typed, self._asked.wanted, self._asked.within))
        mark = hashlib.sha256(what.encode()).hexdigest()[:12]
        if self._asked.cursor is not None:
            return _from_text(self._asked.cursor, mark, len(self._query.wanted))
        ids = [found.newest(self._conn, one) if one in self._kinds else 0 for one in KINDS]
        newest = ids[0], ids[1]
        return _Cursor(mark, now.timestamp(), self._weights(), newest, newest, (0, 0))

    def _weights(self) -> tuple[float, ...]:
        """Of each phrase: the rarer, the more. A phrase of several words counts as a rare one, a
        beginning as a common one: to count them would take too long."""
        if len(self._query.wanted) == 1:
            return (1.0,)
        return tuple(math.log(1 + COMMON / self._frequency(one)) for one in self._query.wanted)

    def _frequency(self, phrase: Phrase) -> int:
        if phrase.begun:
            return COMMON
        if len(phrase.words) > 1:
            return RARE
        return max(1, found.frequency(self._conn, phrase.matching()))

    # ── windows ───────────────────────────────────────────────────────────────────────────────

    def window(self, cursor: _Cursor) -> tuple[list[_Group], _Cursor]:
        """The sessions of a window, best first; the cursor, which knows its bottoms now."""
        bottom = list(cursor.bottom)
        every: list[Hit] = []
        for place, kind in enumerate(KINDS):
            if cursor.top[place]:
                stretch = Stretch(cursor.top[place], bottom[place] or 1)
                some, bottom[place] = found.hits(
                    self._conn, kind, self._matching, self._asked.wanted, stretch
                )
                every += some
        return self._grouped(every, cursor), replace(cursor, bottom=(bottom[0], bottom[1]))

    def _grouped(self, hits: Sequence[Hit], cursor: _Cursor) -> list[_Group]:
        best: dict[int, _Group] = {}
        for hit in hits:
            score = self._score(hit, cursor)
            if hit.session_id not in best or score > best[hit.session_id].score:
                best[hit.session_id] = _Group(score, hit)
        return sorted(best.values(), key=lambda one: (-one.score, -one.hit.session_id))

    def _score(self, hit: Hit, cursor: _Cursor) -> float:
        said = words(hit.text[:RANKED_CHARS])
        text = f" {' '.join(said)} "
        length = _REPEATS * (1 - _LENGTHS + _LENGTHS * len(said) / USUAL_WORDS)
        relevance = 0.0
        for phrase, weight in zip(self._query.wanted, cursor.weights, strict=True):
            times = max(1, phrase.count(text))  # one that is further down is there all the same
            relevance += weight * times * (1 + _REPEATS) / (times + length)
        age_days = max(0.0, cursor.began - hit.at.timestamp()) / 86_400
        title = TITLE_WEIGHT if hit.kind == "title" else 1.0
        return relevance * title / (1 + age_days / FRESH_DAYS)

    def unseen(self, groups: Sequence[_Group], cursor: _Cursor) -> Iterator[_Group]:
        """Those that neither this page nor one before has shown."""
        for group in groups:
            place = group.score, group.hit.session_id
            shown = cursor.after is not None and place >= cursor.after
            if not shown and not self._in_earlier_window(group.hit.session_id, cursor):
                yield group

    def _in_earlier_window(self, session_id: int, cursor: _Cursor) -> bool:
        matching = self._query.matching((session_id,))
        return any(
            found.count(self._conn, kind, matching, self._asked.wanted, Stretch(newest, top + 1))
            for kind, newest, top in zip(KINDS, cursor.newest, cursor.top, strict=True)
            if newest > top
        )

    def result(self, group: _Group, cursor: _Cursor) -> Result:
        hit = group.hit
        is_message = hit.kind == "message"
        more = 0
        if cursor.newest[0]:
            matching = self._query.matching((hit.session_id,))
            whole = Stretch(cursor.newest[0])
            more = found.count(self._conn, "message", matching, self._asked.wanted, whole)
        return Result(
            session=sessions.get(self._conn, hit.session_id),
            hit=hit,
            score=group.score,
            snippet=snippet(hit.text, self._query),
            on_branch=not is_message or found.on_branch(self._conn, hit.id),
            more=max(0, more - is_message),
        )


def _below(cursor: _Cursor) -> _Cursor:
    """The next window: from right below this one."""
    message, title = (max(0, one - 1) for one in cursor.bottom)
    return replace(cursor, top=(message, title), bottom=(0, 0), after=None)


def _to_text(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _from_text(text: str, mark: str, phrases: int) -> _Cursor:
    """Raises Invalid `invalid_cursor` if it is none of ours, or of another search."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        cursor = msgspec.json.decode(raw, type=_Cursor)
    except ValueError:
        cursor = None
    if cursor is None or cursor.asked != mark or len(cursor.weights) != phrases:
        raise Invalid(
            "the cursor is not of this search: take next_cursor of the page before, and change"
            " nothing but the limit",
            code="invalid_cursor",
        )
    return cursor
