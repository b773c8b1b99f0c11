"""Backups beside the running server: on request and by the clock, one at a time.

    start("manual") ───┐
    keep_time(every) ──┴─▶ uploads gathered ─▶ the database copied, checked ─▶ named ─▶ a Backup
                               │                    │ files that came meanwhile          │
                               │                    └─▶ gathered                         ▼
                               └── any failure: a Trouble, nothing half is left    the oldest go

The work is done in a thread, as a reader like any other (store/backup.py). A scheduled copy that
has had its time goes after the newer one was checked, never before.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from .errors import Conflict, LiteError, NotFound, StartupError, Unavailable
from .store import backup_folder
from .store.backup import BackupError, Why, of_system
from .store.backup_files import FILES, sweep
from .store.backup_folder import Backup
from .store.backup_tar import Tar
from .store.backup_whole import Sources, back_up_whole

MadeHere = Literal["manual", "scheduled"]
LOOK_S = 600.0  # how often the clock is looked at: it may be set, and machines sleep
AGAIN = timedelta(hours=1)  # after a scheduled one that failed, or sooner if one is due sooner

_SENTENCES: dict[Why, str] = {
    "full": "the disk has no room for a backup: make room, or set BACKUP_DIR to another disk",
    "damaged": "the database is damaged, so it was not copied: restore an earlier backup",
    "place": "the folder of backups cannot be written: check BACKUP_DIR, the rights to it and its"
    " free space",
    "stopped": "the server stopped before the backup was whole: make another one",
    "other": "the database could not be copied: the log of the server has the reason",
}

log = logging.getLogger("lite_llm_chat.backups")


@dataclass(slots=True)
class Running:
    """The one that is being made, and how large its copy is so far."""

    kind: MadeHere
    started_at: datetime
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the last one failed."""

    at: datetime
    kind: MadeHere
    detail: str


class Backups:
    """Makes backups, lists them, gives and takes them away. Raises StartupError if the places are
    not apart."""

    def __init__(
        self, sources: Sources, folder: Path, keep: int, now: Callable[[], datetime]
    ) -> None:
        if (folder / FILES).resolve() == sources.uploads.resolve():
            raise StartupError(
                "UPLOAD_DIR is the folder in which backups keep their files: choose another"
                " BACKUP_DIR"
            )
        self._sources = sources
        self._folder = folder
        self._keep = keep
        self._now = now
        self._changing = asyncio.Lock()  # what is swept must not be gathered meanwhile
        self._task: asyncio.Task[Backup | Trouble] | None = None
        self._clock: asyncio.Task[None] | None = None
        self._stopping = False
        self.running: Running | None = None
        self.trouble: Trouble | None = None  # of the last one, unless it was made

    def start(self, kind: MadeHere) -> asyncio.Task[Backup | Trouble]:
        """Begin to make one; it goes on whoever waits. Raises Conflict `backup_running`."""
        if self.running is not None:
            raise Conflict(
                "a backup is being made: GET /backups says how far it is", code="backup_running"
            )
        self.running = Running(kind, self._now())
        self._task = asyncio.create_task(self._make(self.running), name="backup")
        return self._task

    def keep_time(self, every: timedelta) -> None:
        """From now on make one whenever the newest scheduled one is that old; none if it is 0."""
        if every:
            self._clock = asyncio.create_task(self._run(every), name="scheduled-backups")

    async def _run(self, every: timedelta) -> None:
        wait_s = 0.0
        while True:
            await asyncio.sleep(wait_s)
            wait_s = await self._once_due(every)

    async def _once_due(self, every: timedelta) -> float:
        """Make one if it is time; seconds until it is worth looking again."""
        try:
            due = await asyncio.to_thread(self._due, every)
        except Unavailable as error:
            log.error("scheduled backups: %s", error.detail)
            return LOOK_S
        wait_s = (due - self._now()).total_seconds()
        if wait_s > 0 or self.running is not None:
            return min(max(wait_s, 1), LOOK_S)
        made = await asyncio.shield(self.start("scheduled"))
        return min(every, AGAIN).total_seconds() if isinstance(made, Trouble) else 0

    async def close(self) -> None:
        """Make no more, and end the one that is being made; nothing of it is left."""
        self._stopping = True
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.wait({self._clock})
        if self._task is not None:
            await asyncio.wait({self._task})

    async def all(self) -> list[Backup]:
        """What there is, the newest first. Raises Unavailable `backups_unreadable`."""
        return await asyncio.to_thread(self._listed)

    async def packed(self, name: str) -> Tar:
        """One with its files, to be sent away. Raises NotFound `backup_not_found`, Conflict
        `backup_damaged` or Unavailable `backups_unreadable`."""

        def pack() -> Tar:
            found = self._find(name)
            try:
                return Tar(found.path, with_files=found.kind != "migration")
            except (OSError, sqlite3.Error):
                raise Conflict(
                    "this backup cannot be read any more: take another one", code="backup_damaged"
                ) from None

        return await asyncio.to_thread(pack)

    async def forget(self, name: str) -> None:
        """Delete one, and the files that only it refers to; the next one sweeps them if it is being
        made. Raises NotFound `backup_not_found`, Unavailable `backups_unreadable`."""
        found = await asyncio.to_thread(self._find, name)
        await asyncio.to_thread(found.path.unlink, missing_ok=True)
        if self.running is None:
            async with self._changing:
                await asyncio.to_thread(self._sweep)

    # ── in a thread ───────────────────────────────────────────────────────────────────────────

    def _listed(self) -> list[Backup]:
        try:
            return backup_folder.listed(self._folder, self._sources.database)
        except OSError as cause:
            raise Unavailable(
                f"the folder of backups cannot be read ({cause.strerror}): check BACKUP_DIR",
                code="backups_unreadable",
            ) from cause

    def _find(self, name: str) -> Backup:
        for one in self._listed():
            if one.name == name:
                return one
        raise NotFound(
            "there is no such backup: GET /backups lists those there are", code="backup_not_found"
        )

    def _sweep(self) -> None:
        if self._folder.is_dir():
            sweep(self._folder)

    def _due(self, every: timedelta) -> datetime:
        now = self._now()  # what a wrong clock has dated into the future counts for nothing
        made = [one.created_at for one in self._listed() if one.kind == "scheduled"]
        return max((at for at in made if at <= now), default=now - every) + every

    async def _make(self, running: Running) -> Backup | Trouble:
        try:
            async with self._changing:
                made = await asyncio.to_thread(self._made, running)
        except LiteError as error:
            why = error.why if isinstance(error, BackupError) else "other"
            self.trouble = Trouble(self._now(), running.kind, _SENTENCES[why])
            level = logging.INFO if why == "stopped" else logging.ERROR
            log.log(level, "a %s backup failed: %s", running.kind, error.detail)
            return self.trouble
        finally:
            self.running = None
        self.trouble = None
        log.info("backup made name=%s bytes=%d files=%d", made.name, made.size_bytes, made.files)
        if made.missing:
            log.warning("uploaded files that are gone from UPLOAD_DIR: %d", made.missing)
        return made

    def _made(self, running: Running) -> Backup:
        folder = self._folder

        def tell(size_bytes: int) -> None:
            running.size_bytes = size_bytes

        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in backup_folder.left_over(folder):
                part.unlink(missing_ok=True)
            target = backup_folder.fresh(folder, running.kind, running.started_at)
            try:
                back_up_whole(self._sources, target, tell=tell, go_on=self._go_on)
            except BackupError:
                sweep(folder)
                raise
            self._make_room(folder)
        except OSError as cause:
            raise of_system(folder, cause) from cause
        return self._find(target.name)

    def _go_on(self) -> bool:
        return not self._stopping

    def _make_room(self, folder: Path) -> None:
        """Delete what has had its time, and the files that nothing refers to any more."""
        for old in backup_folder.outlived(self._listed(), self._keep):
            with suppress(OSError):
                old.path.unlink(missing_ok=True)
                log.info("the old backup %s was deleted", old.name)
        sweep(folder)
