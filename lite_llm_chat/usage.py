"""What was asked in a period and what it cost, by day, model, provider, session or key.

    store.usage ─▶ Group … ─┬─ Prices.at(provider, model, hour) ─▶ Line of its key
                            └─▶ the total                          sorted, a page of them

Answers and overhead (titles, summaries) are summed apart. Money is added in picodollars and rounded
once, when a line is shown.
"""

from __future__ import annotations

import msgspec

from .errors import Invalid
from .prices import Prices, microusd
from .store.database import Connection
from .store.usage import By, Cut, Group, Period, Table, sessions_after, sums

_TABLES: tuple[Table, ...] = ("generations", "deleted", "asides")
_LARGEST_ID = 2**63 - 1


class Sum(msgspec.Struct):
    """Tokens and money of some requests. `counted` have tokens, `unpriced` of these no price."""

    requests: int = 0
    counted: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: int = 0
    estimated_tokens: int = 0
    unpriced: int = 0
    picousd: int = 0

    def add(self, group: Group, prices: Prices) -> None:
        self.requests += group.requests
        self.counted += group.counted
        self.input += group.input
        self.cached += group.cached
        self.output += group.output
        self.reasoning += group.reasoning
        self.estimated += group.estimated
        self.estimated_tokens += group.estimated_tokens
        if not group.counted:
            return
        price = prices.at(group.provider, group.model, group.hour)
        if price is None:
            self.unpriced += group.counted
        else:
            rate = price.rate(group.least_input)
            self.picousd += rate.picousd(group.input, group.cached, group.output)

    @property
    def microusd(self) -> int | None:
        """What is known of the cost; None if there is no price for any of it."""
        if self.unpriced and self.unpriced == self.counted:
            return None
        return microusd(self.picousd)

    @property
    def estimated_share(self) -> float:
        """The part of the tokens that is our own count, 0 to 1."""
        everything = self.input + self.output
        return round(self.estimated_tokens / everything, 4) if everything else 0.0


class Line(msgspec.Struct):
    """What one key asked: for answers, and beside them."""

    answers: Sum = msgspec.field(default_factory=Sum)
    overhead: Sum = msgspec.field(default_factory=Sum)

    def add(self, table: Table, group: Group, prices: Prices) -> None:
        (self.overhead if table == "asides" else self.answers).add(group, prices)


class Wanted(msgspec.Struct, frozen=True):
    """Which lines: at most `most`, by key after one (None: from the first)."""

    by: By
    period: Period
    after: str | None
    most: int


class Report(msgspec.Struct, frozen=True):
    """Lines by key, in its order; the total of the whole period; the key that the next page comes
    after, or None."""

    lines: list[tuple[str, Line]]
    total: Line
    next: str | None


def report(conn: Connection, prices: Prices, wanted: Wanted) -> Report:
    """Sum a period up. Raises Invalid `invalid_cursor`."""
    if wanted.by == "session":
        return _of_sessions(conn, prices, wanted)
    lines, total = _summed(conn, prices, wanted)
    after = wanted.after
    keys = sorted(key for key in lines if after is None or key > after)
    return _page(keys, lines, total, wanted.most)


def _of_sessions(conn: Connection, prices: Prices, wanted: Wanted) -> Report:
    """There may be more sessions than one wants to hold: only those of the page are summed."""
    after = -1 if wanted.after is None else _session(wanted.after)
    ids = sessions_after(conn, wanted.period, after, wanted.most + 1)
    lines: dict[str, Line] = {}
    if ids:
        lines, _ = _summed(conn, prices, wanted, (ids[0], ids[-1]))
    whole = Wanted("all", wanted.period, None, 1)
    _, total = _summed(conn, prices, whole)
    return _page([str(one) for one in ids], lines, total, wanted.most)


def _session(key: str) -> int:
    if not (key.isascii() and key.isdigit()) or int(key[:20]) > _LARGEST_ID:
        raise Invalid("after must be the key of a line: the id of a session", code="invalid_cursor")
    return int(key)


def _summed(
    conn: Connection, prices: Prices, wanted: Wanted, sessions: tuple[int, int] | None = None
) -> tuple[dict[str, Line], Line]:
    lines: dict[str, Line] = {}
    total = Line()
    cut = Cut(wanted.by, wanted.period, prices.steps(), sessions)
    for table in _TABLES:
        for group in sums(conn, table, cut):
            lines.setdefault(group.key, Line()).add(table, group, prices)
            total.add(table, group, prices)
    return lines, total


def _page(keys: list[str], lines: dict[str, Line], total: Line, most: int) -> Report:
    chosen = keys[:most]
    more = chosen[-1] if len(keys) > most else None
    return Report([(key, lines[key]) for key in chosen], total, more)
