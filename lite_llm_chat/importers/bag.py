"""The files beside the conversations of an archive, put where the server picks them up.

    find("photo.png", "file-abc") ─▶ the zip's entry whose own name begins so ─┐
    put("notes.txt", b"…")        ─▶ bytes that stood in a conversation        ─┴─▶ folder/000001

An entry's name is only compared and never a path.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from bisect import bisect_left
from pathlib import Path
from typing import BinaryIO

from .base import Attached, text_of

CHUNK_BYTES = 256 * 1024
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


class Bag:
    """Gives what is to be attached. A dry run takes no bytes out of the archive."""

    def __init__(self, folder: Path, most_bytes: int, *, dry: bool) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._dry = dry
        self._count = 0
        self._zip: zipfile.ZipFile | None = None
        self._names: list[tuple[str, str]] = []  # an entry's own name and its whole one

    def look_into(self, archive: zipfile.ZipFile) -> None:
        """From now on files are looked for in it."""
        self._zip = archive
        self._names = sorted(
            (own_name(info.filename), info.filename)
            for info in archive.infolist()
            if not info.is_dir()
        )

    def find(self, name: str, start: str) -> Attached:
        """The archive's file whose own name begins so; `name` is the one to show."""
        at = bisect_left(self._names, (start, "")) if start else len(self._names)
        if self._zip is None or at == len(self._names) or not self._names[at][0].startswith(start):
            return Attached(name, missing="the archive does not hold it")
        shown = self._about(start) or (self._names[at][0] if name == start else name)
        info = self._zip.getinfo(self._names[at][1])
        if info.file_size > self._most_bytes:
            return self._too_large(shown)
        try:
            with self._zip.open(info) as source:
                return self._keep(shown, source)  # type: ignore[arg-type]
        except ZIP_ERRORS:
            return Attached(shown, missing="it cannot be read from the archive")

    def put(self, name: str, data: bytes) -> Attached:
        """A file that stood in the entry itself."""
        if len(data) > self._most_bytes:
            return self._too_large(name)
        if self._dry:
            return Attached(name)
        place = self._place()
        (self._folder / place).write_bytes(data)
        return Attached(name, place)

    def _about(self, start: str) -> str | None:
        """The name that our own export has for a file."""
        at = bisect_left(self._names, (f"{start}.json", ""))
        if self._zip is None or at == len(self._names) or self._names[at][0] != f"{start}.json":
            return None
        try:
            with self._zip.open(self._names[at][1]) as source:
                return text_of(json.loads(source.read(CHUNK_BYTES))["name"]) or None
        except (*ZIP_ERRORS, ValueError, LookupError, TypeError):
            return None

    def _keep(self, name: str, source: BinaryIO) -> Attached:
        if self._dry:
            return Attached(name)
        place, size = self._place(), 0
        with (self._folder / place).open("wb") as target:
            while chunk := source.read(CHUNK_BYTES):
                size += len(chunk)
                if size > self._most_bytes:  # it is larger than it says
                    break
                target.write(chunk)
        if size > self._most_bytes:
            (self._folder / place).unlink()
            return self._too_large(name)
        return Attached(name, place)

    def _place(self) -> str:
        self._count += 1
        return f"{self._count:06d}"

    def _too_large(self, name: str) -> Attached:
        return Attached(name, missing=f"it is over {self._most_bytes} bytes, the most for a file")


def own_name(path: str) -> str:
    """The last part of an entry's name."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]
