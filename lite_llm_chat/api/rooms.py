"""Routes that are opened at their first visit.

    GET /api/v1/usage ─▶ Rooms ─▶ "usage" is a word of a closed room: its module is imported,
                           │      and its routes come to the place that was kept for them
                           └────▶ the framework, as for every request

A module of routes takes some 5 to 20 ms to import, and memory: shapes and the framework's view of
each route. Most servers never serve most of them. A word opens a room wherever it stands in a path:
that one was opened for nothing does no harm.
"""

from __future__ import annotations

import asyncio
from importlib import import_module

from fastapi import APIRouter
from starlette.types import ASGIApp, Receive, Scope, Send


class Rooms:
    """The rooms, and which of them are still closed."""

    def __init__(self) -> None:
        self._closed: dict[str, APIRouter] = {}  # by their modules: the places of their routes
        self._words: dict[str, list[str]] = {}  # which modules a word in a path opens

    def kept(self, module: str, *words: str) -> APIRouter:
        """The place of a module's routes, of this package, until a path has one of the words."""
        place = self._closed[module] = APIRouter()
        for word in words:
            self._words.setdefault(word, []).append(module)
        return place

    def open_all(self) -> None:
        """For whoever has to see all routes, such as their description."""
        for module in [*self._closed]:
            self._open(module)

    async def visit(self, path: str) -> None:
        """Open what a request to this path may need. Modules are imported in a thread: others go
        on being served."""
        for word in path.split("/"):
            for module in self._words.get(word, ()):
                if module in self._closed:
                    await asyncio.to_thread(_imported, module)
                    self._open(module)  # unless somebody else's visit did so meanwhile

    def _open(self, module: str) -> None:
        place = self._closed.pop(module, None)
        if place is not None:
            place.include_router(_imported(module))

    @property
    def closed(self) -> bool:
        """Whether any still is."""
        return bool(self._closed)


class Doors:
    """The layer that opens rooms for the requests that pass."""

    def __init__(self, app: ASGIApp, rooms: Rooms) -> None:
        self._app = app
        self._rooms = rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._rooms.closed:
            await self._rooms.visit(scope["path"])
        await self._app(scope, receive, send)


def _imported(module: str) -> APIRouter:
    router: APIRouter = import_module(f".{module}", __package__).router
    return router
