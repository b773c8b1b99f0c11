"""What happens in a world, and the book of it: wishes are made, readers read, all is checked.

wish, read ─▶ World ─▶ settle ─▶ what is done by now ─▶ Book, verdicts ─▶ complaints
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lite_llm_chat.domain import LIVE, Event, Generation, Ticket
from lite_llm_chat.errors import LiteError
from lite_llm_chat.store.codec import body_to_row
from lite_llm_chat.tail import Tail

from . import verdict
from .file import File
from .model import Book, Wish
from .verdict import ANSWERS_S
from .world import World

CHANGES = ("truncate", "delete", "leaf")
REFUSALS = frozenset(
    {
        "draining",
        "generation_active",
        "generation_not_found",
        "idempotency_key_reused",
        "message_not_found",
        "not_on_branch",
        "nothing_to_continue",
        "session_not_found",
        "storage_unavailable",
    }
)


@dataclass(eq=False)
class Reader:
    """A follower of a log: where it stands, and whether it waits. An eager one reads on by
    itself."""

    log: str
    after: int
    groups: Tail
    eager: bool
    task: asyncio.Task[Sequence[Event] | None] | None = None

    def read(self, loop: asyncio.AbstractEventLoop) -> None:
        self.task = self.task or loop.create_task(self._next(), name="reader")

    async def _next(self) -> Sequence[Event] | None:
        return await anext(self.groups, None)

    async def leave(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
        await self.groups.aclose()


class Witness:
    """See the module. `found` collects the complaints."""

    def __init__(self, path: Path) -> None:
        self.world = World(path)
        self.file = File(path)
        self.book = Book()
        self.facts = self.file.read()
        self.wishes: dict[int, Wish] = {}
        self.pending: dict[Wish, asyncio.Task[Any]] = {}
        self.readers: list[Reader] = []
        self.seats: dict[str, Ticket] = {}  # log → its asker, who still reads
        self.cancelled: set[str] = set()  # logs of which somebody was told that they will stop
        self.found: list[str] = []
        self.tally: Counter[str] = Counter()

    # ── wishes ────────────────────────────────────────────────────────────────────────────

    def wish(self, wish: Wish, work: Coroutine[Any, Any, Any]) -> None:
        """Ask for something, and see what comes of it at once."""
        self.wishes[wish.number] = wish
        rivals = [one for one in self.pending if one.session == wish.session is not None]
        for one in rivals:
            one.alone = wish.alone = False
        keys = {one.key for one in self.pending} - {None}
        if self.undisturbed and wish.alone and wish.key not in keys:
            wish.forecast = self.book.forecast(wish, self.facts, self.followers)
        self._expect_ends(wish)
        self.pending[wish] = self.world.loop.create_task(work, name=wish.kind)
        self.settle()
        if wish in self.pending and wish.forecast not in (None, "waits"):
            self.found.append(f"{wish} should have been {wish.forecast} at once")

    @property
    def undisturbed(self) -> bool:
        """Whether the disk takes everything, and has for a while."""
        disk = self.world.disk
        return disk.mode == "flows" and self.world.loop.time() - disk.flows_since > ANSWERS_S

    @property
    def followers(self) -> Counter[str]:
        return Counter([*self.seats, *(one.log for one in self.readers)])

    def _expect_ends(self, wish: Wish) -> None:
        """Which live answer a wish may stop."""
        if wish.forecast not in (None, "ok", "nothing_to_continue"):
            return
        for log in self.facts.logs.values():
            meant = wish.target == log.id or (
                wish.session == log.session_id and wish.on_active != "enqueue"
            )
            if meant and (log.live or wish.forecast is None):
                self.book.ends[log.id].add("cancel")

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, then look at what is done."""
        self.world.loop.advance(seconds)
        self.look()

    def look(self) -> None:
        """Take over what is done by now."""
        self.facts = self.file.read()
        if self.world.disk.mode in ("refuses", "loses"):
            self._all_live("storage")
        for wish in self.pending:
            self._expect_ends(wish)
        done = [(wish, task) for wish, task in self.pending.items() if task.done()]
        for wish, task in done:
            del self.pending[wish]
            self._take(wish, task)
        for reader in list(self.readers):
            self._hear(reader)
        if reading := [one for one in self.readers if one.eager and one.task is None]:
            for reader in reading:
                reader.read(self.world.loop)
            self.settle()

    def _all_live(self, force: str) -> None:
        for log in self.facts.logs.values():
            if log.live:
                self.book.ends[log.id].add(force)

    def _take(self, wish: Wish, task: asyncio.Task[Any]) -> None:
        error = task.exception()
        if error is not None and not isinstance(error, LiteError):
            raise error
        result = None if error else task.result()
        code = error.code if error else "ok"
        if isinstance(result, Ticket):
            code = "replayed" if result.replayed else "ok"
            self._begin(wish, result)
            self._seat(wish, result)
        elif isinstance(result, Generation):
            if result.status in LIVE:
                self.cancelled.add(result.id)
            if result.status in LIVE and self.undisturbed:
                self.found.append(f"I9: {result.id} was to be cancelled and is {result.status}")
        if error is None and wish.session is not None and wish.kind in CHANGES:
            self._cut(wish, wish.session)
        self.tally[f"{wish.kind} {code}"] += 1
        if wish.forecast in (None, "waits"):
            right = code in REFUSALS or code in ("ok", "replayed")
        else:
            right = code == wish.forecast
        if not right:
            self.found.append(f"{wish} came out as {code}")
        if error is not None and self._listens(wish.number):
            self.found.append(f"I9: {wish} was refused, and the vendor is listened to")

    def _begin(self, wish: Wish, ticket: Ticket) -> None:
        log = ticket.generation_id
        if ticket.replayed and self.book.keys.get(wish.key or "", (wish.text, log)) != (
            wish.text,
            log,
        ):
            self.found.append(f"I15: {wish} found {log}")
        if log in self.facts.logs:
            wish = self.wishes[self.facts.asked[log].number] if ticket.replayed else wish
            self.found += self.book.begin(wish, log, self.facts)
        elif wish.forecast is not None or (wish.alone and not ticket.replayed):
            self.found.append(f"I1: {log} was promised and is not there")

    def _seat(self, wish: Wish, ticket: Ticket) -> None:
        if wish.stays and not ticket.replayed:
            self.seats[ticket.generation_id] = ticket
        else:
            self.world.chat.leave(ticket)

    def _cut(self, wish: Wish, session: int) -> None:
        if wish.kind == "delete" and wish.alone and session in self.facts.leaves:
            self.found.append(f"session {session} was deleted and is there")
        if wish.kind == "truncate" and wish.alone:
            under = self.book.messages[int(wish.target or 0)].parent
            if self.facts.leaves.get(session, -1) != under:
                self.found.append(f"session {session} was cut to {self.facts.leaves.get(session)}")
        if wish.kind == "leaf" and wish.alone:
            newest = self.facts.newest_below(int(wish.target or 0))
            if self.facts.leaves.get(session, -1) != newest:
                self.found.append(f"session {session} ends in {self.facts.leaves.get(session)}")
        self.book.cut(session, self.facts)

    def _listens(self, number: int) -> bool:
        return any(call.outcome == "open" for call in self.world.vendor.calls.get(number, ()))

    # ── readers ───────────────────────────────────────────────────────────────────────────

    def attach(self, log: str, after: int, *, eager: bool) -> None:
        self.readers.append(Reader(log, after, self.world.chat.follow(log, after), eager))
        self.settle()

    def read(self, reader: Reader) -> None:
        reader.read(self.world.loop)
        self.settle()

    def leave(self, log: str) -> None:
        """The asker of an answer goes."""
        self.world.chat.leave(self.seats.pop(log))

    def drop(self, reader: Reader) -> None:
        self.readers.remove(reader)
        self.world.run(reader.leave())

    def _hear(self, reader: Reader) -> None:
        if reader.task is None or not reader.task.done():
            return
        group, reader.task = reader.task.result(), None
        if group is None:
            self.readers.remove(reader)
            log = self.facts.logs.get(reader.log)
            early = log is not None and (log.live or reader.after < log.last_seq)
            if early and not self.world.engine.draining:
                self.found.append(f"I5: a reader of {reader.log} was sent home at {reader.after}")
            return
        for event in group:
            row = body_to_row(event.body)
            self.found += self.book.hear(reader.log, reader.after, event.seq, row)
            reader.after = event.seq
            self.tally["events read"] += 1

    # ── the end of a process ──────────────────────────────────────────────────────────────

    def kill(self) -> None:
        """Cut the process off, and start the next one."""
        for reader in list(self.readers):
            self.drop(reader)
        lost = list(self.pending)
        self.pending.clear()
        self.world.kill()
        self.facts = self.file.read()
        self._all_live("kill")
        for log, asked in self.facts.asked.items():
            wish = self.wishes[asked.number]
            if log not in self.book.answers and wish in lost:
                wish.alone = False
                self.found += self.book.begin(wish, log, self.facts)
        for wish in lost:
            if wish.session in self.book.leaves:
                self.book.cut(wish.session, self.facts)
        self._start()

    def stop(self) -> None:
        """Ask the process to end, and start the next one."""
        self._all_live("shutdown")
        self.world.stop()
        self.look()
        for reader in list(self.readers):
            self.drop(reader)
        if left := [task.get_name() for task in asyncio.all_tasks(self.world.loop)]:
            self.found.append(f"tasks outlived their server: {left}")
        self._start()

    def _start(self) -> None:
        self.seats.clear()
        self.world.start()
        self.facts = self.file.read()
        self.found += [f"I10: {log.id} is live" for log in self.facts.logs.values() if log.live]

    def close(self) -> None:
        self.pending.clear()
        self.world.close()
        self.file.close()

    # ── what must be true at every moment ─────────────────────────────────────────────────

    def complaints(self) -> list[str]:
        """All that is wrong now."""
        loose = {wish.session for wish in self.pending if wish.kind != "cancel"}
        found = [*self.found, *self.file.findings, *self.book.look(self.facts, loose)]
        for log in self.facts.logs:
            found += self._one(log)
        if self.undisturbed:
            found += [f"{wish} waits for nothing" for wish in self.pending if not self._waits(wish)]
            found += [line for reader in self.readers for line in self._overslept(reader)]
            live = [log.id for log in self.facts.logs.values() if log.live]
            if self.world.engine.running != len(live):
                found.append(f"I10: {self.world.engine.running} answers run, not {live}")
        return found

    def _one(self, log_id: str) -> list[str]:
        log, asked, ends = self.facts.logs[log_id], self.facts.asked[log_id], self.book.ends[log_id]
        calls = self.world.vendor.calls.get(asked.number, [])
        answer = self.book.answers.get(log_id)
        found = verdict.repeated(calls)
        if log.live:
            if not self.world.log.runs(log_id):
                found.append(f"I10: nobody runs {log_id}, which is {log.status}")
            if self.undisturbed:
                found += verdict.overdue(log, calls, self.world.loop.time(), asked.began_s)
        if answer is None:
            return found
        if log.live or answer.final is None:
            found += verdict.says(log, answer, calls, ends)
        if not log.live and answer.final is None:
            answer.final = log
            self.tally[f"ended {log.status} {log.code or ''}"] += 1
            found += verdict.ended(log, asked, calls, ends)
            if log.code == "server_stopped" and log_id in self.cancelled:
                found.append(f"I9: {log_id} was cancelled, and its end says {log.code}")
        return found

    def _waits(self, wish: Wish) -> bool:
        return wish.on_active == "enqueue" and self.facts.live_in(wish.session) is not None

    def _overslept(self, reader: Reader) -> list[str]:
        log = self.facts.logs.get(reader.log)
        if reader.task is None or (log and log.live and reader.after >= len(log.events)):
            return []
        return [f"I5: a reader of {reader.log} sleeps at {reader.after}"]
