"""Imports: a file comes, is read beside the server, and becomes sessions; one at a time.

    receive ─▶ folder/<id>/archive ─▶ a row, running ─▶ the reading process ─▶ Taking ─▶ rows
                                                        cancel · the server stops ─▶ its end

An import's folder holds the archive while it is read and its whole report afterwards. What a stop
leaves half done is not shown and is taken away; running the import again finishes it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from ..catalog import Catalog
from ..errors import (
    Conflict,
    Invalid,
    LiteError,
    StartupError,
    StorageUnavailable,
)
from ..files.uploads import Uploads, shown_name
from ..importers.reading import reading
from ..stamps import generation_id
from ..store import imports, trash
from ..store.database import Database
from ..store.imports import Import
from .importing import Terms
from .reports import Progress, stored_progress
from .taking import Taking

KEPT = 50  # imports whose reports are kept
NOTHING = (
    "nothing in this file is an export that is known here: docs/import.md says which there are"
    " and how to get them"
)

Ending = Literal["cancelled", "interrupted"]

log = logging.getLogger("lite_llm_chat")


class Wish(NamedTuple):
    """What somebody wants done with a file."""

    name: str
    format: str
    dry_run: bool


class Shown(NamedTuple):
    """An import and how it goes."""

    row: Import
    progress: Progress


@dataclass(frozen=True, slots=True)
class Rules:
    """What an import may take, and who answers in a session that does not say."""

    file_bytes: int
    home: Callable[[], tuple[str, str]]


def home_of(catalog: Catalog) -> tuple[str, str]:
    """Who answers in a session that names nobody: the default, or only its provider's name where
    that has no default model."""
    try:
        choice = catalog.choose(None, None)
    except Invalid:
        return catalog.default_provider, "unknown"
    return choice.provider, choice.model


class Imports:
    """The imports of a server, in a folder beside its database. `recover` before use, `close`
    last."""

    def __init__(
        self,
        kept: tuple[Database, Uploads],
        database: Path,
        rules: Rules,
        now: Callable[[], datetime],
    ) -> None:
        self._db, self._uploads = kept
        self._folder = database.with_name(f"{database.name}-imports")
        self._rules = rules
        self._now = now
        self._busy = False  # from the first byte of a file to the end of its import
        self._running: Shown | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: Ending = "interrupted"

    async def recover(self) -> None:
        """End what an earlier process left running. Raises StartupError."""
        try:
            left = await self._db.write(lambda conn: imports.interrupt(conn, self._now()))
            await self._clear()
        except LiteError as error:
            raise StartupError(error.detail) from error
        await asyncio.to_thread(_drop_archives, self._folder)
        if left:
            log.warning("an import was cut by the last stop: run it again, and it goes on")

    async def close(self) -> None:
        """Stop what runs."""
        await self._stop("interrupted")

    async def settled(self) -> None:
        """Return once none is running."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def receive(self, wish: Wish, chunks: AsyncIterator[bytes]) -> Shown:
        """Take a file in and begin to import it; whoever asks bounds its size. Raises Conflict
        `import_running` or StorageUnavailable."""
        if self._busy:
            raise Conflict(
                "an import is running: wait for its end, or cancel it", code="import_running"
            )
        self._busy, import_id = True, generation_id()
        place = self._folder / import_id
        try:
            size = await self._spool(place, chunks)
            progress = Progress(size, wish.format)
            row = Import(
                import_id,
                shown_name(wish.name),
                wish.dry_run,
                "running",
                self._now(),
                None,
                progress.stored(),
            )
            await self._db.write(lambda conn: imports.begin(conn, row))
        except BaseException:
            self._busy = False
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
            raise
        self._running = Shown(row, progress)
        self._ending = "interrupted"
        self._task = asyncio.create_task(self._run(self._running, place), name=f"import-{row.id}")
        await asyncio.sleep(0)  # it has begun, so that a stop at any moment finds its end
        return self._running

    async def _spool(self, place: Path, chunks: AsyncIterator[bytes]) -> int:
        size = 0
        try:
            target = await asyncio.to_thread(_new_archive, place)
            with target:
                async for chunk in chunks:
                    size += len(chunk)
                    await asyncio.to_thread(target.write, chunk)
        except OSError as cause:
            raise StorageUnavailable(
                f"the file cannot be put aside ({cause.strerror}): make room beside the database"
            ) from cause
        return size

    # ── while it runs ─────────────────────────────────────────────────────────────────────────

    async def _run(self, shown: Shown, place: Path) -> None:
        status: str = "failed"
        try:
            await self._import(shown, place)
            status = "failed" if shown.progress.error else "completed"
        except asyncio.CancelledError:
            status = self._ending
        except LiteError as error:
            shown.progress.error = error.detail
        except OSError as cause:
            shown.progress.error = f"the disk refused: {cause.strerror}"
        finally:
            await asyncio.shield(self._end(shown, place, status))

    async def _import(self, shown: Shown, place: Path) -> None:
        row, progress = shown
        terms = Terms(row.created_at, self._rules.home(), row.dry_run)
        taking = Taking((self._db, self._uploads), place, terms, progress)
        archive, limit = place / "archive", self._rules.file_bytes
        async with reading(archive, place, progress.wanted, limit, dry=row.dry_run) as frames:
            progress.error = await taking.take(frames)
        if progress.error is None:
            progress.bytes_read = progress.bytes
            if progress.format is None:
                progress.error = NOTHING

    async def _end(self, shown: Shown, place: Path, status: str) -> None:
        """Its status is stored, and nothing is left but its report."""
        progress, import_id, at = shown.progress, shown.row.id, self._now()
        try:
            await self._clear()
            await self._db.write(
                lambda conn: imports.settle(conn, import_id, status, at, progress.stored())
            )
            old = await self._db.write(lambda conn: imports.forget_old(conn, KEPT))
        except LiteError as error:
            old = ()
            log.error("the end of import %s could not be stored: %s", import_id, error.detail)
        await asyncio.to_thread(_tidy, self._folder, place, old)
        self._running, self._busy = None, False
        log.info("import %s is %s: %d messages", import_id, status, progress.messages)

    async def _clear(self) -> None:
        """Take away what was not shown."""
        while await self._db.write(partial(trash.step, marked=trash.UNFINISHED)):
            pass

    # ── from outside ──────────────────────────────────────────────────────────────────────────

    async def find(self, import_id: str) -> Shown:
        """Raises NotFound `import_not_found`."""
        if self._running is not None and self._running.row.id == import_id:
            return self._running
        row = await self._db.read(lambda conn: imports.get(conn, import_id))
        return Shown(row, stored_progress(row.report))

    async def page(self, limit: int) -> Sequence[Shown]:
        """The newest ones, newest first."""
        rows = await self._db.read(lambda conn: imports.page(conn, limit))
        return [self._live(row) or Shown(row, stored_progress(row.report)) for row in rows]

    def _live(self, row: Import) -> Shown | None:
        running = self._running
        return running if running is not None and running.row.id == row.id else None

    async def report(self, import_id: str) -> Path | None:
        """The file of its whole report; None if nothing was to be said. Raises NotFound."""
        shown = await self.find(import_id)
        path = self._folder / shown.row.id / "report.ndjson"
        return path if await asyncio.to_thread(path.is_file) else None

    async def cancel(self, import_id: str) -> Shown:
        """Stop it, and say how it ended. What it has imported stays. Raises NotFound, or Conflict
        `import_ended`."""
        shown = await self.find(import_id)
        if shown is not self._running:
            raise Conflict("this import is over: there is nothing to stop", code="import_ended")
        await self._stop("cancelled")
        return await self.find(import_id)

    async def _stop(self, ending: Ending) -> None:
        task = self._task
        if task is not None and not task.done():
            self._ending = ending
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.shield(task)


def _new_archive(place: Path) -> BinaryIO:
    """A file that only this server may read, in a folder that only it may enter."""
    place.mkdir(parents=True, mode=0o700)
    handle = os.open(place / "archive", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    return os.fdopen(handle, "wb")


def _tidy(folder: Path, place: Path, old: Sequence[str]) -> None:
    _keep_report(place)
    for import_id in old:
        shutil.rmtree(folder / import_id, ignore_errors=True)


def _keep_report(place: Path) -> None:
    """Everything else in an import's folder is gone, and an empty folder, too."""
    with suppress(OSError):
        for path in place.iterdir():
            if path.name != "report.ndjson":
                path.unlink()
        if not any(place.iterdir()):
            place.rmdir()


def _drop_archives(folder: Path) -> None:
    with suppress(OSError):
        for place in folder.iterdir():
            _keep_report(place)
