"""Sessions: list, read, make, change, cut, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from ..asking.manners import changed, home_of
from ..domain import Message, Session
from ..store import branches, messages, presets, sessions
from ..store.database import Connection
from ..store.sessions import Titled
from .deps import LARGEST_ID, MessageId, Parts, PartsDep, SessionId, json_only
from .errors import responses
from .messages import SessionDetail, message_fields
from .presets import preset_of
from .replies import Fields, SessionOut, encoded, session_fields
from .requests import SessionIn, SessionPatch

router = APIRouter(tags=["sessions"], dependencies=[Depends(json_only)])


@router.get("/sessions", response_model=list[SessionOut], responses=responses(422, 503))
async def list_sessions(
    parts: PartsDep,
    skip: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """All chat sessions, most recently updated first."""

    def work(conn: Connection) -> bytes:
        return encoded([session_fields(session) for session in sessions.page(conn, skip, limit)])

    return as_json(await parts.database.read(work))


@router.get(
    "/sessions/{session_id}", response_model=SessionDetail, responses=responses(404, 422, 503)
)
async def get_session(parts: PartsDep, session_id: SessionId) -> Response:
    """A session with the messages of its active branch, oldest first. An answer in the making
    is there with what it says so far."""

    def work(conn: Connection) -> bytes:
        session = sessions.get(conn, session_id)
        page = session_fields(session)
        branch = messages.branch(conn, session.leaf_id)
        page["messages"] = shown(conn, parts, session, branch)
        return encoded(page)

    return as_json(await parts.database.read(work))


def shown(
    conn: Connection, parts: Parts, session: Session, some: Sequence[Message]
) -> list[Fields]:
    """Messages of a session with their siblings."""
    beside = branches.siblings(conn, session, some)
    prices, prefix = parts.prices, parts.api_prefix
    return [message_fields(one, prices, prefix, beside.get(one.id)) for one in some]


def as_json(page: bytes) -> Response:
    """A page as it is: its shape is described and not checked again, which would cost more than
    everything else. It is written by the thread that read it: the loop has others to serve."""
    return Response(page, media_type="application/json")


@router.post("/sessions", status_code=201, responses=responses(413, 415, 422, 503))
async def create_session(parts: PartsDep, wanted: SessionIn) -> SessionOut:
    """A new, empty session."""
    preset, at = await preset_of(parts, wanted), parts.now()
    home = home_of(preset, None, parts.chat.choose)
    choice = parts.chat.choose(wanted.provider, wanted.model, home)

    def work(conn: Connection) -> Session:
        session = sessions.create(conn, Titled(wanted.title), (choice.provider, choice.model), at)
        return presets.settle(conn, changed(session, preset, wanted.manners()))

    return SessionOut.of(await parts.database.write(work))


@router.patch("/sessions/{session_id}", responses=responses(404, 413, 415, 422, 503))
async def update_session(
    parts: PartsDep, session_id: SessionId, wanted: SessionPatch
) -> SessionOut:
    """Change a session's title, who answers in it, or how."""
    preset, at = await preset_of(parts, wanted), parts.now()

    def work(conn: Connection) -> Session:
        session = sessions.get(conn, session_id)
        values = {} if wanted.title is None else {"title": wanted.title}
        if preset or wanted.provider is not None or wanted.model is not None:
            home = home_of(preset, (session.provider, session.model), parts.chat.choose)
            choice = parts.chat.choose(wanted.provider, wanted.model, home)
            values |= {"provider": choice.provider, "model": choice.model}
        if (manners := wanted.manners()).said:
            presets.settle(conn, changed(session, preset, manners))
        if values or manners.said:
            sessions.change(conn, session_id, at, values)
        return sessions.get(conn, session_id)

    return SessionOut.of(await parts.database.write(work))


@router.delete("/sessions/{session_id}", status_code=204, responses=responses(404, 422, 503))
async def delete_session(parts: PartsDep, session_id: SessionId) -> None:
    """Delete a session and its messages; an answer in the making is stopped first."""
    await parts.chat.delete_session(session_id)


@router.delete("/sessions", status_code=204, responses=responses(503))
async def delete_sessions(parts: PartsDep) -> None:
    """Delete every session."""
    await parts.chat.delete_all_sessions()


@router.delete(
    "/sessions/{session_id}/truncate/{message_id}",
    status_code=204,
    responses=responses(404, 409, 422, 503),
)
async def truncate(parts: PartsDep, session_id: SessionId, message_id: MessageId) -> None:
    """Take a message and all after it off the session's branch. The rows are kept: the next
    question starts a new branch there."""
    await parts.chat.truncate(session_id, message_id)
