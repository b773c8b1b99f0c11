"""The outermost layer: a mark for every request, and a start-up that fails in one sentence.

Pure ASGI: it touches the first message of a response and nothing of a stream.
"""

from __future__ import annotations

import logging
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import StartupError

log = logging.getLogger("lite_llm_chat")


class Edge:
    """Adds `X-Request-Id` and `X-Content-Type-Options`; turns a StartupError into its sentence."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id  # errors.py names it in a 500

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers.setdefault("x-content-type-options", "nosniff")
            await send(message)

        await self._app(scope, receive, marked)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The framework would report a failed start with its whole traceback; whoever starts a
        server needs the sentence."""
        failure: list[Message] = []

        async def held(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failure.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, held)
        except StartupError as error:
            log.error("cannot start: %s", error.detail)
            await send({"type": "lifespan.startup.failed", "message": ""})
        except BaseException:
            for message in failure:
                await send(message)
            raise
