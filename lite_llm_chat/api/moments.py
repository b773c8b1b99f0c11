"""Days and moments as a request writes them: 2026-11-30, or 2026-11-30T12:00:00Z."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import Field

from ..errors import Invalid
from .fields import Str

DAY = timedelta(days=1)

When = Annotated[Str | None, Field(max_length=64)]

_IS_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def moment(name: str, text: str, *, day_ends: bool) -> datetime:
    """A day's beginning or end, or a moment as it is; without a zone it is UTC. Raises Invalid
    `invalid_period` with the parameter's name."""
    try:
        if _IS_DAY.fullmatch(text):
            return midnight(date.fromisoformat(text) + day_ends * DAY)
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Invalid(
            f"{name} is no moment: write a day such as 2026-11-30, or 2026-11-30T12:00:00Z with"
            " any + as %2B",
            code="invalid_period",
        ) from None


def midnight(day: date) -> datetime:
    """The beginning of a day of UTC."""
    return datetime.combine(day, time(), UTC)
