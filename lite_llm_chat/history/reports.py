"""How an import goes: figures that are read while it runs, and a line for each conversation.

Result ─▶ Progress.count ─┬─▶ counts, the first entries      in memory, then in its row
                          └─▶ lines of <id>.ndjson           all entries, for whoever wants all
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from .importing import Outcome, Result

FIRST_ENTRIES = 1000
NOTES = 20  # of one conversation, in its entry

_encode = msgspec.json.Encoder().encode


class Entry(msgspec.Struct, frozen=True):
    """What became of one entry of an archive, and why, if it was not taken as it is. `notes` are
    about files that could not be kept."""

    title: str
    source_id: str | None
    outcome: Outcome
    why: str | None
    session_id: int | None
    messages: int
    notes: tuple[str, ...] = ()


class Counts(msgspec.Struct):
    """Entries by what became of them."""

    imported: int = 0
    updated: int = 0
    already_here: int = 0
    skipped: int = 0
    broken: int = 0


class Progress(msgspec.Struct):
    """The figures of an import. `messages` are those that were added, `files` those beside them,
    `bytes_read` how much of the archive was read."""

    bytes: int
    wanted: str
    format: str | None = None
    bytes_read: int = 0
    conversations: Counts = msgspec.field(default_factory=Counts)
    messages: int = 0
    files: int = 0
    entries: list[Entry] = []
    error: str | None = None

    def count(self, entry: Entry) -> None:
        """One more entry."""
        outcome = entry.outcome
        setattr(self.conversations, outcome, getattr(self.conversations, outcome) + 1)
        self.messages += entry.messages
        if len(self.entries) < FIRST_ENTRIES:
            self.entries.append(entry)

    def stored(self) -> str:
        return _encode(self).decode()


def stored_progress(text: str) -> Progress:
    """The inverse of `Progress.stored`."""
    return msgspec.json.decode(text, type=Progress)


def entry_of(title: str, source_id: str | None, result: Result, notes: Sequence[str] = ()) -> Entry:
    shown = tuple(notes[:NOTES])
    if len(notes) > NOTES:
        shown += (f"and {len(notes) - NOTES} more",)
    return Entry(
        title, source_id, result.outcome, result.why, result.session_id, result.messages, shown
    )


@dataclass(slots=True)
class Lines:
    """The whole report as a file of lines. `put` keeps them until `written` is called, in a
    thread."""

    path: Path
    _waiting: list[bytes] = field(default_factory=list)

    def put(self, entry: Entry) -> None:
        self._waiting.append(_encode(entry) + b"\n")

    def written(self) -> None:
        """Add what waits to the file."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            with self.path.open("ab") as target:
                target.writelines(waiting)
