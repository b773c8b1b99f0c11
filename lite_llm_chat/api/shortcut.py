"""The two most frequent requests past the framework: the same functions behind a shorter way.

    Edge ─▶ CORS ─▶ Shortcut ─┬─ a plain, valid POST /chat ─▶ chat()
                              ├─ a plain GET /sessions/7   ─▶ get_session()
                              └─ everything else ─▶ the framework ─▶ chat(), get_session(), …

Routing, dependencies and validation by the framework cost a request some 0.3 ms before anything
is done for it (measured, November 2026). This takes the requests that need none of that: one whole
JSON body that is valid, no idempotency key; a session by its number, nothing else asked. Any other
is handed on as it came, so what is refused, and how, is said in one place. The routes themselves
stay the framework's: they are described there.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable

from fastapi import FastAPI, Request
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import LiteError
from . import errors
from .chat import chat
from .deps import Parts
from .requests import ChatIn
from .sessions import get_session

_TAKEN = (b"application/json", b"application/json; charset=utf-8")
_SPECIAL = (b"idempotency-key", b"content-encoding")


class Shortcut:
    """Answers `POST prefix/chat` and `GET prefix/sessions/{id}` itself where it can, and leaves
    the rest to `app`, the way to the framework."""

    def __init__(self, framework: FastAPI, app: ASGIApp, prefix: str) -> None:
        self._framework = framework
        self._app = app
        self._chat = f"{prefix}/chat"
        self._session = re.compile(f"{re.escape(prefix)}/sessions/([1-9][0-9]{{0,17}})").fullmatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] == self._chat and _plain(scope):
                await self._question(scope, receive, send)
                return
            session = self._session(scope["path"])
            if session and scope["method"] == "GET" and not scope["query_string"]:
                response = await _answered(self._shown(int(session[1])))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _shown(self, session_id: int) -> Response:
        parts: Parts = self._framework.state.parts
        return await get_session(await parts.of(session_id), session_id)

    async def _question(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            message = await receive()
        except HTTPException as refused:  # the body is too large: the framework says it
            await self._app(scope, _raising(refused), send)
            return
        asked = _asked(message)
        if asked is None:
            await self._app(scope, _again(message, receive), send)
            return
        parts = self._framework.state.parts
        response = await _answered(chat(Request(scope, receive), parts, None, asked))
        await response(scope, receive, send)


async def _answered(answering: Awaitable[Response]) -> Response:
    try:
        return await answering
    except LiteError as error:
        return errors.of(error)


def _plain(scope: Scope) -> bool:
    """Whether nothing but the body says what is wanted."""
    media_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value.lower()
        elif name in _SPECIAL:
            return False
    return scope["method"] == "POST" and media_type in _TAKEN


def _asked(message: Message) -> ChatIn | None:
    """The question, if the message has all of it and it is valid."""
    if message["type"] != "http.request" or message.get("more_body"):
        return None
    try:
        return ChatIn.model_validate_json(message["body"])
    except ValidationError:
        return None


def _again(message: Message, receive: Receive) -> Receive:
    """`receive` that begins with a message that was received before."""
    unread = [message]

    async def again() -> Message:
        return unread.pop() if unread else await receive()

    return again


def _raising(error: HTTPException) -> Receive:
    """`receive` that fails as it failed before."""

    async def again() -> Message:
        raise error

    return again
