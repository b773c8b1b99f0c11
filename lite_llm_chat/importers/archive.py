"""Any file that somebody brings: what is in it, seen in its bytes, entry by entry.

    zip ──┬─ manifest.json of ours ─▶ folders, presets, sessions
          └─ every file in it ─┐
    JSON · lines of JSON ──────┼─▶ pieces ─▶ entry ─▶ the reader that knows it ─▶ frames
    SQLite ────────────────────┤              └─▶ a part of a conversation ─▶ gathered, read last
    CSV (AnythingLLM) ─────────┘

Names are only shown. What cannot be read is an entry of the report; the rest goes on.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec

from . import chatgpt, claude, databases, librechat, open_webui, own, sqlite
from .bag import CHUNK_BYTES, ZIP_ERRORS, Bag, own_name
from .base import Conversation, Nothing, Reader, Wrong, dict_of, text_of
from .frames import Done, Found, Frame, Left, Tail
from .gather import Gathered
from .pieces import Cut, pieces

AUTO = "auto"
FORMATS = (
    *(AUTO, chatgpt.SOURCE, claude.SOURCE, open_webui.SOURCE, librechat.SOURCE),
    *("anythingllm", "llm", own.FORMAT),
)
MOST_ENTRIES = 200_000  # of a zip
MOST_UNPACKED_BYTES = 64 * 1024**3  # of all its entries
MOST_RATIO = 500  # of one entry's bytes to what it takes in the zip: more is a bomb
HEAD_BYTES = 300  # that say what a file is
SMALL_BYTES = 16 * 1024**2  # an entry that is no bomb, whatever its ratio
_NAMES = ("title", "name", "uid", "id", "conversation_id", "conversationId", "uuid")

_READERS: tuple[tuple[str, Callable[[Mapping[str, Any]], bool], Reader], ...] = (
    (own.FORMAT, own.is_one, own.read),
    (chatgpt.SOURCE, chatgpt.is_one, chatgpt.read),
    (claude.SOURCE, claude.is_one, claude.read),
    (librechat.SOURCE, librechat.is_one, librechat.read),
    (open_webui.SOURCE, open_webui.is_one, open_webui.read),
)

# What an entry of another shape than a reader expects may make it raise.
_ODD = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one entry may take: bytes of a conversation's JSON, bytes of an attached file."""

    conversation_bytes: int = 32 * 1024**2
    file_bytes: int = 20 * 1024**2


class Archive:
    """Reads one file and says what it finds. `folder` is the import's own."""

    def __init__(
        self, path: Path, folder: Path, wanted: str, send: Callable[[Frame], None], *, dry: bool
    ) -> None:
        self._path = path
        self._folder = folder
        self._wanted = wanted
        self._send = send
        self._dry = dry
        self._format: str | None = None
        self._at = 0
        self._bounds = Bounds()
        self._bag = Bag(folder, self._bounds.file_bytes, dry=dry)
        self._gathered = Gathered(folder / "gathered.db")

    def bounded(self, bounds: Bounds) -> Archive:
        """Itself, with other bounds than the usual ones."""
        self._bounds = bounds
        self._bag = Bag(self._folder, bounds.file_bytes, dry=self._dry)
        return self

    def read(self) -> None:
        """Say everything, then Done."""
        trouble = None
        try:
            self._file()
            for source, name, title in self._gathered.entries():
                read = partial(self._gathered.read, source, name, self._bag)
                self._try(title, source, read)
        except Wrong as wrong:
            trouble = wrong.why
        except ZIP_ERRORS:
            trouble = "the file cannot be read to its end: it is damaged, or only a part of one"
        finally:
            self._gathered.close()
        self._send(Done(trouble))

    def _file(self) -> None:
        with self._path.open("rb") as source:
            if zipfile.is_zipfile(source):
                with zipfile.ZipFile(source) as archive:
                    self._zip(archive)
            else:
                source.seek(0)
                self._stream(source, "", source.tell)

    # ── zips ──────────────────────────────────────────────────────────────────────────────────

    def _zip(self, archive: zipfile.ZipFile) -> None:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) > MOST_ENTRIES:
            raise Wrong(f"the archive has more than {MOST_ENTRIES} entries")
        if sum(info.file_size for info in infos) > MOST_UNPACKED_BYTES:
            raise Wrong(f"the archive holds more than {MOST_UNPACKED_BYTES} bytes")
        self._bag.look_into(archive)
        ours = self._is_ours(archive)
        if ours:
            self._begin(own.FORMAT)
        done = 0
        for info in infos:
            if not (ours and info.filename.startswith("files/")):
                self._entry(archive, info, done, ours=ours)
            done += info.compress_size
            self._at = done

    def _is_ours(self, archive: zipfile.ZipFile) -> bool:
        if "manifest.json" not in archive.namelist():
            return False
        with archive.open("manifest.json") as source:
            manifest = _decoded(source.read(CHUNK_BYTES))
        if not own.is_manifest(manifest):
            return False
        if dict_of(manifest).get("version") != own.VERSION:
            raise Wrong("it was exported by a newer version of this server: update this one first")
        return True

    def _entry(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, done: int, *, ours: bool
    ) -> None:
        name = own_name(info.filename)
        if info.file_size > max(SMALL_BYTES, info.compress_size * MOST_RATIO):
            self._left("broken", name, "it is packed too tightly to be a conversation")
            return
        try:
            with archive.open(info) as source:
                if ours and info.filename in _SETTINGS:
                    self._settings(info.filename, source.read(self._bounds.conversation_bytes))
                    return

                def at() -> int:
                    part = source.tell() / info.file_size if info.file_size else 1
                    return done + int(info.compress_size * part)

                self._stream(cast("io.BufferedReader", source), name, at)
        except Wrong as wrong:
            self._left("broken", name, wrong.why)
        except ZIP_ERRORS:
            self._left("broken", name, "it cannot be read from the archive")

    def _settings(self, name: str, data: bytes) -> None:
        read = _SETTINGS[name]
        if read is not None:
            for frame in read(_decoded(data)):
                self._send(frame)

    # ── one file ──────────────────────────────────────────────────────────────────────────────

    def _stream(self, source: io.BufferedReader, name: str, at: Callable[[], int]) -> None:
        head = source.peek(HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()[:HEAD_BYTES]
        if head.startswith(sqlite.MAGIC):
            self._database(source, name)
        elif head.startswith((b"{", b"[")):
            self._entries(source, name, at)
        elif head.startswith(b"id,") and b",prompt,response" in head:
            self._table(source)
        elif head.startswith(b"PK\3\4"):
            self._left("skipped", name, "it is an archive in the archive: import it by itself")

    def _entries(self, source: io.BufferedReader, name: str, at: Callable[[], int]) -> None:
        """The entries of a JSON text. A file in which nothing is known is one line of the report,
        an entry that is not known among others is one, too."""
        known, unknown = 0, list[Left]()
        for piece in pieces(source, self._bounds.conversation_bytes):
            self._at = at()
            if isinstance(piece, Cut):
                self._left("broken", name, piece.why)
                continue
            entry = _decoded(piece)
            if entry is None:
                self._left("broken", name, "it is no JSON")
            elif isinstance(entry, dict) and self._known(entry):
                known += 1
                for left in unknown:
                    self._send(left)
                unknown.clear()
            elif known:
                self._send(self._not_one(entry))
            elif len(unknown) < CHUNK_BYTES:
                unknown.append(self._not_one(entry))
        if unknown:
            self._left("skipped", name, "it holds no conversation that is known here")

    def _not_one(self, entry: object) -> Left:
        why = "it is no conversation that is known here"
        return Left("skipped", _named(dict_of(entry)), why, self._at)

    def _known(self, entry: dict[str, Any]) -> bool:
        """Read an entry, if it is a conversation or a part of one."""
        for name, is_one, read in _READERS:
            if is_one(entry) and not librechat.is_conversation(entry):
                if self._is_wanted(name):
                    self._try(_named(entry), name, partial(read, entry, self._bag))
                    return True
                return False
        part_of = self._gathered.format_of(entry)
        if part_of is None or not self._is_wanted(part_of):
            return False
        self._gathered.take(entry)
        return True

    def _database(self, source: io.BufferedReader, name: str) -> None:
        path = self._path
        if name:  # in a zip: SQLite needs a file
            path = self._folder / "unpacked.db"
            with path.open("wb") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
        with sqlite.opened(path, self._bounds.conversation_bytes) as tables:
            found = databases.format_of(tables)
            if found is None or not self._is_wanted(found):
                self._left("skipped", name, "it is a database of a product that is not known here")
                return
            total, begun, whole = databases.size(tables), self._at, path.stat().st_size
            for number, (title, read) in enumerate(databases.entries(tables), start=1):
                self._try(title, found, partial(read, self._bag))
                self._at = (
                    begun + whole * min(number, total) // max(total, 1) if not name else begun
                )

    def _table(self, source: io.BufferedReader) -> None:
        csv.field_size_limit(self._bounds.conversation_bytes)
        text = io.TextIOWrapper(source, "utf-8", "replace", newline="")
        for row in csv.DictReader(text):
            self._gathered.take({str(name): value for name, value in row.items()})

    # ── what is said ──────────────────────────────────────────────────────────────────────────

    def _begin(self, source: str) -> None:
        """Say whose the archive is, once."""
        if self._format is None:
            self._format = source
            self._send(Found(source))

    def _is_wanted(self, name: str) -> bool:
        return self._wanted in (AUTO, name)

    def _try(self, title: str, source: str, read: Callable[[], Conversation]) -> None:
        """Say a conversation, or why it is left out."""
        self._begin(source)
        try:
            found = read()
        except Nothing as nothing:
            self._left("skipped", nothing.about or title, nothing.why)
        except Wrong as wrong:
            self._left("broken", title, wrong.why)
        except _ODD as odd:
            self._left(
                "broken", title, f"it has another shape than expected ({type(odd).__name__})"
            )
        else:
            self._tell(found)

    def _tell(self, found: Conversation) -> None:
        head = found.head
        if head.source_id is None and head.uid is None:
            head = msgspec.structs.replace(head, source_id=_likeness(found))
        self._send(head)
        for one in found.said:
            self._send(one)
        self._send(Tail(found.active, self._at))

    def _left(self, outcome: Any, title: str, why: str) -> None:
        self._send(Left(outcome, title[:255], why, self._at))


_SETTINGS: dict[str, Callable[[object], Iterator[Frame]] | None] = {
    "manifest.json": None,
    "folders.json": own.shelves,
    "presets.json": own.presets,
}


def _decoded(data: bytes) -> object:
    """The value of a JSON text, halves of surrogate pairs made question marks; None for none."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        value = json.loads(data.decode("utf-8", "replace"), parse_constant=lambda _: None)
        plain = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.decode(plain)
    except (ValueError, RecursionError):
        return None


def _named(entry: Mapping[str, Any]) -> str:
    """What a person would know an entry by."""
    return next((text_of(entry[one]) for one in _NAMES if text_of(entry.get(one))), "")


def _likeness(found: Conversation) -> str:
    """A name for a conversation that has none: of what it begins with."""
    first = found.said[0]
    told = f"{found.head.created_at}\n{first.created_at}\n{first.content[:4000]}"
    return hashlib.sha256(told.encode()).hexdigest()
