"""The only assembler: settings in, an application out.

create_app(settings) ─▶ routes and the layers in front; nothing is opened yet
        │ start-up                            │ shutdown
        ▼                                     ▼
assembly/server.py opens the parts ……… and closes them in reverse
"""

from __future__ import annotations

from typing import NamedTuple

from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from .api import catalog as catalog_routes
from .api import chat as chat_routes
from .api import errors, sessions, status
from .api.deps import Parts
from .api.front import Application, FrontOptions
from .api.rooms import Rooms
from .api.slow import SlowReaders
from .assembly.server import Lifespan
from .config import Settings, load_settings
from .errors import StartupError
from .observe import set_up_logging

DESCRIPTION = """
A chat backend that never loses a word: sessions and messages are kept, answers are streamed and
outlive their readers, and what was cut says so.
"""


def create_app(settings: Settings | None = None) -> Application:
    """The application, closed. It opens its parts when it is started and closes them after.
    Raises StartupError if a setting is wrong."""
    settings = settings or load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    slow = SlowReaders(settings.slow_reader_seconds)
    app = FastAPIOffline(
        title=settings.app_name,
        version=settings.app_version,
        description=DESCRIPTION,
        lifespan=Lifespan(settings, slow),
        separate_input_output_schemas=False,
    )
    rooms = Rooms()
    errors.install(app, rooms.open_all)
    app.include_router(status.router)
    app.include_router(rooms.kept("shared", "s"))
    app.include_router(_api(rooms), prefix=settings.api_prefix)

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    options = FrontOptions(
        settings.api_prefix,
        settings.cors_origins,
        settings.max_body_bytes,
        settings.max_chat_bytes,
        settings.max_upload_bytes,
        settings.max_import_bytes,
    )
    return Application(app, options, slow, rooms)


def application() -> Application:
    """The application for a web server that imports it. A wrong setting ends the process with
    its sentence."""
    try:
        return create_app()
    except StartupError as error:
        raise SystemExit(f"cannot start: {error.detail}") from None


def _api(rooms: Rooms) -> APIRouter:
    """All routes below the prefix, in the order of their description. What a chat needs is there
    from the start, the rest when somebody comes for it."""
    api = APIRouter()
    for router in (
        catalog_routes.router,
        sessions.router,
        rooms.kept("branches", "leaf", "fork", "copy", "messages", "tree"),
        rooms.kept("folders", "folders", "tags"),
        rooms.kept("presets", "presets"),
        rooms.kept("search", "search"),
        chat_routes.router,
        rooms.kept("generations", "generations", "events"),
        rooms.kept("approvals", "approvals"),
        rooms.kept("usage", "usage"),
        rooms.kept("files", "files", "upload"),
        rooms.kept("backups", "backups"),
        rooms.kept("exports", "export"),
        rooms.kept("shares", "shares"),
        rooms.kept("imports", "imports"),
    ):
        api.include_router(router)
    api.include_router(status.router, include_in_schema=False)
    return api


class Answering(NamedTuple):
    """Who answers when nobody is named, what is in its way ("" for nothing), and the ids of those
    who would answer if they were named."""

    usual: str
    trouble: str
    others: tuple[str, ...]


def who_answers(app: Application) -> Answering:
    """Of a started application."""
    parts: Parts = app.framework.state.parts
    everyone = parts.chat.providers()
    usual = next(one for one in everyone if one.is_default)
    trouble = "" if usual.readiness.ready else usual.readiness.note
    if not (trouble or parts.chat.models(usual.id)):
        trouble = "it has no default model: name one in every question"
    others = tuple(one.id for one in everyone if one.readiness.ready and not one.is_default)
    return Answering(f"{usual.name}: {usual.description}", trouble, others)
