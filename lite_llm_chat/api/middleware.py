"""The outermost layer: a mark for every request, a bound for every body, and a start-up that
fails in one sentence.

Pure ASGI: it counts the bytes of a request as they are read and touches the first message of a
response. A stream begins within the layers and is sent from here, once they have been left: a
held stream costs none of their frames.
"""

from __future__ import annotations

import itertools
import logging
import re
import secrets
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import StartupError
from . import sse
from .slow import SlowReaders

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_PROCESS = secrets.token_hex(4)  # the ids of two runs differ, those of one are counted
_number = itertools.count(1)
_ID = re.compile("/[0-9]+/")  # in a path

log = logging.getLogger("lite_llm_chat")


class Edge:
    """Adds `X-Request-Id` and `X-Content-Type-Options`; refuses a body over `max_body_bytes` (or
    over what `larger` says of its path, an id in it as `{id}`); has the connections watched; turns
    a StartupError into its sentence."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int | None = None,
        larger: Mapping[str, int] | None = None,
        slow: SlowReaders | None = None,
    ) -> None:
        self._app = app
        self._slow = slow
        self._max_body_bytes = max_body_bytes
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._slow is not None:
                self._slow.watch(scope, receive)
            await self._through_layers(scope, receive, send)
            stream = sse.begun(scope)
            if stream is not None:
                await stream.send(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _through_layers(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"{_PROCESS}{next(_number):08x}"
        scope.setdefault("state", {})["request_id"] = request_id  # errors.py names it in a 500

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                if all(name != _NOSNIFF[0] for name, _ in headers):
                    headers.append(_NOSNIFF)
                message["headers"] = headers
            await send(message)

        limit = self._larger.get(_ID.sub("/{id}/", scope["path"]), self._max_body_bytes)
        await self._app(
            scope, receive if limit is None else _bounded(scope, receive, limit), marked
        )

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


def _bounded(scope: Scope, receive: Receive, limit: int) -> Receive:
    """`receive` that raises 413 where the body is, or says that it will be, over the limit. The
    state of the request has how many bytes of it were read: `body_bytes`."""
    size = read = 0
    for name, text in scope["headers"]:
        if name == b"content-length" and text.isdigit():
            size = int(text)

    async def bounded() -> Message:
        nonlocal read
        if size > limit:
            raise HTTPException(413)
        message = await receive()
        read += len(message.get("body", b""))
        scope["state"]["body_bytes"] = read
        if read > limit:
            raise HTTPException(413)
        return message

    return bounded
