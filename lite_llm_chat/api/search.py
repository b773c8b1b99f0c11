"""Finding conversations by their words.

GET /search ─▶ Asked ─▶ find (beside the event loop) ─▶ results, each with a snippet
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from ..domain import Role
from ..search import current
from ..search.finding import Asked, In, Result, find
from ..store.database import Connection
from ..store.found import Wanted
from ..store.search import share_indexed
from .deps import LARGEST_ID, PartsDep
from .errors import responses
from .fields import Str
from .moments import When, moment
from .replies import Fields, Moment, SessionOut, encoded, session_fields, written

router = APIRouter(tags=["search"])

Archived = Literal["false", "true", "any"]
_ARCHIVED: dict[Archived, bool | None] = {"false": False, "true": True, "any": None}
_Id = Annotated[int | None, Field(ge=1, le=LARGEST_ID)]
_Name = Annotated[Str | None, Field(min_length=1, max_length=255)]
_Tag = Annotated[Str, Field(min_length=1, max_length=64)]


class Search(BaseModel):
    """What is looked for, and where."""

    q: Annotated[Str, Field(max_length=1000)] = Field(
        description='Words that are all there, "a phrase", -without; the last word may be begun'
    )
    limit: int = Field(20, ge=1, le=100)
    cursor: Annotated[Str | None, Field(max_length=2000)] = Field(
        None, description="The `next_cursor` of the page before"
    )
    within: In = Field("all", alias="in")
    session_id: _Id = None
    folder_id: _Id = Field(None, description="With all folders in it")
    tag: list[_Tag] = Field([], max_length=20, description="May be repeated: all are needed")
    provider: _Name = None
    model: _Name = None
    role: Role | None = None
    after: When = Field(None, description="A day or a moment, included")
    before: When = Field(None, description="A day or a moment, not included")
    archived: Archived = "false"


class FoundOut(BaseModel):
    """A session and its best hit: a message, or the title (`message_id` is null then). `snippet`
    is HTML, escaped, with <mark>; `text` is the same without, and `ranges` are its marks: from and
    up to, in Unicode characters. `on_branch`: the message is shown by GET /sessions/{id}.
    `more_in_session`: other messages of it that have what is sought."""

    session: SessionOut
    message_id: int | None
    role: str | None
    created_at: Moment
    snippet: str
    text: str
    ranges: list[tuple[int, int]]
    on_branch: bool
    score: float
    more_in_session: int


class SearchOut(BaseModel):
    """What was found, best first. `indexed`: the part of all messages, 0 to 1, that is looked
    through; less than 1 only while an older file is being indexed, newest first."""

    results: list[FoundOut]
    next_cursor: str | None
    indexed: float


@router.get("/search", response_model=SearchOut, responses=responses(422, 503))
async def search(parts: PartsDep, page: Annotated[Search, Query()]) -> Response:
    """Sessions in whose messages or title all words are, each once, with its best hit. Trashed
    sessions are left out, archived ones unless asked for; branches that are not shown are not."""
    asked = Asked(page.q, _wanted(page), page.within, page.limit, page.cursor)
    now = parts.now()

    def work(conn: Connection) -> bytes:
        found = find(conn, asked, now)
        return encoded(
            {
                "results": [_fields(one) for one in found.results],
                "next_cursor": found.next,
                "indexed": round(share_indexed(conn), 4),
            }
        )

    reply = await current.read(parts.database, work)
    return Response(reply, media_type="application/json")


def _wanted(page: Search) -> Wanted:
    return Wanted(
        session_id=page.session_id,
        folder_id=page.folder_id,
        tags=tuple(page.tag),
        provider=page.provider,
        model=page.model,
        role=page.role,
        after=moment("after", page.after, day_ends=False) if page.after else None,
        before=moment("before", page.before, day_ends=False) if page.before else None,
        archived=_ARCHIVED[page.archived],
    )


def _fields(result: Result) -> Fields:
    """A FoundOut."""
    hit, shown = result.hit, result.snippet
    return {
        "session": session_fields(result.session),
        "message_id": hit.id if hit.kind == "message" else None,
        "role": hit.role,
        "created_at": written(hit.at),
        "snippet": shown.html(),
        "text": shown.text,
        "ranges": shown.ranges,
        "on_branch": result.on_branch,
        "score": round(result.score, 4),
        "more_in_session": result.more,
    }
