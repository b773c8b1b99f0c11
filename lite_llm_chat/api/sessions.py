"""Sessions: list, read, make, change, name, cut, delete, restore; one or many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import Response

from ..asking.manners import changed, home_of
from ..domain import Message, Session
from ..history import places
from ..store import branches, listing, presets, sessions
from ..store.database import Connection
from ..store.sessions import Titled
from .deps import MessageId, Parts, PartsDep, SessionId, json_only
from .errors import responses
from .listed import ListIn
from .messages import SessionDetail, message_fields
from .options import preset_of
from .placed import BulkIn, BulkOut, SessionPatch
from .replies import Fields, SessionOut, encoded, session_fields
from .requests import SessionIn

router = APIRouter(tags=["sessions"], dependencies=[Depends(json_only)])


class _One(StringConvertor):
    """The place of one session in a path: anything but the word for many. So `PATCH` of that is
    405, as of every address that does not take it."""

    regex = "(?!bulk$)[^/]+"


register_url_convertor("one", _One())


@router.get("/sessions", response_model=list[SessionOut], responses=responses(422, 503))
async def list_sessions(parts: PartsDep, chosen: Annotated[ListIn, Query()]) -> Response:
    """Chat sessions, most recently updated first; those in the trash, most recently deleted."""
    wanted = chosen.wanted()

    def work(conn: Connection) -> bytes:
        return encoded([session_fields(session) for session in listing.page(conn, wanted)])

    return as_json(await parts.database.read(work))


@router.get(
    "/sessions/{session_id:one}", response_model=SessionDetail, responses=responses(404, 422, 503)
)
async def get_session(parts: PartsDep, session_id: SessionId) -> Response:
    """A session with the messages of its active branch, oldest first. An answer in the making
    is there with what it says so far."""

    def work(conn: Connection) -> bytes:
        session = sessions.get(conn, session_id)
        page = session_fields(session)
        page["messages"] = _fields(parts, *branches.active(conn, session))
        return encoded(page)

    return as_json(await parts.database.read(work))


def shown(
    conn: Connection, parts: Parts, session: Session, some: Sequence[Message]
) -> list[Fields]:
    """Messages of a session with their siblings."""
    return _fields(parts, some, branches.siblings(conn, session, some))


def _fields(
    parts: Parts, some: Sequence[Message], beside: Mapping[int, Sequence[int]]
) -> list[Fields]:
    prices, prefix = parts.prices, parts.api_prefix
    return [message_fields(one, prices, prefix, beside.get(one.id)) for one in some]


def as_json(page: bytes) -> Response:
    """A page as it is: its shape is described and not checked again, which would cost more than
    everything else. It is written by the thread that read it: the loop has others to serve."""
    return Response(page, media_type="application/json")


@router.post("/sessions", status_code=201, responses=responses(404, 413, 415, 422, 503))
async def create_session(parts: PartsDep, wanted: SessionIn) -> SessionOut:
    """A new, empty session."""
    preset, at = await preset_of(parts, wanted), parts.now()
    home = home_of(preset, None, parts.chat.choose)
    choice = parts.chat.choose(wanted.provider, wanted.model, home)

    def work(conn: Connection) -> Session:
        session = sessions.create(conn, Titled(wanted.title), (choice.provider, choice.model), at)
        return presets.settle(conn, changed(session, preset, wanted.manners()))

    return SessionOut.of(await parts.database.write(work))


@router.patch("/sessions/{session_id:one}", responses=responses(404, 413, 415, 422, 503))
async def update_session(
    parts: PartsDep, session_id: SessionId, wanted: SessionPatch
) -> SessionOut:
    """Change what a session says of itself and of its answers (title, provider, model, system
    prompt, options, preset), which moves it to the top of the list, or where it is put, which
    does not."""
    preset, at = await preset_of(parts, wanted), parts.now()

    def work(conn: Connection) -> Session:
        session = sessions.get(conn, session_id)
        values: dict[str, str] = {}
        if wanted.title is not None:
            values |= {"title": wanted.title, "title_by": "person"}
        if preset or wanted.provider is not None or wanted.model is not None:
            home = home_of(preset, (session.provider, session.model), parts.chat.choose)
            choice = parts.chat.choose(wanted.provider, wanted.model, home)
            values |= {"provider": choice.provider, "model": choice.model}
        places.put(conn, session, wanted.placing(at))
        if (manners := wanted.manners()).said:
            presets.settle(conn, changed(session, preset, manners))
        if values or manners.said:
            sessions.change(conn, session_id, at, values)
        return sessions.get(conn, session_id)

    return SessionOut.of(await parts.database.write(work))


@router.post("/sessions/{session_id}/title", responses=responses(404, 409, 413, 415, 422, 502, 503))
async def name_session(parts: PartsDep, session_id: SessionId) -> SessionOut:
    """Let a model give the session a new title, whoever made the old one."""
    return SessionOut.of(await parts.titles.anew(session_id))


@router.post("/sessions/bulk", responses=responses(404, 409, 413, 415, 422, 503))
async def change_sessions(parts: PartsDep, wanted: BulkIn) -> BulkOut:
    """Do one thing to many sessions."""
    ids, change = wanted.sessions(), wanted.change(parts.now())
    if change is not None:
        outcome = await places.change_all(parts.database, ids, change)
    elif wanted.action == "restore":
        outcome = await parts.trash.restore_many(ids)
    else:
        permanent = wanted.action == "delete"
        outcome = await parts.trash.delete_many(ids, permanent=permanent)
    return BulkOut(changed=outcome.changed, missing=list(outcome.missing))


@router.delete("/sessions/{session_id:one}", status_code=204, responses=responses(404, 422, 503))
async def delete_session(
    parts: PartsDep,
    session_id: SessionId,
    permanent: Annotated[bool, Query(description="For good, also from the trash")] = False,
) -> None:
    """Put a session into the trash, or delete it for good; an answer in the making is stopped
    first."""
    await parts.trash.delete(session_id, permanent=permanent)


@router.delete("/sessions", status_code=204, responses=responses(503))
async def delete_sessions(parts: PartsDep) -> None:
    """Put every session into the trash."""
    await parts.trash.delete_all()


@router.post("/sessions/{session_id}/restore", responses=responses(404, 413, 415, 422, 503))
async def restore_session(parts: PartsDep, session_id: SessionId) -> SessionOut:
    """Take a session out of the trash, as it was."""
    return SessionOut.of(await parts.trash.restore(session_id))


@router.delete("/trash", status_code=204, responses=responses(503))
async def empty_trash(parts: PartsDep) -> None:
    """Delete for good what is in the trash."""
    await parts.trash.empty()


@router.delete(
    "/sessions/{session_id}/truncate/{message_id}",
    status_code=204,
    responses=responses(404, 409, 422, 503),
)
async def truncate(parts: PartsDep, session_id: SessionId, message_id: MessageId) -> None:
    """Take a message and all after it off the session's branch. The rows are kept: the next
    question starts a new branch there."""
    await parts.chat.truncate(session_id, message_id)
