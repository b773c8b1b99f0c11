"""The only assembler: settings in, a running server out.

    create_app(settings) ─▶ routes and the layers in front; nothing is opened yet
            │ start-up                                   │ shutdown, in reverse
            ▼                                            │
    database (locked, migrated) ─▶ event log ─▶ providers ─▶ engine ─▶ chat ─▶ recovery ─▶ listening
                                                                                │
    the model on board loads behind ◀───────────────────────────────────────────┘

SIGTERM and Ctrl-C: questions are refused and readers sent home at once, running answers get
DRAIN_SECONDS, what is left is interrupted, the database closes last. A second signal cuts the wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from . import housekeeping, prices, stamps
from .answering.approvals import Approvals
from .answering.asides import Asides
from .answering.attempts import Policy
from .answering.summaries import Summaries
from .api import approvals as approval_routes
from .api import catalog as catalog_routes
from .api import chat as chat_routes
from .api import errors, files, generations, sessions, status, usage
from .api import imports as import_routes
from .api.deps import Parts
from .api.front import Application, FrontOptions
from .api.slow import SlowReaders
from .asking import fallbacks
from .catalog import Catalog
from .chat import Chat, Stamps
from .config import Settings, load_settings, read_variables
from .drain import Drain
from .engine import Engine
from .errors import Invalid, LiteError, StartupError
from .eventlog import EventLog
from .files.materials import Materials
from .files.uploads import Uploads
from .history import imports
from .model_lists import ModelLists
from .observe import set_up_logging
from .providers import endpoints, registry
from .providers.base import Provider
from .providers.local import Local
from .providers.pool import Pool
from .providers.wire import Rest
from .store.database import Database
from .store.location import Location
from .tools.base import NoTools, Toolbox
from .tools.config import read as read_servers

TIDY_INTERVAL_S = 3600.0
LOAD_GRACE_S = 0.3  # loading a model stops the event loop: whoever waits for the port goes first

log = logging.getLogger("lite_llm_chat")

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
        lifespan=_Lifespan(settings, slow),
        separate_input_output_schemas=False,
    )
    errors.install(app)
    app.include_router(status.router)
    app.include_router(_api(), prefix=settings.api_prefix)

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
    return Application(app, options, slow)


def application() -> Application:
    """The application for a web server that imports it. A wrong setting ends the process with
    its sentence."""
    try:
        return create_app()
    except StartupError as error:
        raise SystemExit(f"cannot start: {error.detail}") from None


def _api() -> APIRouter:
    api = APIRouter()
    for module in (
        catalog_routes,
        sessions,
        chat_routes,
        generations,
        approval_routes,
        usage,
        files,
        import_routes,
    ):
        api.include_router(module.router)
    api.include_router(status.router, include_in_schema=False)
    return api


class _Lifespan:
    """Opens the parts, waits while the server runs, closes them."""

    def __init__(self, settings: Settings, slow: SlowReaders) -> None:
        self._settings = settings
        self._slow = slow

    @asynccontextmanager
    async def __call__(self, app: FastAPI) -> AsyncIterator[None]:
        settings = self._settings
        async with AsyncExitStack() as stack:
            location = Location.from_url(
                settings.database_url, allow_network=settings.allow_network_filesystem
            )
            database = Database(location, durable=settings.durability == "full")
            await database.open()
            stack.push_async_callback(database.close)
            eventlog = EventLog(database, stamps.now, interval_s=settings.flush_ms / 1000)
            eventlog.start()
            stack.push_async_callback(eventlog.close)
            pool = Pool(settings.connect_timeout_seconds)
            stack.push_async_callback(pool.close)
            providers = _providers(settings, pool, eventlog.beat)
            local = providers["local"]
            if isinstance(local, Local):
                stack.push_async_callback(local.close)
            catalog = _catalog(settings, providers)
            costs = prices.Prices(_own_prices(settings), catalog.answering)
            toolbox = await _toolbox(settings, stack)
            engine = Engine(eventlog, _policy(settings), catalog.advice, toolbox)
            uploads = Uploads(
                database, Path(settings.upload_dir), settings.max_upload_bytes, stamps.now
            )
            engine.show(Materials(uploads).filled)
            stamp = Stamps(stamps.generation_id, stamps.now)
            chat = Chat(database, eventlog, engine, (catalog, providers), stamp)
            if settings.summarize_dropped:
                summaries = Summaries(database, Asides(database, stamps.now), stamps.now)
                stack.push_async_callback(summaries.close)
                chat.sum_up(summaries)
            lifetime_s = settings.model_list_minutes * 60
            lists = ModelLists(catalog, providers, lifetime_s=lifetime_s)
            stack.push_async_callback(lists.close)
            approvals = Approvals(database, eventlog, engine, providers)
            await _recover(database, approvals, chat)
            rules = imports.Rules(settings.max_upload_bytes, lambda: imports.home_of(catalog))
            bringing = imports.Imports((database, uploads), location.path, rules, stamps.now)
            await bringing.recover()
            stack.push_async_callback(bringing.close)
            kept = database, costs, uploads, bringing
            app.state.parts = _parts(settings, (chat, approvals, lists), kept)
            drain = Drain(engine, eventlog, settings.drain_seconds)
            stack.callback(drain.listen())  # undone after `finish`: a signal may cut its wait
            stack.push_async_callback(drain.finish)
            stack.push_async_callback(chat.settle)
            _in_background(stack, _tidy(database, settings), "tidy")
            _in_background(stack, self._slow.run(), "slow-readers")
            if isinstance(local, Local) and _wants_local(settings):
                _in_background(stack, _load(local), "load-local-model")
            yield


async def _recover(database: Database, approvals: Approvals, chat: Chat) -> None:
    try:
        recovered = await housekeeping.recover(database, stamps.now())
        waiting = await approvals.resume(chat.rules, stamps.now)
    except LiteError as error:
        raise StartupError(error.detail) from error
    if recovered:
        log.warning("answers cut by the last stop, now marked so: %d", recovered)
    if waiting:
        log.info("answers that wait for a person, as before the last stop: %d", waiting)


async def _toolbox(settings: Settings, stack: AsyncExitStack) -> Toolbox:
    """The tools of this server. They connect in the background."""
    usual = Settings.model_fields["tools_file"].default
    servers = read_servers(Path(settings.tools_file), required=settings.tools_file != usual)
    if not servers:
        return NoTools()
    try:
        from .tools.mcp_client import McpTools
    except ModuleNotFoundError as missing:
        raise StartupError(
            f"{settings.tools_file} names servers, and the package {missing.name!r} for them is"
            " missing: pip install -r requirement-mcp.txt"
        ) from None
    toolbox = McpTools(servers)
    toolbox.start()
    stack.push_async_callback(toolbox.close)
    return toolbox


def _providers(settings: Settings, pool: Pool, rest: Rest) -> dict[str, Provider]:
    key = settings.deepseek_api_key
    usual = Settings.model_fields["endpoints_file"].default
    own = endpoints.read(
        Path(settings.endpoints_file),
        registry.taken_ids(),
        required=settings.endpoints_file != usual,
    )
    return registry.build(
        registry.Parts(
            pool=pool,
            rest=rest,
            headers_timeout_s=settings.headers_timeout_seconds,
            deepseek_api_key=key.get_secret_value() if key else None,
            deepseek_base_url=settings.deepseek_base_url,
            local_enabled=settings.local_model == "auto",
            local_model_path=settings.local_model_path,
            local_context_tokens=settings.local_context_tokens,
            local_slots=settings.local_slots,
            variables=read_variables(registry.variables(own)),
            own=own,
        )
    )


def _own_prices(settings: Settings) -> prices.Own:
    usual = Settings.model_fields["prices_file"].default
    return prices.read(Path(settings.prices_file), required=settings.prices_file != usual)


def default_provider(settings: Settings) -> str:
    """Who answers when nobody is named."""
    return settings.default_provider or ("deepseek" if settings.deepseek_api_key else "local")


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


def _wants_local(settings: Settings) -> bool:
    if settings.local_model == "off":
        return False
    return default_provider(settings) == "local" or settings.local_model_path is not None


def _policy(settings: Settings) -> Policy:
    return Policy(
        first_piece_s=settings.first_piece_timeout_seconds,
        idle_s=settings.idle_timeout_seconds,
        total_s=settings.total_timeout_seconds,
        answer_bytes=settings.max_answer_bytes,
        retries=settings.upstream_retries,
        retry_window_s=settings.upstream_retry_seconds,
        most_answers=settings.max_live_answers,
        most_rounds=settings.max_tool_rounds,
    )


def _catalog(settings: Settings, providers: dict[str, Provider]) -> Catalog:
    chosen = default_provider(settings)
    if chosen not in providers:
        raise StartupError(
            f"DEFAULT_PROVIDER is {chosen!r}, which nobody is: choose one of {', '.join(providers)}"
        )
    catalog = Catalog(
        {name: provider.models for name, provider in providers.items()},
        open_ended=frozenset(name for name, one in providers.items() if one.open_ended),
        default_provider=chosen,
    )
    try:
        catalog.fall_back(fallbacks.read(settings.fallback_models or ""))
    except Invalid as wrong:
        raise StartupError(f"FALLBACK_MODELS: {wrong.detail}") from None
    return catalog


def _parts(
    settings: Settings,
    heart: tuple[Chat, Approvals, ModelLists],
    kept: tuple[Database, prices.Prices, Uploads, imports.Imports],
) -> Parts:
    chat, approvals, lists = heart
    database, costs, uploads, bringing = kept
    return Parts(
        chat=chat,
        approvals=approvals,
        model_lists=lists,
        database=database,
        prices=costs,
        app_name=settings.app_name,
        app_version=settings.app_version,
        api_prefix=settings.api_prefix,
        keep_alive_s=settings.keep_alive_seconds,
        uploads=uploads,
        imports=bringing,
        max_body_bytes=settings.max_body_bytes,
        now=stamps.now,
    )


async def _load(local: Local) -> None:
    """Load the model on board behind the running server, and say how that went."""
    if not local.readiness().ready:
        log.warning("local: %s", local.readiness().note)
        return
    await asyncio.sleep(LOAD_GRACE_S)
    loop = asyncio.get_running_loop()
    started = loop.time()
    log.info("local: loading %s", local.models[0].name)
    await local.load()
    outcome = local.readiness()
    if outcome.ready:
        log.info("local: ready after %.1f s", loop.time() - started)
    else:
        log.warning("local: %s", outcome.note)


async def _tidy(database: Database, settings: Settings) -> None:
    """Drop old logs now and then."""
    retention = timedelta(hours=settings.event_retention_hours)
    while True:
        try:
            dropped = await housekeeping.tidy(database, stamps.now(), retention)
        except LiteError as error:
            log.warning("tidying up failed, to be tried again in an hour: %s", error.detail)
        else:
            if dropped:
                log.info("the events of %d old answers were dropped; their text stays", dropped)
        await asyncio.sleep(TIDY_INTERVAL_S)


def _in_background(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """A task that ends with the server."""
    task = asyncio.create_task(work, name=name)

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)
