"""One running log in memory: what waits for the disk, and the newest of what is on it.

    add(piece) ─▶ pending ─ take ─▶ numbered events ─▶ (commit) ─▶ publish ─▶ memory, bell
                                                                              └─▶ since(after)

Pieces of a kind that wait together leave as one event. Memory is a bounded end of the log: a reader
that asks for what came before it is told to read rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .domain import Ended, Event, Reasoning, Text

MEMORY_LIMIT = 256 * 1024  # characters that readers are served from


class LiveLog:
    """One running log: what waits to be committed, and the newest of what was."""

    def __init__(self, generation_id: str) -> None:
        self.id = generation_id
        self.seq = 0  # of the last committed event
        self.begun = False  # True once its first piece is on its way to the disk
        self.pending: list[tuple[type[Text] | type[Reasoning], list[str]]] = []
        self.pending_size = 0
        self.ending: Ended | None = None
        self.memory: list[Event] = []  # contiguous, up to and including `seq`
        self.memory_size = 0
        self.readers = 0
        self.bell = asyncio.Event()  # rung, and replaced, at every publication
        self.over = asyncio.Event()  # set when the end is committed, or the log was given up

    def add(self, body: Text | Reasoning) -> None:
        kind = type(body)
        if self.pending and self.pending[-1][0] is kind:
            self.pending[-1][1].append(body.text)
        else:
            self.pending.append((kind, [body.text]))
        self.pending_size += len(body.text)

    def take(self) -> list[Event]:
        """What waited, merged and numbered, the end excluded."""
        merged = [kind("".join(parts)) for kind, parts in self.pending]
        self.pending, self.pending_size = [], 0
        return [Event(self.id, seq, body) for seq, body in enumerate(merged, start=self.seq + 1)]

    def since(self, after: int) -> Sequence[Event] | None:
        """The committed events after a number, or None if memory does not reach back so far."""
        start = after - (self.seq - len(self.memory))
        return self.memory[start:] if start >= 0 else None

    def publish(self, committed: Sequence[Event]) -> None:
        """Show events to readers. Called only after their commit."""
        if not committed:
            return
        self.memory.extend(committed)
        self.seq = committed[-1].seq
        self.memory_size += sum(map(_weight, committed))
        while self.memory_size > MEMORY_LIMIT and len(self.memory) > 1:
            self.memory_size -= _weight(self.memory.pop(0))
        bell, self.bell = self.bell, asyncio.Event()
        bell.set()


def _weight(event: Event) -> int:
    body = event.body
    return len(body.text) if isinstance(body, Text | Reasoning) else 0
