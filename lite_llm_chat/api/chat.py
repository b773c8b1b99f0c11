"""POST /chat, and what is done with a question or an answer again."""

from __future__ import annotations

from collections.abc import Awaitable

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ..chat import Ask, Edit, Wish
from ..domain import Ticket
from . import answers, several, sse, streams
from .attached import said_with_files
from .deps import KeyDep, MessageId, Parts, PartsDep, json_only, once
from .errors import responses
from .messages import AnswerOut, AnswersOut
from .options import preset_of
from .replies import TicketOut, TicketsOut
from .requests import AnswerIn, AskIn, ChatIn, EditIn

router = APIRouter(tags=["chat"], dependencies=[Depends(json_only)])

PLAINLY = AskIn()  # an answer that is asked for without a body …
GOING_ON = AnswerIn()  # … and one that is gone on with

ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "model": AnswerOut | AnswersOut,
        "description": "The answer: a stream of events, or with `stream: false` one object; with"
        " `models` those of all",
        "content": {"text/event-stream": streams.PLAIN_EVENTS},
    },
    202: {
        "model": TicketOut | TicketsOut,
        "description": "With `background: true`: where the answer will be",
    },
    **responses(404, 409, 413, 415, 422, 502, 503, 504),
}


def _wish(asked: AskIn | AnswerIn, route: str, key: str | None) -> Wish:
    return Wish(
        provider=asked.provider,
        model=asked.model,
        turn_provider=asked.message_provider,
        turn_model=asked.message_model,
        options=asked.options(),
        system_prompt=asked.system_prompt_wanted(),
        warnings=tuple(asked.unknown()),
        once=once(route, key, asked),
        fallback=None if asked.fallback_models is None else tuple(asked.fallback_models),
        server_tools=asked.server_tools_wanted(),
        models=tuple(asked.models or ()) if isinstance(asked, AskIn) else (),
    )


async def _answered(
    request: Request, parts: Parts, asked: AnswerIn, accepting: Awaitable[Ticket]
) -> Response:
    """The reply, once the question is accepted. A client that leaves the queue before that asks
    for nothing any more."""
    if asked.on_active == "enqueue":
        client = sse.client_of(request.scope)
        ticket = await sse.while_connected(request.receive, accepting, client)
        if ticket is None:
            return Response(status_code=499)
    else:
        ticket = await accepting
    if ticket.beside:
        return await several.reply(request, parts, asked, ticket)
    return await answers.reply(request, parts, asked, ticket)


@router.post("/chat", response_class=Response, responses=ANSWERS, summary="Chat completion")
async def chat(request: Request, parts: PartsDep, key: KeyDep, asked: ChatIn) -> Response:
    """Record the question and answer it. The answer goes on and is kept whether or not anybody
    reads it; `GET /generations/{id}/events` follows it from any point."""
    parts = await (parts.beside() if asked.temporary else parts.of(asked.session_id))
    ask = Ask(
        await said_with_files(parts, [one.said() for one in asked.messages], request),
        _wish(asked, "chat", key),
        asked.session_id,
        asked.title,
        await preset_of(parts, asked),
    )
    accepting = parts.chat.open_turn(ask, asked.on_active)
    return await _answered(request, parts, asked, accepting)


@router.post(
    "/messages/{message_id}/edit",
    response_class=Response,
    responses=ANSWERS,
    summary="Ask something else instead",
)
async def edit(
    request: Request, parts: PartsDep, key: KeyDep, message_id: MessageId, asked: EditIn
) -> Response:
    """Another question beside this one, which stays with all that was said after it. The session's
    active branch ends in the answer to the new one."""
    [said] = await said_with_files(parts, [asked.said()], request)
    wish = _wish(asked, f"edit/{message_id}", key)
    wanted = Edit(message_id, said, wish, keeps_files=not asked.names_files)
    return await _answered(request, parts, asked, parts.chat.edit(wanted, asked.on_active))


@router.post(
    "/messages/{message_id}/regenerate",
    response_class=Response,
    responses=ANSWERS,
    summary="Answer the same question again",
)
async def regenerate(
    request: Request, parts: PartsDep, key: KeyDep, message_id: MessageId, asked: AskIn = PLAINLY
) -> Response:
    """A second answer beside the first, which stays. The session's active branch ends in the
    new one."""
    wish = _wish(asked, f"regenerate/{message_id}", key)
    accepting = parts.chat.regenerate(message_id, wish, asked.on_active)
    return await _answered(request, parts, asked, accepting)


@router.post(
    "/messages/{message_id}/continue",
    response_class=Response,
    responses=ANSWERS,
    summary="Go on from a cut answer",
)
async def continue_(
    request: Request,
    parts: PartsDep,
    key: KeyDep,
    message_id: MessageId,
    asked: AnswerIn = GOING_ON,
) -> Response:
    """A sibling of an interrupted, cancelled, failed or length-cut answer that begins with its
    text and goes on from there. The cut one stays."""
    wish = _wish(asked, f"continue/{message_id}", key)
    accepting = parts.chat.continue_(message_id, wish, asked.on_active)
    return await _answered(request, parts, asked, accepting)
