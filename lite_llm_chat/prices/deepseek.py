"""DeepSeek's prices: they double at its peak hours, so the moment of the request decides.

    01:00 ══ peak ══ 04:00 ── 06:00 ══ peak ══ 10:00        UTC, Monday to Friday, no holiday
    a name ─▶ the model that is billed ─▶ off-peak price, twice of it at the peak

Source: DeepSeek's page of prices, November 2026; since when these hold: genai-prices 0.2.3, which
has the hours too but not the days. Earlier prices are not known here. Not known either: the days of
Chinese public holidays, on which there is no peak. The page does not list them and they are
announced a year at a time, so the operator's file does; without it a holiday is priced as a
weekday, which is too much. Nor is it known whether a request that runs over a border is billed by
its beginning; here it is.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from .rates import Price, Tariff, flat, unknown

PEAK_HOURS = frozenset((*range(1, 4), *range(6, 10)))  # UTC
SATURDAY = 5

# Model: since when, and USD for a million tokens off peak: input, cached input, output.
_TABLE = {
    "deepseek-flash": (date(2026, 9, 10), ("0.15", "0.003", "0.60")),
    "deepseek-v4-pro": (date(2026, 8, 17), ("0.66", "0.022", "1.98")),
}
# Retired on 2026-09-10; names of it are served and billed as its successor.
_AS_FLASH = "deepseek-v4-flash"


def is_peak(moment: datetime, holidays: frozenset[date]) -> bool:
    """Whether a moment, in UTC, is paid for twice."""
    working = moment.weekday() < SATURDAY and moment.date() not in holidays
    return working and moment.hour in PEAK_HOURS


def tariff(model: str, holidays: frozenset[date]) -> Tariff:
    """The prices of one of DeepSeek's models by the name that it was asked for."""
    row = _TABLE.get("deepseek-flash" if model.startswith(_AS_FLASH) else model)
    if row is None:
        return unknown
    since, usd = row
    off_peak, peak = (flat(*(factor * Decimal(one) for one in usd)) for factor in (1, 2))

    def at(moment: datetime) -> Price | None:
        if moment.date() < since:
            return None
        return peak if is_peak(moment, holidays) else off_peak

    return at
