"""What must be true of a history, kept beside it in plain dictionaries.

    wishes ─▶ forecast ─┐
    tickets, events ────┼─▶ Book ─▶ complaints, one line each        (none: all is well)
    rows of the file ───┘

It knows what was asked, what the vendor said and what was told to whom. How a server does its work
it does not know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.durability.oracle import Log

from .facts import Facts, Said


@dataclass(eq=False)
class Wish:
    """One thing that was asked for. `target` is a message, or a log for `cancel`."""

    number: int
    kind: str
    session: int | None = None
    target: int | str | None = None
    text: str = ""
    on_active: str = "auto"
    key: str | None = None
    stays: bool = False  # who asked goes on reading
    alone: bool = True  # nobody else wants something of this session meanwhile
    forecast: str | None = None  # `ok`, `waits`, or the code of a refusal; None: who knows


@dataclass(eq=False)
class Answer:
    """One log, as far as it was heard of. `begins` is what a continued one starts with."""

    wish: Wish
    session: int
    begins: list[tuple[str, str]]
    final: Log | None = None


def _whole(message: int | str | None, facts: Facts) -> bool:
    log = facts.of(message)
    return log.status == "completed" and facts.asked[log.id].reason != "length"


def spoken(pieces: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pieces of a log, letter by letter: however they were merged, this is the same."""
    return [(kind, letter) for kind, data in pieces for letter in data]


class Book:
    """See the module."""

    def __init__(self) -> None:
        self.messages: dict[int, Said] = {}
        self.leaves: dict[int, int | None] = {}
        self.answers: dict[str, Answer] = {}
        self.keys: dict[str, tuple[str, str]] = {}  # key → the body it came with, its log
        self.seen: defaultdict[str, dict[int, tuple[str, str]]] = defaultdict(dict)  # by readers
        self.ends: defaultdict[str, set[str]] = defaultdict(set)  # log → what was done to end it

    # ── what is to come ───────────────────────────────────────────────────────────────────

    def forecast(self, wish: Wish, facts: Facts, followers: Mapping[str, int]) -> str | None:
        """What must come of a wish while nothing else is going on; None: one of several."""
        if wish.key in self.keys:
            same = self.keys[wish.key][0] == wish.text
            return "replayed" if same else "idempotency_key_reused"
        if wish.kind == "cancel":
            return "ok" if wish.target in facts.logs else "generation_not_found"
        if wish.kind in ("regenerate", "continue", "edit") and wish.target not in self.messages:
            return "message_not_found"
        if wish.session is not None and wish.session not in self.leaves:
            return "session_not_found"
        live = facts.live_in(wish.session)
        if wish.kind == "leaf":
            return "generation_active" if live else "ok"
        if wish.kind == "delete":
            return "ok"
        if wish.kind == "truncate":
            branch = facts.path(self.leaves[wish.session or 0])
            return "ok" if wish.target in branch else "not_on_branch"
        whole = wish.kind == "continue" and _whole(wish.target, facts)
        if live is None or whole:
            return "ok" if not whole else "nothing_to_continue" if live is None else None
        if wish.on_active == "enqueue":
            return "waits"
        free = wish.on_active == "interrupt" or not followers.get(live)
        return "ok" if free and wish.on_active != "reject" else "generation_active"

    # ── what came ─────────────────────────────────────────────────────────────────────────

    def begin(self, wish: Wish, log: str, facts: Facts) -> list[str]:
        """I1: an accepted question is in the file, under what it was asked under."""
        if log in self.answers:
            return []
        if log not in facts.logs:
            return [f"I1: {log} was promised and is not there"]
        number, message, *_ = facts.asked[log]
        row = facts.messages[message]
        path = facts.path(message)
        found = [] if number == wish.number else [f"I15: {log} is another wish's"]
        found += self._misplaced(wish, log, row, facts)
        self.messages |= {one: facts.messages[one] for one in path}
        self.leaves[row.session] = message if wish.alone else facts.leaves[row.session]
        self.answers[log] = Answer(wish, row.session, self._begins(wish, facts))
        if wish.key is not None:
            self.keys[wish.key] = (wish.text, log)
        return found

    def _misplaced(self, wish: Wish, log: str, row: Said, facts: Facts) -> list[str]:
        """What is wrong with the place of an answer, and of the question that it is to."""
        if wish.kind not in ("post", "edit"):
            right = row.parent == self.messages[int(wish.target or 0)].parent
            return [] if right else [f"I1: {log} is no sibling of {wish.target}"]
        question, found = facts.messages[row.parent or 0], []
        if (question.role, question.content) != ("user", wish.text):
            found.append(f"I1: {log} answers {question}, not {wish.text!r}")
        under = self.leaves.get(wish.session or 0)
        if wish.kind == "edit":
            under = self.messages[int(wish.target or 0)].parent
        if (wish.alone or wish.kind == "edit") and question.parent != under:
            found.append(f"I1: {wish.text!r} stands under {question.parent}, not {under}")
        return found

    def _begins(self, wish: Wish, facts: Facts) -> list[tuple[str, str]]:
        if wish.kind != "continue":
            return []
        cut = facts.of(wish.target)
        said = [(kind, data) for _, kind, data in cut.events if kind in ("text", "reasoning")]
        return said if cut.content else []

    def cut(self, session: int, facts: Facts) -> None:
        """A session was truncated or deleted, or shows another branch: take over what is left."""
        if session in facts.leaves:
            self.leaves[session] = facts.leaves[session]
            return
        self.leaves.pop(session, None)
        self.messages = {m: row for m, row in self.messages.items() if row.session != session}
        self.answers = {g: one for g, one in self.answers.items() if one.session != session}
        self.keys = {key: found for key, found in self.keys.items() if found[1] in self.answers}

    def hear(self, log: str, after: int, seq: int, event: tuple[str, str]) -> list[str]:
        """I5, I6: a reader gets the next number, and what everybody got under it."""
        found = [] if seq == after + 1 else [f"I5: {log}: {seq} came after {after}"]
        first = self.seen[log].setdefault(seq, event)
        return found if first == event else [*found, f"I6: {log}: {seq} was {first}, is {event}"]

    # ── what is ───────────────────────────────────────────────────────────────────────────

    def look(self, facts: Facts, loose: set[int | None]) -> list[str]:
        """I1, I2, I11. `loose` are the sessions of which somebody wants something right now
        (None: a new one)."""
        found = [line for log in self.answers for line in self._keeps(log, facts, loose)]
        for session in {*self.leaves, *facts.leaves} - loose:
            if session not in self.leaves and None in loose:
                continue
            if (leaf := facts.leaves.get(session, -1)) != self.leaves.get(session, -1):
                found.append(
                    f"I1: session {session} ends in {leaf}, not {self.leaves.get(session)}"
                )
        for message, row in self.messages.items():
            now = facts.messages.get(message)
            if row.session not in loose and (now is None or (row.role == "user" and now != row)):
                found.append(f"I1: message {message} was {row}, is {now}")
        return found

    def _keeps(self, log: str, facts: Facts, loose: set[int | None]) -> list[str]:
        answer, now = self.answers[log], facts.logs.get(log)
        if now is None:
            return [] if answer.session in loose else [f"I1: {log} is gone"]
        rows = {seq: (kind, data) for seq, kind, data in now.events}
        lost = [seq for seq, event in self.seen[log].items() if rows.get(seq) != event]
        found = [f"I2: {log}: {lost} were seen and are not kept"] if lost else []
        if answer.final is not None and answer.final != now:
            found.append(f"I11: {log} ended as {answer.final}, is {now}")
        return found
