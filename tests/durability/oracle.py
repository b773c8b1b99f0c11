"""What must be true of a database file, whoever wrote it and however that process ended.

    file ─▶ rows by plain SQL ─▶ findings, one line each          (none: all is well)

I3  the numbers of a log are 1 … n, and Ended is the last one exactly if the status is terminal
I4  the text events of a terminal log are the message, character for character
I7  at most one live generation a session
I10 after a start nothing is live that nobody runs

Nothing of the server is imported for the rules: a mistake there cannot hide here.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from lite_llm_chat.api import sse
from lite_llm_chat.domain import Event
from lite_llm_chat.store.codec import row_to_body

LIVE = ("queued", "running")


@dataclass(frozen=True)
class Log:
    """One generation as it is stored, with its message and its events."""

    id: str
    session_id: int
    status: str
    last_seq: int
    logged: bool
    code: str | None
    content: str | None
    reasoning: str | None
    events: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.status in LIVE

    def said(self, kind: str = "text") -> str:
        """What its events say."""
        return "".join(data for _, one, data in self.events if one == kind)

    def as_sent(self) -> bytes:
        """The bytes that POST /chat streams for these events."""
        return b"".join(
            sse.plain(Event(self.id, seq, row_to_body(kind, data)))
            for seq, kind, data in self.events
        )


def logs(path: Path) -> dict[str, Log]:
    """Every generation of a file, by its id."""
    with closing(sqlite3.connect(path)) as file:
        found = {
            row[0]: Log(row[0], row[1], row[2], row[3], bool(row[4]), _code(row[5]), row[6], row[7])
            for row in file.execute(
                "SELECT g.id, g.session_id, g.status, g.last_seq, g.logged, g.ended, m.content,"
                " m.reasoning FROM generations g LEFT JOIN chat_messages m ON m.id = g.message_id"
            )
        }
        rows = file.execute("SELECT generation_id, seq, kind, data FROM events ORDER BY 1, 2")
        for generation_id, seq, kind, data in rows:
            found[generation_id].events.append((seq, kind, data))
    return found


def _code(ended: str | None) -> str | None:
    fault = json.loads(ended).get("fault") if ended else None
    return fault["code"] if fault else None


def questions(path: Path) -> set[str]:
    """All that users ever said, by the file."""
    with closing(sqlite3.connect(path)) as file:
        return {
            row[0] for row in file.execute("SELECT content FROM chat_messages WHERE role = 'user'")
        }


def findings(path: Path, *, at_rest: bool = True) -> list[str]:
    """What is wrong with a file. `at_rest`: nobody answers now, so nothing may be live."""
    found = _sound(path)
    stored = logs(path)
    live = [log.session_id for log in stored.values() if log.live]
    if len(set(live)) < len(live):
        found.append(f"I7: more than one live generation in one of the sessions {sorted(live)}")
    for log in stored.values():
        found += _numbers(log)
        found += _text(log)
        if at_rest and log.live:
            found.append(f"I10: {log.id} is {log.status}, and nobody runs it")
    return found


def _sound(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as file:
        verdict = file.execute("PRAGMA integrity_check").fetchall()
        strays = file.execute("PRAGMA foreign_key_check").fetchall()
        lost_leaves = file.execute(
            "SELECT s.id FROM chat_sessions s LEFT JOIN chat_messages m ON m.id = s.leaf_id"
            " WHERE s.leaf_id IS NOT NULL AND m.session_id IS NOT s.id"
        ).fetchall()
    found = [] if verdict == [("ok",)] else [f"integrity: {verdict[:3]}"]
    found += [f"a row without its parent: {row}" for row in strays[:3]]
    return found + [f"session {row[0]} ends in a strange message" for row in lost_leaves[:3]]


def _numbers(log: Log) -> list[str]:
    if not log.logged:
        return [] if not log.events else [f"{log.id} was pruned, yet has events"]
    numbers = [seq for seq, _, _ in log.events]
    kinds = [kind for _, kind, _ in log.events]
    found = []
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"I3: {log.id} has the numbers {numbers}")
    if kinds[:1] != ["started"] or kinds.count("started") != 1:
        found.append(f"I3: {log.id} does not begin with one Started: {kinds[:3]}")
    ends = [seq for seq, kind, _ in log.events if kind == "ended"]
    if ends != ([] if log.live else [len(numbers)]):
        found.append(f"I3: {log.id} is {log.status}, but has Ended at {ends} of {len(numbers)}")
    if not log.live and log.last_seq != len(numbers):
        found.append(f"I3: {log.id} says last_seq {log.last_seq} of {len(numbers)}")
    return found


def _text(log: Log) -> list[str]:
    if log.live or not log.logged:
        return []
    found = []
    if log.said() != log.content:
        found.append(f"I4: {log.id}: its events and its message say different things")
    if log.said("reasoning") != (log.reasoning or ""):
        found.append(f"I4: {log.id}: its events and its message think different things")
    return found
