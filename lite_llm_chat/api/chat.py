"""POST /chat, and the two ways to try an answer again."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ..chat import Ask, Wish
from . import answers, sse, streams
from .attached import said_with_files
from .deps import KeyDep, MessageId, PartsDep, json_only, once
from .errors import responses
from .messages import AnswerOut
from .presets import preset_of
from .replies import TicketOut
from .requests import AnswerIn, ChatIn

router = APIRouter(tags=["chat"], dependencies=[Depends(json_only)])

PLAINLY = AnswerIn()  # an answer that is asked for without a body

ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "model": AnswerOut,
        "description": "The answer: a stream of events, or with `stream: false` one object",
        "content": {"text/event-stream": streams.PLAIN_EVENTS},
    },
    202: {"model": TicketOut, "description": "With `background: true`: where the answer will be"},
    **responses(404, 409, 413, 415, 422, 502, 503, 504),
}


def _wish(asked: AnswerIn, route: str, key: str | None) -> Wish:
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
    )


@router.post("/chat", response_class=Response, responses=ANSWERS, summary="Chat completion")
async def chat(request: Request, parts: PartsDep, key: KeyDep, asked: ChatIn) -> Response:
    """Record the question and answer it. The answer goes on and is kept whether or not anybody
    reads it; `GET /generations/{id}/events` follows it from any point."""
    ask = Ask(
        await said_with_files(parts, asked.messages, request),
        _wish(asked, "chat", key),
        asked.session_id,
        asked.title,
        await preset_of(parts, asked),
    )
    accepting = parts.chat.open_turn(ask, asked.on_active)
    if asked.on_active != "enqueue":
        return await answers.reply(request, parts, asked, await accepting)
    client = sse.client_of(request.scope)
    ticket = await sse.while_connected(request.receive, accepting, client)
    if ticket is None:  # the client left the queue: it is not asked for any more
        return Response(status_code=499)
    return await answers.reply(request, parts, asked, ticket)


@router.post(
    "/messages/{message_id}/regenerate",
    response_class=Response,
    responses=ANSWERS,
    summary="Answer the same question again",
)
async def regenerate(
    request: Request, parts: PartsDep, key: KeyDep, message_id: MessageId, asked: AnswerIn = PLAINLY
) -> Response:
    """A second answer beside the first, which stays. The session's active branch ends in the
    new one."""
    wish = _wish(asked, f"regenerate/{message_id}", key)
    ticket = await parts.chat.regenerate(message_id, wish, asked.on_active)
    return await answers.reply(request, parts, asked, ticket)


@router.post(
    "/messages/{message_id}/continue",
    response_class=Response,
    responses=ANSWERS,
    summary="Go on from a cut answer",
)
async def continue_(
    request: Request, parts: PartsDep, key: KeyDep, message_id: MessageId, asked: AnswerIn = PLAINLY
) -> Response:
    """A sibling of an interrupted, cancelled, failed or length-cut answer that begins with its
    text and goes on from there. The cut one stays."""
    wish = _wish(asked, f"continue/{message_id}", key)
    ticket = await parts.chat.continue_(message_id, wish, asked.on_active)
    return await answers.reply(request, parts, asked, ticket)
