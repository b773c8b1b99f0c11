"""The frames of an archive become rows, a few conversations in a transaction.

    frames ─▶ conversation ─┬─ short ─▶ waits for company ─▶ one transaction for all of them
                            └─ long  ─▶ a transaction for each hundred messages, shown at its end
    files ─▶ uploads, before the messages beside which they are

A transaction is small and the next one waits until it is done: answers that are being written go
between them. While one is written nothing is read, so nothing piles up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar, assert_never

from ..domain import Attachment
from ..errors import LiteError, NotFound, StorageUnavailable
from ..files.uploads import Uploads, shown_name
from ..importers.base import Attached, Head, Utterance
from ..importers.frames import Done, Found, Frame, Left, Tail
from ..importers.own import Preset, Shelf
from ..store import imports
from ..store.database import Connection, Database
from . import importing
from .importing import Result, Terms, Told
from .reports import Entry, Lines, Progress, entry_of

T = TypeVar("T")

GROUP_MESSAGES = 100  # in one transaction
GROUP_CHARS = 512 * 1024


@dataclass(slots=True)
class _Open:
    """The conversation whose messages are coming. `told` is None while it fits into one group."""

    head: Head
    said: list[Utterance] = field(default_factory=list)
    chars: int = 0
    told: Told | None = None
    kept: dict[str, Attachment] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def is_much(self) -> bool:
        return len(self.said) >= GROUP_MESSAGES or self.chars >= GROUP_CHARS


@dataclass(slots=True)
class _Whole:
    """A short conversation that is ready to be written."""

    told: Told
    said: tuple[Utterance, ...]
    active: str | None
    kept: dict[str, Attachment]
    notes: list[str]


class Taking:
    """Takes in one archive."""

    def __init__(
        self, kept: tuple[Database, Uploads], folder: Path, terms: Terms, progress: Progress
    ) -> None:
        self._db, self._uploads = kept
        self._folder = folder
        self._terms = terms
        self._progress = progress
        self._lines = Lines(folder / "report.ndjson")
        self._open: _Open | None = None
        self._group: list[_Whole] = []

    async def take(self, frames: AsyncIterator[Frame]) -> str | None:
        """Everything; what kept the rest from being read, if something did. Raises
        StorageUnavailable."""
        try:
            async for frame in frames:
                if isinstance(frame, Done):
                    return frame.trouble
                await self._frame(frame)
            return None
        finally:
            await self._write_group()
            await asyncio.to_thread(self._lines.written)

    async def _frame(self, frame: Found | Shelf | Preset | Head | Utterance | Tail | Left) -> None:
        match frame:
            case Found():
                self._progress.format = frame.format
            case Shelf() | Preset():
                if not self._terms.dry:
                    await self._db.write(partial(_keep_setting, frame, self._terms))
            case Head():
                self._open = _Open(frame)
            case Utterance():
                await self._said(frame)
            case Tail():
                await self._close(frame.active)
                self._progress.bytes_read = frame.at
            case Left():
                result = Result(frame.outcome, why=frame.why)
                self._progress.bytes_read = frame.at
                self._count(entry_of(frame.title, None, result))
            case _:
                assert_never(frame)

    # ── one conversation ──────────────────────────────────────────────────────────────────────

    async def _said(self, one: Utterance) -> None:
        now = self._open
        assert now is not None
        now.said.append(one)
        now.chars += len(one.content) + len(one.parts or "") + len(one.reasoning or "")
        if now.is_much:
            await self._write_group()
            await self._write_some(now)

    async def _close(self, active: str | None) -> None:
        now, self._open = self._open, None
        assert now is not None
        if now.told is not None:
            await self._write_some(now)
            finish = partial(importing.finish, told=now.told, active=active, terms=self._terms)
            self._done(now.head, await self._do(finish), now.notes)
            await asyncio.to_thread(self._lines.written)
            return
        told = Told(now.head, now.said[0].created_at if now.said else None)
        await self._keep_files(now, told)
        self._group.append(_Whole(told, tuple(now.said), active, now.kept, now.notes))
        together = sum(len(one.said) + 1 for one in self._group)
        if together >= GROUP_MESSAGES or now.chars >= GROUP_CHARS // 4:
            await self._write_group()

    async def _write_some(self, now: _Open) -> None:
        """The messages that have come of a long conversation."""
        if now.told is None:
            told = Told(now.head, now.said[0].created_at)
            begin = partial(importing.begin, told=told, terms=self._terms, hidden=True)
            now.told = await self._do(begin)
        said, now.said, now.chars = tuple(now.said), [], 0
        await self._keep_files(replace(now, said=said), now.told)  # type: ignore[arg-type]
        add = partial(
            importing.add, told=now.told, said=said, kept=dict(now.kept), terms=self._terms
        )
        now.told = await self._do(add)

    async def _do(self, work: Callable[[Connection], T]) -> T:
        return await (self._db.read(work) if self._terms.dry else self._db.write(work))

    # ── several at once ───────────────────────────────────────────────────────────────────────

    async def _write_group(self) -> None:
        """The short conversations that wait, together; if that fails, each by itself."""
        group, self._group = self._group, []
        if not group:
            return
        try:
            results = await self._do(partial(_all, group, self._terms))
        except StorageUnavailable:
            raise
        except LiteError:
            results = [await self._alone(one) for one in group]
        for one, result in zip(group, results, strict=True):
            self._done(one.told.head, result, one.notes)
        await asyncio.to_thread(self._lines.written)

    async def _alone(self, one: _Whole) -> Result:
        try:
            [result] = await self._do(partial(_all, [one], self._terms))
        except StorageUnavailable:
            raise
        except LiteError as refused:
            return Result("broken", why=refused.detail)
        return result

    def _done(self, head: Head, result: Result, notes: list[str]) -> None:
        self._count(entry_of(head.title, head.source_id or head.uid, result, notes))

    def _count(self, entry: Entry) -> None:
        self._progress.count(entry)
        self._lines.put(entry)

    # ── files ─────────────────────────────────────────────────────────────────────────────────

    async def _keep_files(self, now: _Open, told: Told) -> None:
        """Keep the files beside messages that are not here yet; say which are missing."""
        if not any(one.attached for one in now.said):
            return
        head = told.head
        source = (head.source, head.source_id) if head.source and head.source_id else None
        here = told.here or await self._db.read(lambda conn: imports.find(conn, head.uid, source))
        for one in now.said:
            for file in one.attached:
                known = here is not None and one.source_id in here.by_source
                if not known:
                    await self._keep(file, now)
                if file.place is not None:
                    await asyncio.to_thread((self._folder / file.place).unlink, missing_ok=True)

    async def _keep(self, file: Attached, now: _Open) -> None:
        if file.id is not None and await self._is_here(file, now):
            return
        if file.missing is not None:
            now.notes.append(f"the file {shown_name(file.name)} is missing: {file.missing}")
        elif file.place is None:
            self._progress.files += 1  # a dry run only counts it
        else:
            await self._upload(file, file.place, now)

    async def _is_here(self, file: Attached, now: _Open) -> bool:
        """Whether a file of our own export is here already."""
        with suppress(NotFound):
            row, _ = await self._uploads.find(file.id or "")
            now.kept[row.id] = Attachment(row.id, row.name, row.media_type, row.size_bytes)
            return True
        return False

    async def _upload(self, file: Attached, place: str, now: _Open) -> None:
        path = self._folder / place
        try:
            with await asyncio.to_thread(path.open, "rb") as source:
                row = await self._uploads.keep(source, file.name)
        except LiteError as refused:
            if isinstance(refused, StorageUnavailable):
                raise
            now.notes.append(f"the file {shown_name(file.name)} is missing: {refused.detail}")
            return
        name = shown_name(file.name)
        now.kept[file.id or place] = Attachment(row.id, name, row.media_type, row.size_bytes)
        self._progress.files += 1


def _all(group: list[_Whole], terms: Terms, conn: Connection) -> list[Result]:
    return [
        importing.whole(conn, one.told, one.said, (one.active, one.kept), terms) for one in group
    ]


def _keep_setting(found: Shelf | Preset, terms: Terms, conn: Connection) -> None:
    if isinstance(found, Preset):
        importing.keep_preset(conn, found)
    else:
        imports.folder(conn, found.path, terms.at, found.retention_days)
