"""The tree of a session: which branch is shown, a page of it, all in outline, and copies of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StrictBool, StrictInt, model_validator
from starlette.responses import Response

from ..domain import Message, Session
from ..history import copies, leaves
from ..store import branches, messages, sessions
from ..store.database import Connection
from .deps import LARGEST_ID, PartsDep, SessionId, json_only
from .errors import responses
from .fields import Title, Whole
from .messages import PageOut
from .replies import Moment, SessionOut, encoded, written
from .sessions import as_json, shown

router = APIRouter(tags=["branches"], dependencies=[Depends(json_only)])

RowId = Annotated[StrictInt, Field(ge=1, le=LARGEST_ID), Whole]
Key = Annotated[int, Field(ge=1, le=LARGEST_ID)] | None


class LeafIn(BaseModel):
    """Which branch is to be the active one."""

    message_id: RowId = Field(description="A message of that branch")
    exact: StrictBool = Field(
        False, description="End in this message; else in the newest behind it"
    )
    expected_leaf_id: RowId | None = Field(
        None, description="Only if the active branch ends here still; null: if it is empty"
    )

    def step(self) -> leaves.Step:
        compares = "expected_leaf_id" in self.model_fields_set
        return leaves.Step(self.message_id, self.exact, compares, self.expected_leaf_id)


class CopyIn(BaseModel):
    """A copy of a session."""

    title: Title | None = Field(None, description="Else that of the session")


class ForkIn(CopyIn):
    """A copy of the way to a message."""

    message_id: RowId


PLAINLY = CopyIn()


class PageIn(BaseModel):
    """Which page of which branch."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    before: Key = Field(None, description="Those before this message")
    after: Key = Field(None, description="Those after this message")
    leaf: Key = Field(None, description="Of the branch that ends here; else the active one")

    @model_validator(mode="after")
    def _goes_one_way(self) -> Self:
        if self.before is not None and self.after is not None:
            raise ValueError("a page is before a message or after one: name one of them")
        return self


class OutlineOut(BaseModel):
    """A message of the tree; `preview` is how it begins, 80 characters at most."""

    id: int
    parent_id: int | None
    role: str
    status: str
    provider: str | None
    model: str | None
    preview: str
    created_at: Moment


class TreeOut(BaseModel):
    """The messages of all branches by their ids; `after`: what to ask for the next ones."""

    session_id: int
    leaf_id: int | None
    messages: list[OutlineOut]
    after: int | None


@router.put("/sessions/{session_id}/leaf", responses=responses(404, 409, 413, 415, 422, 503))
async def move_leaf(parts: PartsDep, session_id: SessionId, wanted: LeafIn) -> SessionOut:
    """Make the branch through a message the active one: what is shown, and what the next question
    is put behind."""
    step = wanted.step()
    moved = await parts.database.write(lambda conn: leaves.move(conn, session_id, step))
    return SessionOut.of(moved)


@router.post(
    "/sessions/{session_id}/fork",
    status_code=201,
    responses=responses(404, 413, 415, 422, 503),
)
async def fork(parts: PartsDep, session_id: SessionId, wanted: ForkIn) -> SessionOut:
    """A new session with all that was said up to a message; the old one stays as it is."""
    source = copies.Source(session_id, wanted.title, wanted.message_id)
    return SessionOut.of(await copies.copied(parts.database, source, parts.now()))


@router.post(
    "/sessions/{session_id}/copy",
    status_code=201,
    responses=responses(404, 413, 415, 422, 503),
)
async def copy(parts: PartsDep, session_id: SessionId, wanted: CopyIn = PLAINLY) -> SessionOut:
    """A new session with all branches of this one."""
    source = copies.Source(session_id, wanted.title)
    return SessionOut.of(await copies.copied(parts.database, source, parts.now()))


@router.get(
    "/sessions/{session_id}/messages",
    response_model=PageOut,
    responses=responses(404, 409, 422, 503),
)
async def read_page(
    parts: PartsDep, session_id: SessionId, wanted: Annotated[PageIn, Query()]
) -> Response:
    """A page of the active branch, or of another: the newest messages, those before a message or
    those after it. Within the page the oldest is first."""

    def work(conn: Connection) -> bytes:
        session = sessions.get(conn, session_id)
        leaf_id, found = _found(conn, session, wanted)
        older = found[0].id if found and found[0].depth > 1 else None
        newer = found[-1].id if found and found[-1].id != leaf_id else None
        page = {
            "session_id": session_id,
            "leaf_id": leaf_id,
            "messages": shown(conn, parts, session, found),
            "has_more": (older if wanted.after is None else newer) is not None,
            "before": older,
            "after": newer,
        }
        return encoded(page)

    return as_json(await parts.database.read(work))


def _found(
    conn: Connection, session: Session, wanted: PageIn
) -> tuple[int | None, Sequence[Message]]:
    """Where the branch ends, and its messages that were asked for."""
    leaf_id, limit = session.leaf_id, wanted.limit
    if wanted.leaf is not None:
        leaf_id = branches.of_session(conn, session.id, wanted.leaf).id
    if wanted.before is not None:
        mark = branches.of_session(conn, session.id, wanted.before)
        return leaf_id, messages.branch(conn, mark.parent_id, limit)
    if wanted.after is None:
        return leaf_id, messages.branch(conn, leaf_id, limit)
    mark = branches.of_session(conn, session.id, wanted.after)
    return leaf_id, [] if leaf_id is None else branches.after(conn, leaf_id, mark, limit)


@router.get(
    "/sessions/{session_id}/tree", response_model=TreeOut, responses=responses(404, 422, 503)
)
async def read_tree(
    parts: PartsDep,
    session_id: SessionId,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
) -> Response:
    """The messages of all branches in outline, for whoever draws the tree."""

    def work(conn: Connection) -> bytes:
        session = sessions.get(conn, session_id)
        found = branches.outline(conn, session_id, after, limit + 1)
        some = found[:limit]
        rows = [one._asdict() | {"created_at": written(one.created_at)} for one in some]
        last = some[-1].id if len(found) > limit else None
        tree = {"session_id": session_id, "leaf_id": session.leaf_id, "messages": rows}
        return encoded({**tree, "after": last})

    return as_json(await parts.database.read(work))
