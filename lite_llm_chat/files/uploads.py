"""The folder of uploaded files, and the only way into it.

    bytes ─▶ a part aside, synced, counted ─▶ its SHA-256 ─▶ what is it? (sniff.py, pdf.py)
                                                  │
                     folder/<digest> ◀── row ◀────┘          one at a time with deletions

Nothing that anybody says names a path in here: a file's name in the folder is the digest of its
bytes, and what is not a plain file there (a link, say) is not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import NotFound, TooLarge
from ..store import files
from ..store.database import Connection, Database
from ..store.files import StoredFile
from .pdf import PdfReader
from .sniff import HEAD_BYTES, Seen, seen

CHUNK_BYTES = 256 * 1024
PART = ".part-"  # how the names begin of what is still coming
LEFT_OVER_S = (
    3600  # so old a part is of a process that was killed: another one may share the folder
)


class _Aside(NamedTuple):
    """A file that has no name yet, and what is known of it."""

    path: Path
    digest: str
    size: int
    head: bytes


class Uploads:
    """Keeps files, gives them back, forgets them."""

    def __init__(
        self, database: Database, folder: Path, most_bytes: int, now: Callable[[], datetime]
    ) -> None:
        self._db = database
        self._folder = folder
        self._most_bytes = most_bytes
        self._now = now
        self._pdf = PdfReader()
        self._changing = asyncio.Lock()  # a row and its file come and go together

    async def sweep(self) -> int:
        """Delete what killed processes have left of uploads; how many. At the start."""
        return await asyncio.to_thread(_sweep, self._folder, self._now().timestamp() - LEFT_OVER_S)

    async def keep(self, source: BinaryIO, given_name: str) -> StoredFile:
        """Keep what can be read from a source. Raises TooLarge `file_too_large`."""
        at, name = self._now(), shown_name(given_name)
        aside = await asyncio.to_thread(_put_aside, source, self._folder, self._most_bytes)
        try:
            known = await self._known(aside.digest)
            what = known or await self._look(aside, name)
            async with self._changing:
                await asyncio.to_thread(aside.path.replace, self._folder / aside.digest)
                row = StoredFile(
                    aside.digest,
                    name,
                    what.media_type,
                    aside.size,
                    at,
                    what.kind,
                    note=what.note,
                    text=what.text,
                )
                return await self._db.write(lambda conn: files.keep(conn, row))
        finally:
            with suppress(OSError):
                aside.path.unlink(missing_ok=True)

    async def _known(self, digest: str) -> Seen | None:
        """What is known of bytes that were here before, if that was looked for."""

        def work(conn: Connection) -> Seen | None:
            try:
                row = files.get(conn, digest)
            except NotFound:
                return None
            text, note = files.texts(conn, [digest])[digest]
            match row.kind:
                case "text" | "image" | "pdf" if text or row.kind != "pdf":
                    return Seen(row.kind, row.media_type, text, note)
                case _:
                    return None

        return await self._db.read(work)

    async def _look(self, aside: _Aside, name: str) -> Seen:
        what = await asyncio.to_thread(seen, aside.head, aside.size, name)
        return await self._pdf.read(aside.path) if what.kind == "pdf" else what

    async def find(self, file_id: str) -> tuple[StoredFile, Path]:
        """The row of a file and where its bytes are. Raises NotFound `file_not_found`."""
        row = await self._db.read(lambda conn: files.get(conn, file_id))
        return row, await asyncio.to_thread(self._place, row.id)

    async def bytes_of(self, file_id: str) -> bytes:
        """Its bytes, of a file that somebody was allowed to refer to. Raises NotFound
        `file_not_found`."""
        return await asyncio.to_thread(lambda: self._place(file_id).read_bytes())

    async def forget(self, file_id: str) -> None:
        """Delete a file. Raises NotFound `file_not_found` or Conflict `file_in_use`."""
        async with self._changing:
            await self._db.write(lambda conn: files.remove(conn, file_id))
            await asyncio.to_thread((self._folder / file_id).unlink, missing_ok=True)

    def _place(self, file_id: str) -> Path:
        path = self._folder / file_id
        try:
            plain = stat.S_ISREG(path.lstat().st_mode)
        except OSError:
            plain = False
        if not plain:
            raise NotFound(
                "the file's bytes are gone from the upload folder", code="file_not_found"
            )
        return path


def shown_name(given: str) -> str:
    """The last part of a path, whichever way its slashes lean, without control characters."""
    last = given.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(char for char in last if char.isprintable())[:255].strip()
    return name if name.strip(".") else "file"


def _sweep(folder: Path, before: float) -> int:
    """Delete the parts that were written last before a moment."""
    swept = 0
    with suppress(OSError):  # there is no folder yet, or it is not ours to tidy
        for path in folder.glob(f"{PART}*"):
            if path.lstat().st_mtime < before:
                path.unlink(missing_ok=True)
                swept += 1
    return swept


def _put_aside(source: BinaryIO, folder: Path, limit: int) -> _Aside:
    """Copy to disk under a name of no meaning, and sync."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size, head = hashlib.sha256(), 0, b""
    handle, aside = tempfile.mkstemp(dir=folder, prefix=PART)
    path = Path(aside)
    try:
        with os.fdopen(handle, "wb") as target:
            while chunk := source.read(CHUNK_BYTES):
                size += len(chunk)
                if size > limit:
                    raise TooLarge(
                        f"the file is over {limit} bytes: send a smaller one, or raise"
                        " MAX_UPLOAD_BYTES",
                        code="file_too_large",
                    )
                digest.update(chunk)
                target.write(chunk)
                if len(head) < HEAD_BYTES:
                    head += chunk[: HEAD_BYTES - len(head)]
            target.flush()
            os.fsync(target.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return _Aside(path, digest.hexdigest(), size, head)
