"""Prices of one's own: a TOML file in, entries out.

    holidays = [2027-02-08]        ─▶ days on which DeepSeek has no peak
    [[price]]                      ─▶ Entry(provider, model, since, Price)
    provider = "box"

What is wrong is said at the start, with the file, the line and the mend.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from ..errors import StartupError
from .rates import Price, flat

_AMOUNTS = ("input", "cached", "output")
_FIELDS = ("provider", "model", *_AMOUNTS, "from")
_DEAREST = 1_000_000  # USD for a million tokens
_HEADER = re.compile(r"\s*\[\[\s*price\s*\]\]")


class Entry(msgspec.Struct, frozen=True):
    """A price of the models whose provider and name match, since a day in UTC. In a pattern `*`
    stands for any characters and `?` for one."""

    provider: str
    model: str
    since: date
    price: Price


class Own(msgspec.Struct, frozen=True):
    """The entries of the file in its order, and the days on which DeepSeek has no peak."""

    entries: tuple[Entry, ...] = ()
    holidays: frozenset[date] = frozenset()

    def of(self, provider: str, model: str) -> tuple[Entry, ...]:
        """The entries that match, the last one of the file first: it wins."""
        return tuple(
            one
            for one in reversed(self.entries)
            if fnmatchcase(provider, one.provider) and fnmatchcase(model, one.model)
        )


NONE = Own()


def read(path: Path, *, required: bool) -> Own:
    """The prices of a file; none if it is not there and not `required`. Raises StartupError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        found = tomllib.loads(text, parse_float=Decimal)
    except FileNotFoundError:
        if required:
            raise StartupError(f"{path.name} of PRICES_FILE is not there: check it") from None
        return NONE
    except OSError:
        raise StartupError(f"{path.name}: it cannot be read: check its permissions") from None
    except ValueError as error:  # no TOML, no UTF-8, a number without end
        where = re.search(r"\(at line (\d+)", str(error))
        line = f", line {where[1]}" if where else ""
        raise StartupError(f"{path.name}{line}: it is no TOML: mend it there") from None
    return _File(path.name, text.splitlines()).parse(found)


class _File:
    """A file that is TOML, and where in it things stand."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self._name = name
        self._lines = lines
        self._headers = [number for number, line in enumerate(lines) if _HEADER.match(line)]

    def parse(self, found: dict[str, Any]) -> Own:
        for key in found:
            if key not in ("price", "holidays"):
                self._fail(self._line(key), f"{key}: use holidays and tables called [[price]]")
        tables, holidays = found.get("price", []), found.get("holidays", [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            self._fail(self._line("price"), "price: write each as a table called [[price]]")
        if not isinstance(holidays, list) or not all(map(_is_day, holidays)):
            self._fail(self._line("holidays"), "holidays: write a list of days, such as 2027-02-08")
        entries = tuple(self._entry(number, table) for number, table in enumerate(tables))
        return Own(entries, frozenset(holidays))

    def _entry(self, number: int, table: dict[str, Any]) -> Entry:
        def refuse(key: str, mend: str) -> NoReturn:
            at = self._headers[number] if number < len(self._headers) else 0
            self._fail(self._line(key, at), f"{key}: {mend}")

        for key in table:
            if key not in _FIELDS:
                refuse(key, f"there is no such field: use {', '.join(_FIELDS)}")
        for key in ("provider", "model"):
            if not isinstance(table.get(key), str) or not table[key]:
                refuse(key, 'write a name or a pattern in quotes, such as "*"')
        since = table.get("from", date.min)
        if not _is_day(since):
            refuse("from", "write a day without quotes, such as 2026-11-01")
        price = flat(*_amounts(table, refuse))
        return Entry(table["provider"], table["model"], since, price)

    def _line(self, key: str, after: int = 0) -> int:
        """The line, from 1, of a key behind a line; of that line if the key stands nowhere."""
        end = next((one for one in self._headers if one > after), len(self._lines))
        stands = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
        lines = enumerate(self._lines[after:end], after)
        return next((at for at, line in lines if stands.match(line)), after) + 1

    def _fail(self, line: int, sentence: str) -> NoReturn:
        raise StartupError(f"{self._name}, line {line}: {sentence}")


def _is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _amounts(
    table: dict[str, Any], refuse: Callable[[str, str], NoReturn]
) -> tuple[Decimal, Decimal | None, Decimal]:
    """Input, cached input (None: not given) and output."""
    for key in _AMOUNTS:
        amount = table.get(key, 0 if key == "cached" else "")
        number = isinstance(amount, int | Decimal) and not isinstance(amount, bool)
        if not (number and Decimal(amount).is_finite() and 0 <= amount <= _DEAREST):
            refuse(key, "write USD for a million tokens, such as 0.15")
    cached = table.get("cached")
    paid = Decimal(table["input"]), Decimal(table["output"])
    return paid[0], None if cached is None else Decimal(cached), paid[1]
