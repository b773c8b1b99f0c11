"""Everything as one zip that is written while it is read, in bounded memory.

    database ─ a step of ~256 KiB ─▶ pieces ─ a thread ─▶ Archive ─▶ bytes, at once
    folder   ─ a chunk of a file ──▶   │
                                       └─ "sessions/<uid>.json", b"…"

The same state gives the same bytes: entries in one order, no times, no system's marks. A step is
one read transaction; the next one begins when the reader has taken the last one's bytes, so a slow
reader holds no view of the database open. Each session is as it was at its own moment.
"""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from ..errors import NotFound
from ..files.uploads import Uploads
from ..store import records
from ..store.database import Connection, Database
from ..store.records import File, Head
from . import form

STEP_BYTES = 256 * 1024
FILE_CHUNK_BYTES = 1024 * 1024
MANY = 100  # messages: a session that may become larger than a plain zip's entry can be

_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3  # whatever wrote it


class Piece(NamedTuple):
    """Some bytes of an entry. Pieces of one entry follow each other. `plain`: not to be
    compressed; `large`: the entry may be over 2 GiB."""

    entry: str
    data: bytes
    plain: bool = False
    large: bool = False


class _Sink:
    """What a zip is written to: it cannot be sought in, so it is written from front to back."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._written)
        self._written.clear()
        return data


class _Zip(zipfile.ZipFile):
    """One that may be forgotten in the middle of an entry: its reader has left."""

    def __del__(self) -> None:
        """There is no file to close."""


class Archive:
    """A zip in the making. Its calls may come from any thread, one after the other."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = _Zip(self._sink, "w")  # type: ignore[call-overload]
        self._name: str | None = None
        self._entry: IO[bytes] | None = None

    def add(self, pieces: Iterable[Piece]) -> bytes:
        """Write pieces; the bytes of the zip that are known by then."""
        for piece in pieces:
            if piece.entry != self._name:
                self._begin(piece)
            assert self._entry is not None
            self._entry.write(piece.data)
        return self._sink.taken()

    def _begin(self, piece: Piece) -> None:
        self._close_entry()
        info = zipfile.ZipInfo(piece.entry, _DATE)
        info.create_system = _UNIX
        info.external_attr = 0o644 << 16
        info.compress_type = zipfile.ZIP_STORED if piece.plain else zipfile.ZIP_DEFLATED
        self._entry = self._zip.open(info, "w", force_zip64=piece.large)
        self._name = piece.entry

    def _close_entry(self) -> None:
        if self._entry is not None:
            self._entry.close()

    def end(self) -> bytes:
        """The last bytes of the zip."""
        self._close_entry()
        self._zip.close()
        return self._sink.taken()


class At(NamedTuple):
    """How far an export of sessions has come: behind `uid`, or in `head` before its message
    number `done + 1`."""

    uid: str = ""
    head: Head | None = None
    done: int = 0


async def everything(database: Database, uploads: Uploads) -> AsyncIterator[bytes]:
    """The bytes of the zip, in pieces. Raises StorageUnavailable, or NotFound if a long session
    is deleted while it is being read."""
    archive = Archive()
    yield await asyncio.to_thread(archive.add, await database.read(_around))
    at: At | None = At()
    while at is not None:
        pieces, at = await database.read(partial(step, at=at))
        if data := await asyncio.to_thread(archive.add, pieces):
            yield data
        del pieces, data  # nothing of it is held while the reader takes its time
    async for file, path in _files(database, uploads):
        async for data in _file(archive, file, path):
            yield data
    yield await asyncio.to_thread(archive.end)


def _around(conn: Connection) -> Sequence[Piece]:
    return [
        Piece("manifest.json", form.MANIFEST),
        Piece("folders.json", form.folders(records.folders(conn))),
        Piece("presets.json", form.presets(records.presets(conn))),
    ]


def step(conn: Connection, at: At) -> tuple[Sequence[Piece], At | None]:
    """The next pieces, about STEP_BYTES, and how far they go; None: that were the last ones."""
    pieces: list[Piece] = []
    size = 0
    while size < STEP_BYTES:
        head = at.head
        if head is None:
            found = records.uids_after(conn, at.uid, 1)
            if not found:
                return pieces, None
            [(uid, session_id)] = found
            head = records.head(conn, session_id)
            data, then = form.start(head, head.ids), At(uid, head)
        elif at.done == len(head.ids):
            data, then = form.END, At(at.uid)
        else:
            record = records.record(conn, head.ids[at.done])
            data, then = form.message(record, head.ids), at._replace(done=at.done + 1)
        pieces.append(Piece(f"sessions/{then.uid}.json", data, large=len(head.ids) > MANY))
        size += len(data)
        at = then
    return pieces, at


async def _files(database: Database, uploads: Uploads) -> AsyncIterator[tuple[File, Path]]:
    """The attached files whose bytes are there."""
    last = ""
    while found := await database.read(partial(records.files_after, file_id=last, limit=50)):
        for file in found:
            with suppress(NotFound):
                yield file, (await uploads.find(file.id))[1]
        last = found[-1].id


async def _file(archive: Archive, file: File, path: Path) -> AsyncIterator[bytes]:
    entry = f"files/{file.id}"
    size = (await asyncio.to_thread(path.stat)).st_size
    large = size > zipfile.ZIP64_LIMIT // 2
    yield await asyncio.to_thread(archive.add, [Piece(entry, b"", plain=True, large=large)])
    with await asyncio.to_thread(path.open, "rb") as source:
        while chunk := await asyncio.to_thread(source.read, FILE_CHUNK_BYTES):
            yield await asyncio.to_thread(archive.add, [Piece(entry, chunk, plain=True)])
    yield await asyncio.to_thread(archive.add, [Piece(f"{entry}.json", form.about_file(file))])
