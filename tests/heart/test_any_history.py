"""Whatever is asked, said, cut, cancelled, killed and read, in any order: every promise holds.

A machine makes histories of up to 50 steps of a chat with a scripted vendor, a disk that can be
held, a clock that a step moves and a process that a step kills. After every step the rows, the
readers and the vendor are held against a book that is kept beside (`model.py`, `verdict.py`).
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lite_llm_chat import eventlog, livelog
from lite_llm_chat.chat import Ask, Edit, OnActive
from lite_llm_chat.chat import Wish as Asked
from lite_llm_chat.domain import Options, Reasoning, Said, Text
from lite_llm_chat.errors import Conflict
from lite_llm_chat.history import leaves
from lite_llm_chat.store import generations
from lite_llm_chat.store.idempotency import Once
from tests.torture import record, replayable, scaled, seed

from .choices import ENDS, ON_ACTIVE, PIECES, WHICH
from .model import Wish
from .witness import Witness
from .world import Call, Mode, Order, World

RUNS = scaled(300, 5000)
STEPS = 50
CALM = 6  # steps between two blows, so that there is something to hit
REPORT_EVERY = 50


def tell(screen: pytest.CaptureFixture[str], line: str) -> None:
    with screen.disabled():
        print(line, flush=True)


class History(RuleBasedStateMachine):
    """One history. The class knows where files go, and counts what happens."""

    empty: ClassVar[Path]
    tally: ClassVar[Counter[str]]
    screen: ClassVar[pytest.CaptureFixture[str]]
    file: ClassVar[str] = "test_any_history.py"

    def __init__(self) -> None:
        super().__init__()
        self.path = self.empty.with_name("history.db")
        shutil.copyfile(self.empty, self.path)
        self.witness = Witness(self.path)
        self.number = 0
        self.sessions: list[int] = []  # all that anybody was told of, as are the next two
        self.messages: list[tuple[int, int]] = []  # answers, with their sessions
        self.logs: list[str] = []
        self.posts: list[tuple[Wish, int | None]] = []  # those with a key
        self.calm = 0  # steps since the last blow

    def teardown(self) -> None:
        self.witness.close()
        for path in self.path.parent.glob("history.db*"):
            path.unlink()
        self.tally.update(self.witness.tally)
        self.tally["runs"] += 1
        if self.tally["runs"] % REPORT_EVERY == 0:
            tell(self.screen, f"{self.tally['runs']} histories, {self.tally['steps']} steps")

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.tally["steps"] += 1
        self.calm += 1
        found = self.witness.complaints()
        assert not found, "\n".join(found)
        book = self.witness.book
        self.sessions += [one for one in book.leaves if one not in self.sessions]
        self.logs += [one for one in book.answers if one not in self.logs]
        for message, row in book.messages.items():
            if row.role == "assistant" and (message, row.session) not in self.messages:
                self.messages.append((message, row.session))

    @property
    def world(self) -> World:
        return self.witness.world

    # ── questions ─────────────────────────────────────────────────────────────────────────

    def _asked(self, wish: Wish) -> Asked:
        """What the chat is told, with a number by which the vendor's calls are known again."""
        once = Once("chat", wish.key, wish.text) if wish.key else None
        return Asked(options=Options(seed=wish.number), once=once)

    def _new(self, kind: str, session: int | None = None, on_active: OnActive = "auto") -> Wish:
        self.number += 1
        wish = Wish(self.number, kind, session, on_active=on_active)
        wish.text = f"question {self.number}"
        return wish

    def _post(self, wish: Wish, on_active: OnActive) -> None:
        ask = Ask((Said("user", wish.text),), self._asked(wish), wish.session)
        self.witness.wish(wish, self.world.chat.open_turn(ask, on_active))

    @rule(keyed=st.booleans(), stays=st.booleans())
    def ask_in_a_new_session(self, keyed: bool, stays: bool) -> None:
        wish = self._new("post")
        wish.stays = stays
        if keyed:
            wish.key = f"key {wish.number}"
            self.posts.append((wish, None))
        self._post(wish, "auto")

    @rule(pieces=PIECES, more=PIECES)
    def ask_and_read_along(
        self, pieces: list[Text | Reasoning], more: list[Text | Reasoning]
    ) -> None:
        """What most people do; so that the rest of a history has something to disturb."""
        wish = self._new("post")
        self._post(wish, "auto")
        for call in self.world.vendor.calls.get(wish.number, ()):
            call.order(*pieces, *more)
        for log, answer in self.witness.book.answers.items():
            if answer.wish is wish:
                self.witness.attach(log, 0, eager=True)
        self.witness.settle(0.05 * len(pieces))

    @precondition(lambda self: self.sessions)
    @rule(which=WHICH, on_active=ON_ACTIVE, keyed=st.booleans())
    def ask_again_in_a_session(self, which: int, on_active: OnActive, keyed: bool) -> None:
        wish = self._new("post", self.sessions[which % len(self.sessions)], on_active)
        if keyed:
            wish.key = f"key {wish.number}"
            self.posts.append((wish, wish.session))
        self._post(wish, on_active)

    @precondition(lambda self: self.posts)
    @rule(which=WHICH, same=st.booleans())
    def repeat_a_question(self, which: int, same: bool) -> None:
        first, session = self.posts[which % len(self.posts)]
        wish = self._new("post", session)
        wish.key = first.key
        if same:
            wish.text = first.text
        self._post(wish, "auto")

    @precondition(lambda self: self.messages)
    @rule(which=WHICH, on_active=ON_ACTIVE)
    def regenerate(self, which: int, on_active: OnActive) -> None:
        message, session = self.messages[which % len(self.messages)]
        wish = self._new("regenerate", session, on_active)
        wish.target = message
        work = self.world.chat.regenerate(message, self._asked(wish), on_active)
        self.witness.wish(wish, work)

    @precondition(lambda self: self.messages)
    @rule(which=WHICH, on_active=ON_ACTIVE)
    def go_on_from_an_answer(self, which: int, on_active: OnActive) -> None:
        message, session = self.messages[which % len(self.messages)]
        wish = self._new("continue", session, on_active)
        wish.target = message
        work = self.world.chat.continue_(message, self._asked(wish), on_active)
        self.witness.wish(wish, work)

    @precondition(lambda self: self.messages)
    @rule(which=WHICH, on_active=ON_ACTIVE)
    def edit(self, which: int, on_active: OnActive) -> None:
        """Of the question that an answer is to."""
        message, session = self.messages[which % len(self.messages)]
        wish = self._new("edit", session, on_active)
        answer = self.witness.book.messages.get(message)
        wish.target = target = answer.parent if answer and answer.parent else message
        edit = Edit(target, Said("user", wish.text), self._asked(wish))
        self.witness.wish(wish, self.world.chat.edit(edit, on_active))

    @precondition(lambda self: self.messages)
    @rule(which=WHICH)
    def show_another_branch(self, which: int) -> None:
        message, session = self.messages[which % len(self.messages)]
        wish = self._new("leaf", session, "enqueue")  # it stops nothing
        wish.target = message
        step = leaves.Step(message)
        work = self.world.disk.write(lambda conn: leaves.move(conn, session, step))
        self.witness.wish(wish, work)

    # ── stopping and cutting ──────────────────────────────────────────────────────────────

    @precondition(lambda self: self.logs)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        wish = self._new("cancel")
        wish.target = log = self.logs[which % len(self.logs)]
        self.witness.wish(wish, self.world.chat.cancel(log))

    @precondition(lambda self: self.messages)
    @rule(which=WHICH)
    def truncate(self, which: int) -> None:
        message, session = self.messages[which % len(self.messages)]
        wish = self._new("truncate", session)
        wish.target = message
        self.witness.wish(wish, self.world.chat.truncate(session, message))

    @precondition(lambda self: self.sessions and self.calm > CALM)
    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        self.calm = 0
        wish = self._new("delete", self.sessions[which % len(self.sessions)])
        self.witness.wish(wish, self.world.delete(wish.session or 0))

    # ── the vendor and the clock ──────────────────────────────────────────────────────────

    def _open(self) -> list[Call]:
        calls = self.world.vendor.calls.values()
        return [call for one in calls for call in one if call.outcome == "open"]

    @precondition(lambda self: self._open())
    @rule(which=WHICH, pieces=PIECES, seconds=st.sampled_from([0.0, 0.05, 0.3]))
    def the_vendor_says(self, which: int, pieces: list[Text | Reasoning], seconds: float) -> None:
        calls = self._open()
        calls[which % len(calls)].order(*pieces)
        self.witness.settle(seconds)

    @precondition(lambda self: self._open())
    @rule(which=WHICH, pieces=PIECES | st.just([]), end=ENDS, seconds=st.sampled_from([0.0, 0.3]))
    def the_vendor_ends(
        self,
        which: int,
        pieces: list[Text | Reasoning],
        end: Callable[[], Order],
        seconds: float,
    ) -> None:
        calls = self._open()
        calls[which % len(calls)].order(*pieces, end())
        self.witness.settle(seconds)

    @rule(seconds=st.sampled_from([0.01, 0.5, 2.5, 5.0, 6.5, 11.0, 45.0]))
    def time_passes(self, seconds: float) -> None:
        self.witness.settle(seconds)

    # ── readers ───────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self._known())
    @rule(which=WHICH, place=st.sampled_from([0.0, 0.5, 1.0]), eager=st.booleans())
    def a_reader_comes(self, which: int, place: float, eager: bool) -> None:
        known = self._known()
        log = self.witness.facts.logs[known[which % len(known)]]
        after = int(place * len(log.events))
        self._changes_nothing(lambda: self.witness.attach(log.id, after, eager=eager))

    @precondition(lambda self: self.witness.readers)
    @rule(which=WHICH)
    def a_reader_reads(self, which: int) -> None:
        readers = self.witness.readers
        self._changes_nothing(lambda: self.witness.read(readers[which % len(readers)]))

    @precondition(lambda self: self.witness.seats)
    @rule(which=WHICH)
    def an_asker_goes(self, which: int) -> None:
        seats = list(self.witness.seats)
        self._changes_nothing(lambda: self.witness.leave(seats[which % len(seats)]))

    @precondition(lambda self: self.witness.readers)
    @rule(which=WHICH)
    def a_reader_goes(self, which: int) -> None:
        readers = self.witness.readers
        self._changes_nothing(lambda: self.witness.drop(readers[which % len(readers)]))

    @precondition(lambda self: self._known())
    @rule(which=WHICH)
    def somebody_looks(self, which: int) -> None:
        known = self._known()
        self._changes_nothing(lambda: self._look(known[which % len(known)]))

    def _known(self) -> list[str]:
        """The logs that are there and of which somebody was told."""
        return [log for log in self.witness.facts.logs if log in self.witness.book.answers]

    def _look(self, log_id: str) -> None:
        log, chat = self.witness.facts.logs[log_id], self.world.chat
        seen = self.world.run(chat.generation(log_id))
        assert seen.status == log.status
        ahead = chat.check_cursor(seen, 0) + 1
        with pytest.raises(Conflict, match="ends at"):
            chat.check_cursor(seen, ahead)
        live = self.world.run(chat.generation_of(log.session_id))
        assert (live and live.id) == self.witness.facts.live_in(log.session_id)
        if not log.live and self.witness.undisturbed:
            answer = self.world.run(chat.answer(log_id))
            assert (answer.content, answer.status) == (log.content, log.status)

    def _changes_nothing(self, work: Callable[[], None]) -> None:
        """I8: whoever only looks changes no row."""
        before = self.witness.file.version()
        work()
        assert self.witness.file.version() == before, "I8: reading has written"

    # ── the disk and the process ──────────────────────────────────────────────────────────

    @precondition(lambda self: self.calm > CALM and self.world.disk.mode == "flows")
    @rule(mode=st.sampled_from(["once", "before", "after", "refuses", "loses"]), pieces=PIECES)
    def the_disk_turns(self, mode: Mode, pieces: list[Text | Reasoning]) -> None:
        """All vendors go on talking meanwhile."""
        self.calm = 0
        self.world.disk.turn(mode)
        for call in self._open():
            call.order(*pieces)
        self.witness.settle(0.3)

    @precondition(lambda self: self.world.disk.mode != "flows")
    @rule(seconds=st.sampled_from([0.0, 2.0]))
    def the_disk_flows_again(self, seconds: float) -> None:
        self.world.disk.turn("flows")
        self.witness.settle(seconds)

    @precondition(lambda self: self.calm > 3 * CALM or self.world.disk.mode != "flows")
    @rule()
    def the_process_is_killed(self) -> None:
        self.calm = 0
        self.witness.kill()

    @precondition(lambda self: self.calm > 3 * CALM and self.world.disk.mode == "flows")
    @rule()
    def the_process_is_stopped(self) -> None:
        self.calm = 0
        self.witness.stop()


class Size(NamedTuple):
    """How many histories of how many steps, and of which goal."""

    goal: str
    what: str
    runs: int
    steps: int


def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few words be many, so that short histories reach every bound."""
    monkeypatch.setattr(livelog, "MEMORY_LIMIT", 40)
    monkeypatch.setattr(livelog, "EVENT_CHARS", 50)
    monkeypatch.setattr(livelog, "PAGE_CHARS", 20)
    monkeypatch.setattr(eventlog, "PENDING_LIMIT", 60)
    monkeypatch.setattr(generations, "EVENT_PAGE", 3)
    monkeypatch.setattr(generations, "EVENT_PAGE_CHARS", 60)


def tried(
    machine: type[History], size: Size, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run histories and record what came out. A failure prints the steps that lead to it."""
    logging.disable(logging.ERROR)
    machine.empty, machine.tally, machine.screen = folder / "empty.db", Counter(), capsys
    World(machine.empty).close()
    chosen, began = seed(), time.process_time()
    wanted = settings(
        max_examples=size.runs,
        stateful_step_count=size.steps,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        with replayable(f"tests/heart/{machine.file}", chosen):
            run_state_machine_as_test(hypothesis.seed(chosen)(machine), settings=wanted)
    finally:
        logging.disable(logging.NOTSET)
    tally = machine.tally
    tell(capsys, "\n".join(f"{count:8} {what}" for what, count in sorted(tally.items())))
    spent = time.process_time() - began
    result = (
        f"{tally['runs']} runs, {tally['steps']} steps, 0 violations, seed {chosen}, {spent:.0f} s"
    )
    record(size.goal, size.what, f"{size.runs} runs of {size.steps} steps", result, True)


@pytest.mark.timeout(3600)
def test_every_promise_holds_in_any_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small_limits(monkeypatch)
    tried(History, Size("G5", "histories against a model", RUNS, STEPS), tmp_path, capsys)
