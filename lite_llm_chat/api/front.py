"""The application with its own layers in front of the framework's.

    Edge ─▶ CORS ─▶ a defect is a 500 ─▶ Shortcut ─▶ Doors ─▶ the framework: its layers, the routes

The framework would put them behind its own first layers, which every piece of every stream would
pass and every held stream would pay for in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from .middleware import Edge
from .rooms import Doors, Rooms
from .shortcut import Shortcut
from .slow import SlowReaders

FORM_BYTES = 65_536  # what a form adds to the file in it


@dataclass(frozen=True, slots=True)
class FrontOptions:
    """What the front must know: which origins may ask, and how many bytes at once."""

    api_prefix: str
    cors_origins: Sequence[str]
    max_body_bytes: int
    max_chat_bytes: int
    max_upload_bytes: int
    max_import_bytes: int


class Application(Edge):
    """What a web server calls. `framework` has the routes, their description and the state."""

    def __init__(
        self, framework: FastAPI, options: FrontOptions, slow: SlowReaders, rooms: Rooms
    ) -> None:
        self.framework = framework
        layers: ASGIApp = Shortcut(framework, Doors(framework, rooms), options.api_prefix)
        layers = ServerErrorMiddleware(layers, framework.exception_handlers[Exception])
        if options.cors_origins:
            layers = CORSMiddleware(
                layers,
                allow_origins=list(options.cors_origins),
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=["X-Generation-Id", "X-Request-Id", "Idempotency-Replayed"],
            )
        super().__init__(
            layers,
            max_body_bytes=options.max_body_bytes,
            larger={
                f"{options.api_prefix}/upload": options.max_upload_bytes + FORM_BYTES,
                f"{options.api_prefix}/chat": options.max_chat_bytes,
                f"{options.api_prefix}/messages/{{id}}/edit": options.max_chat_bytes,
                f"{options.api_prefix}/imports": options.max_import_bytes,
            },
            slow=slow,
        )
