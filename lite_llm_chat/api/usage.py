"""What was asked and what it cost, as JSON or as a table for a spreadsheet.

    GET /usage ─▶ a period ─▶ report (beside the event loop) ─┬─▶ UsageReportOut
                                                              └─▶ CSV, a line a key

The days of a period are whole days of UTC.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from ..errors import Invalid
from ..store.database import Connection
from ..store.usage import Period
from ..usage import Line, Report, Sum, Wanted, report
from .deps import PartsDep
from .errors import responses
from .fields import Str
from .moments import DAY, When, midnight, moment
from .replies import Fields, Moment, encoded, iso

router = APIRouter(tags=["usage"])

USUALDAYS = 30
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for one, at a cell's start

GroupBy = Literal["day", "model", "provider", "session", "key"]


class Page(BaseModel):
    """What is wanted of the usage."""

    group_by: GroupBy = "day"
    from_: When = Field(None, alias="from", description="A day or a moment; usual: 30 days before")
    to: When = Field(None, description="A day, which is included, or a moment, which is not")
    after: Annotated[Str | None, Field(max_length=400)] = Field(
        None, description="The `next` of the page before"
    )
    limit: int = Field(100, ge=1, le=1000)
    format: Literal["json", "csv"] | None = None


class SumOut(BaseModel):
    """Tokens and money of some requests. `cost_microusd` is what is known of it: null if there is
    no price for any, and `unpriced_requests` are not in it. `estimated_share`: the part of the
    tokens, 0 to 1, that this server counted itself."""

    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    estimated_requests: int
    estimated_share: float
    cost_microusd: int | None
    unpriced_requests: int


class TotalOut(SumOut):
    """Of answers; and of what was asked beside them, such as titles."""

    overhead: SumOut


class LineOut(TotalOut):
    """Of one day, model, provider, session or key."""

    key: str


class UsageReportOut(BaseModel):
    """A period, `to` excluded, by key. `next` is the key that the next page comes `after`."""

    group_by: GroupBy
    from_: Moment = Field(alias="from")
    to: Moment
    rows: list[LineOut]
    total: TotalOut
    next: str | None


TABLE: dict[int | str, dict[str, object]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
    **responses(422, 503),
}


@router.get("/usage", response_model=UsageReportOut, responses=TABLE)
async def get_usage(
    parts: PartsDep,
    page: Annotated[Page, Query()],
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Tokens and money of the answers asked for in a period that have ended, by day, model,
    provider, session or key. JSON, or CSV where the format or the Accept header says so."""
    period = _period(page.from_, page.to, parts.now())
    wanted = Wanted(page.group_by, period, page.after, page.limit)
    as_csv = (page.format or _accepted(accept)) == "csv"

    def work(conn: Connection) -> Response:
        found = report(conn, parts.prices, wanted)
        return _csv(found) if as_csv else _json(found, wanted)

    return await parts.database.read(work)


def _accepted(accept: str) -> str:
    """The first of the two media types that the header names."""
    for one in accept.lower().split(","):
        media_type = one.split(";")[0].strip()
        if media_type in ("text/csv", "application/json"):
            return media_type.rpartition("/")[2]
    return "json"


# ── the period ────────────────────────────────────────────────────────────────────────────────


def _period(start: str | None, end: str | None, now: datetime) -> Period:
    """From the beginning of a day, or a moment, to the end of a day or up to a moment. Usual: the
    last 30 days, today included. Raises Invalid `invalid_period`."""
    last = moment("to", end, day_ends=True) if end else midnight(now.date() + DAY)
    if start:
        first = moment("from", start, day_ends=False)
    elif last - datetime.min.replace(tzinfo=UTC) > USUALDAYS * DAY:
        first = last - USUALDAYS * DAY
    else:
        first = last
    if first > last:
        raise Invalid("from is later than to: exchange them", code="invalid_period")
    return Period(first, last)


# ── what is shown ─────────────────────────────────────────────────────────────────────────────


def _json(found: Report, wanted: Wanted) -> Response:
    page = {
        "group_by": wanted.by,
        "from": iso(wanted.period.start),
        "to": iso(wanted.period.end),
        "rows": [{"key": key, **_line(line)} for key, line in found.lines],
        "total": _line(found.total),
        "next": found.next,
    }
    return Response(encoded(page), media_type="application/json")


def _csv(found: Report) -> Response:
    """A header line and a line a key, by RFC 4180. The next page's key is in X-Next-After."""
    sums = list(SumOut.model_fields)
    text = io.StringIO()
    write = csv.writer(text).writerow
    write(["key", *sums, *(f"overhead_{name}" for name in sums)])
    for key, line in found.lines:
        answers, overhead = _sum(line.answers), _sum(line.overhead)
        write([_cell(key), *answers.values(), *overhead.values()])
    headers = {} if found.next is None else {"x-next-after": quote(found.next, safe="")}
    return Response(text.getvalue(), headers=headers, media_type="text/csv; charset=utf-8")


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _line(line: Line) -> Fields:
    """A TotalOut."""
    return {**_sum(line.answers), "overhead": _sum(line.overhead)}


def _sum(of: Sum) -> Fields:
    """A SumOut."""
    return {
        "requests": of.requests,
        "input_tokens": of.input,
        "cached_tokens": of.cached,
        "output_tokens": of.output,
        "reasoning_tokens": of.reasoning,
        "estimated_requests": of.estimated,
        "estimated_share": of.estimated_share,
        "cost_microusd": of.microusd,
        "unpriced_requests": of.unpriced,
    }
