"""POST /chat past the framework: the same function behind a shorter way.

    Edge ─▶ CORS ─▶ Shortcut ─┬─ a plain, valid POST /chat ─▶ chat()
                              └─ everything else ─▶ the framework ─▶ chat(), sessions, …

Routing, dependencies and validation by the framework cost a question some 0.3 ms before anything
is done for it (measured, November 2026). This takes the requests that need none of that: one whole
JSON body that is valid, no idempotency key. Any other is handed on as it came, so what is
refused, and how, is said in one place. The route itself stays the framework's: it is described
there.
"""

from __future__ import annotations

import json

from fastapi import Request
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import LiteError
from . import errors
from .chat import chat
from .requests import ChatIn

_TAKEN = (b"application/json", b"application/json; charset=utf-8")
_SPECIAL = (b"idempotency-key", b"content-encoding")


class Shortcut:
    """Answers `POST path` itself where it can."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path or not _plain(scope):
            await self._app(scope, receive, send)
            return
        try:
            message = await receive()
        except HTTPException as refused:  # the body is too large: the framework says it
            await self._app(scope, _raising(refused), send)
            return
        asked = _asked(message)
        if asked is None:
            await self._app(scope, _again(message, receive), send)
            return
        response = await _answered(Request(scope, receive), asked)
        del message, asked  # a stream may be long: what was asked is kept elsewhere
        await response(scope, receive, send)


async def _answered(request: Request, asked: ChatIn) -> Response:
    try:
        return await chat(request, request.app.state.parts, None, asked)
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
        return ChatIn.model_validate(json.loads(message["body"]))
    except (ValueError, RecursionError, ValidationError):
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
