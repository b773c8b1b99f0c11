"""Figures out of many measured values."""

from __future__ import annotations

from collections.abc import Sequence


def at(percent: int, values: Sequence[float]) -> float:
    """The value that so many percent of the values do not exceed; 100 is the largest, and of no
    values it is 0."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0
