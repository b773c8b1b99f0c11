"""The parts of a running server, opened one upon the other and closed in reverse.

    database (locked, migrated) ─▶ event log ─▶ providers ─▶ engine ─▶ chat ─▶ recovery ─▶ listening
                                                                                │
    what goes on beside: tidying, backups, the search index, the model on board ┘

SIGTERM and Ctrl-C: questions are refused and readers sent home at once, running answers get
DRAIN_SECONDS, what is left is interrupted, the database closes last. A second signal cuts the wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from .. import housekeeping, prices, stamps
from ..answering.approvals import Approvals
from ..answering.asides import Asides
from ..answering.summaries import Summaries
from ..api.deps import Parts
from ..api.slow import SlowReaders
from ..backups import Backups
from ..catalog import Catalog
from ..chat import Chat, Stamps
from ..config import Settings
from ..drain import Drain
from ..engine import Engine
from ..errors import LiteError, StartupError
from ..eventlog import EventLog
from ..exporters.pages import Pages
from ..files.materials import Materials
from ..files.uploads import Uploads
from ..history.imports import Imports, Rules, home_of
from ..history.titles import Titles, title_rules
from ..history.trash import Trash
from ..model_lists import ModelLists
from ..providers.base import Provider
from ..providers.local import Local
from ..providers.pool import Pool
from ..search import upkeep
from ..store import backup_whole
from ..store.database import Database
from ..store.location import Location
from ..tools.base import Toolbox
from . import unpacked

LOAD_GRACE_S = 0.3  # loading a model stops the event loop: whoever waits for the port goes first

log = logging.getLogger("lite_llm_chat")


class Lifespan:
    """Opens the parts, waits while the server runs, closes them."""

    def __init__(self, settings: Settings, slow: SlowReaders) -> None:
        self._settings = settings
        self._slow = slow

    @asynccontextmanager
    async def __call__(self, app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            opening = _Opening(self._settings, stack)
            heart = await opening.heart()
            parts = await opening.around(heart)
            app.state.parts = parts
            opening.ending(heart, parts)
            opening.background(heart, parts)
            _in_background(stack, self._slow.run(), "slow-readers")
            yield


@dataclass(frozen=True, slots=True)
class _Heart:
    """What every answer needs."""

    location: Location
    database: Database
    eventlog: EventLog
    providers: dict[str, Provider]
    catalog: Catalog
    toolbox: Toolbox
    engine: Engine
    uploads: Uploads
    chat: Chat


class _Opening:
    """One start. Whatever is opened is put on the stack, to be closed in reverse."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack

    async def heart(self) -> _Heart:
        """The parts that every answer needs, from the database up. Raises StartupError."""
        settings, stack = self._settings, self._stack
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
        providers = unpacked.providers_of(settings, pool, eventlog.beat)
        local = providers["local"]
        if isinstance(local, Local):
            stack.push_async_callback(local.close)
        catalog = unpacked.catalog_of(settings, providers)
        toolbox = await unpacked.toolbox_of(settings, stack)
        engine = Engine(eventlog, unpacked.policy_of(settings), catalog.advice, toolbox)
        folder = Path(settings.upload_dir)
        uploads = Uploads(database, folder, settings.max_upload_bytes, stamps.now)
        await uploads.sweep()
        engine.show(Materials(uploads).filled)
        stamp = Stamps(stamps.generation_id, stamps.now)
        chat = Chat(database, eventlog, engine, (catalog, providers), stamp)
        return _Heart(
            location, database, eventlog, providers, catalog, toolbox, engine, uploads, chat
        )

    async def around(self, heart: _Heart) -> Parts:
        """What stands around the heart; what an earlier process left behind is taken up. Raises
        StartupError."""
        settings, stack, database = self._settings, self._stack, heart.database
        titles = self._titles(heart)
        trash = Trash(database, heart.chat.clear, unpacked.keeping_of(settings), stamps.now)
        stack.push_async_callback(trash.close)
        lifetime_s = settings.model_list_minutes * 60
        lists = ModelLists(heart.catalog, heart.providers, lifetime_s=lifetime_s)
        stack.push_async_callback(lists.close)
        approvals = Approvals(database, heart.eventlog, heart.engine, heart.providers)
        await _recover(database, approvals, heart.chat)
        who = heart.catalog, heart.providers
        temporary = unpacked.temporary_of(settings, database, who, heart.toolbox)
        temporary.draining = lambda: heart.engine.draining
        stack.push_async_callback(temporary.close)
        return Parts(
            chat=heart.chat,
            titles=titles,
            trash=trash,
            approvals=approvals,
            model_lists=lists,
            database=database,
            prices=prices.Prices(unpacked.own_prices(settings), heart.catalog.answering),
            app_name=settings.app_name,
            app_version=settings.app_version,
            api_prefix=settings.api_prefix,
            keep_alive_s=settings.keep_alive_seconds,
            uploads=heart.uploads,
            backups=self._backups(heart),
            imports=await self._imports(heart),
            max_body_bytes=settings.max_body_bytes,
            now=stamps.now,
            temporary=temporary,
            lasting=database,
            pages=Pages(database),
        )

    def _titles(self, heart: _Heart) -> Titles:
        """What is asked beside answers."""
        settings, chat, database = self._settings, heart.chat, heart.database
        asides = Asides(database, stamps.now)
        if settings.summarize_dropped:
            summaries = Summaries(database, asides, stamps.now)
            self._stack.push_async_callback(summaries.close)
            chat.sum_up(summaries)
        rules = title_rules(settings.titles, settings.title_model, heart.catalog)
        who, engine = (heart.catalog, heart.providers), heart.engine
        titles = Titles(database, asides, who, rules, lambda: engine.draining)
        self._stack.push_async_callback(titles.close)
        chat.name(titles)
        return titles

    def _backups(self, heart: _Heart) -> Backups:
        settings = self._settings
        sources = backup_whole.Sources(heart.location.path, Path(settings.upload_dir))
        folder = Path(settings.backup_dir)
        backups = Backups(sources, folder, settings.backup_keep, stamps.now)
        self._stack.push_async_callback(backups.close)
        return backups

    async def _imports(self, heart: _Heart) -> Imports:
        settings = self._settings
        rules = Rules(settings.max_upload_bytes, lambda: home_of(heart.catalog))
        into = heart.database, heart.uploads
        imports = Imports(into, heart.location.path, rules, stamps.now)
        await imports.recover()
        self._stack.push_async_callback(imports.close)
        return imports

    def ending(self, heart: _Heart, parts: Parts) -> None:
        """What happens first when the server ends."""
        stack, temporary = self._stack, parts.temporary
        patience_s = self._settings.drain_seconds
        drain = Drain(heart.engine, heart.eventlog, patience_s, temporary.running)
        stack.callback(drain.listen())  # undone after `finish`: a signal may cut its wait
        stack.push_async_callback(drain.finish)
        stack.push_async_callback(heart.chat.settle)
        stack.push_async_callback(temporary.settle)

    def background(self, heart: _Heart, parts: Parts) -> None:
        """What goes on beside the answers."""
        settings, stack = self._settings, self._stack
        _in_background(stack, parts.temporary.watch(), "forget-temporary")
        logs = timedelta(hours=settings.event_retention_hours)
        keeping = unpacked.keeping_of(settings)
        tidying = housekeeping.tidy_hourly(heart.database, stamps.now, logs, keeping)
        _in_background(stack, tidying, "tidy")
        parts.backups.keep_time(timedelta(hours=settings.backup_every_hours))
        _in_background(stack, upkeep.keep(heart.database), "search")
        local = heart.providers["local"]
        if isinstance(local, Local) and unpacked.wants_local(settings):
            _in_background(stack, _load(local), "load-local-model")


async def _recover(database: Database, approvals: Approvals, chat: Chat) -> None:
    try:
        await upkeep.begin(database)
        recovered = await housekeeping.recover(database, stamps.now())
        waiting = await approvals.resume(chat.rules, stamps.now)
    except LiteError as error:
        raise StartupError(error.detail) from error
    if recovered:
        log.warning("answers cut by the last stop, now marked so: %d", recovered)
    if waiting:
        log.info("answers that wait for a person, as before the last stop: %d", waiting)


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


def _in_background(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """A task that ends with the server."""
    task = asyncio.create_task(work, name=name)

    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)
