"""One answer, in as many requests as the tools of this server take.

    ask ─▶ Finish ─▶ calls of our tools? ── no ──▶ the answer is over
     ▲                     │ yes
     │            allowed, or a person is asked ─▶ Approval "asked" … and this waits, on disk
     │                     │ all decided
     └── results ◀── run, several at once; each to the log, in the order of the calls

What was said in one request and what its calls gave is said again in the next one: nothing else is
remembered. Every call is on disk before it is run, and so is the word of the person who allowed it:
after a crash nothing is run a second time. A call of a tool of the caller's ends the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..asking.prompts import split_rounds, turns_of_parts
from ..domain import (
    Approval,
    ApprovalState,
    Finish,
    Generation,
    Options,
    Part,
    Prompt,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    merged,
    together,
)
from ..eventlog import EventLog
from ..tools.base import Toolbox, unknown
from .attempts import Attempts
from .run import Run

MOST_AT_ONCE = 16  # calls of one answer that run at the same time
REFUSED = "A person was asked and did not allow this call."
NOT_ALLOWED = "A person has to allow this call, and nobody was asked: call it again."
TOO_MANY = "No more tools can be called in this answer: answer with what is known."


class Parked(Exception):
    """The server stops while a person is being waited for. The log is left as it is: the next
    process goes on with it."""


@dataclass(frozen=True, slots=True)
class Half:
    """What rows know of an answer that was left waiting: the names of the tools of this server
    that it may use, all that was said, what was decided of the calls, and what was spent."""

    generation: Generation
    offered: tuple[str, ...]
    parts: tuple[Part, ...]
    states: Mapping[str, ApprovalState]
    spent: Usage | None = None


@dataclass(slots=True, eq=False)
class _Wait:
    """A person is being waited for. `stored`: the disk knows that."""

    states: dict[str, ApprovalState]
    over: asyncio.Future[None]
    stored: bool = False

    @property
    def open(self) -> bool:
        return "asked" in self.states.values()


@dataclass(slots=True, eq=False)
class _Talk:
    """One answer over all of its rounds. `offered` are the names of our tools that it may use."""

    prompt: Prompt  # the first one, without what was said since
    offered: frozenset[str]
    heard: list[Part] = field(default_factory=list)
    states: dict[str, ApprovalState] = field(default_factory=dict)
    spent: Usage | None = None
    rounds: int = 0

    @classmethod
    def of(cls, prompt: Prompt) -> _Talk:
        """A prompt that goes on from a text counts that as said."""
        heard: list[Part] = []
        if begun := prompt.prefix:
            heard += [Reasoning(begun.reasoning)] if begun.reasoning else []
            heard.append(Text(begun.text))
        return cls(prompt, offered(prompt), heard)


def offered(prompt: Prompt) -> frozenset[str]:
    """The names of the tools of this server that a prompt offers."""
    theirs = {tool.name for tool in prompt.options.tools or ()}
    return frozenset(tool.name for tool in prompt.tools if tool.name not in theirs)


class Rounds:
    """Draws answers; runs what they call. `most` is how often tools are run for one answer."""

    def __init__(self, eventlog: EventLog, attempts: Attempts, toolbox: Toolbox, most: int) -> None:
        self._log = eventlog
        self._attempts = attempts
        self._toolbox = toolbox
        self._most = most
        self._waits: dict[str, _Wait] = {}
        self._parking = False

    async def draw(self, run: Run) -> Finish:
        """Ask until the answer is over. Raises UpstreamError; Parked."""
        if len(run.prompt.tools) == len(run.prompt.options.tools or ()):
            return await self._attempts.draw(run)
        return await self._draw(run, _Talk.of(run.prompt))

    async def go_on(self, run: Run, half: Half) -> Finish:
        """As `draw`, with an answer that was left waiting. The run's prompt is the first one."""
        names, states = frozenset(half.offered), dict(half.states)
        talk = _Talk(run.prompt, names, list(half.parts), states, half.spent)
        talk.rounds = max(0, len(split_rounds(half.parts)) - 1)
        calls = _open_calls(talk.heard)
        mine = self._mine(talk, calls)
        await self._carry_out(run, talk, mine)
        if len(mine) < len(calls):
            return Finish("tool_calls", talk.spent)
        self._prepare(run, talk)
        return await self._draw(run, talk)

    def decide(self, generation_id: str, call_id: str, state: ApprovalState) -> bool:
        """A person has decided. False if that call of that answer does not wait for one; else it
        is durable once the log is settled."""
        wait = self._waits.get(generation_id)
        if wait is None or wait.states.get(call_id) != "asked" or wait.over.done():
            return False
        wait.states[call_id] = state
        self._log.append(generation_id, Approval(call_id, state))
        if not wait.open:
            wait.over.set_result(None)
        return True

    def park(self) -> None:
        """Wait for nobody any more: the server stops."""
        self._parking = True
        for wait in self._waits.values():
            if wait.stored and not wait.over.done():
                wait.over.set_exception(Parked())

    # ── one answer ────────────────────────────────────────────────────────────────────────

    async def _draw(self, run: Run, talk: _Talk) -> Finish:
        run.keeps_prompt = True
        while True:
            before = len(talk.heard)
            run.heard = talk.heard
            finish = await self._attempts.draw(run)
            if not talk.rounds:  # somebody else may have answered than was asked
                talk.prompt = run.prompt
            talk.spent = together(talk.spent, finish.usage)
            calls = [part for part in talk.heard[before:] if isinstance(part, ToolCall)]
            mine = self._mine(talk, calls)
            if talk.rounds == self._most:
                self._refuse(run, mine)
                reason = "tool_rounds" if mine or finish.reason == "stop" else finish.reason
                return replace(finish, reason=reason, usage=talk.spent)
            await self._carry_out(run, talk, mine)
            if not mine:
                return replace(finish, usage=talk.spent)
            if len(mine) < len(calls):
                return replace(finish, reason="tool_calls", usage=talk.spent)
            self._prepare(run, talk)

    def _mine(self, talk: _Talk, calls: Sequence[ToolCall]) -> list[ToolCall]:
        theirs = {tool.name for tool in talk.prompt.options.tools or ()}
        return [call for call in calls if call.name not in theirs]

    def _refuse(self, run: Run, calls: Sequence[ToolCall]) -> None:
        for call in calls:
            self._log.append(run.generation.id, ToolResult(call.id, TOO_MANY, failed=True))

    def _prepare(self, run: Run, talk: _Talk) -> None:
        """The next request: the first one, and all that was said and carried out since."""
        talk.rounds += 1
        talk.heard = list(merged(talk.heard))
        talk.states.clear()
        last = talk.rounds == self._most
        options = talk.prompt.options
        theirs = options.tools or ()
        ours = tuple(tool for tool in self._toolbox.tools() if tool.name in talk.offered)
        run.prompt = Prompt(
            talk.prompt.model,
            (*talk.prompt.turns, *turns_of_parts(talk.heard)),
            replace(options, tool_choice=_next_choice(options, last=last)),
            tools=theirs + ours,
            pictured=talk.prompt.pictured,
        )
        run.spoken = run.begun = False

    # ── the calls of one round ────────────────────────────────────────────────────────────

    async def _carry_out(self, run: Run, talk: _Talk, calls: Sequence[ToolCall]) -> None:
        """Have every call decided, run what may run, and log a result for each, in order."""
        if not calls:
            return
        await self._decided(run, talk, calls)
        await self._log.settled(run.generation.id)  # on disk before anything is done
        room = asyncio.Semaphore(MOST_AT_ONCE)
        try:
            async with (
                asyncio.timeout_at(self._attempts.end_of(run)),
                asyncio.TaskGroup() as group,
            ):
                tasks = [
                    group.create_task(self._result(talk, call, room), name=f"tool-{call.id}")
                    for call in calls
                ]
                for task in tasks:
                    result = await task
                    talk.heard.append(result)
                    self._log.append(run.generation.id, result)
        except TimeoutError as cause:
            raise self._attempts.past_end(run) from cause

    async def _result(self, talk: _Talk, call: ToolCall, room: asyncio.Semaphore) -> ToolResult:
        state = talk.states.get(call.id)
        if state == "denied":
            return ToolResult(call.id, REFUSED, failed=True)
        if call.name not in talk.offered:
            return ToolResult(call.id, unknown(call), failed=True)
        async with room:
            verdict = self._toolbox.verdict(call)
            if verdict.word == "deny":
                return ToolResult(call.id, verdict.why, failed=True)
            if verdict.word == "ask" and state != "approved":
                return ToolResult(call.id, NOT_ALLOWED, failed=True)
            return await self._toolbox.run(call)

    async def _decided(self, run: Run, talk: _Talk, calls: Sequence[ToolCall]) -> None:
        """Return once nobody has to be asked (any more) about some calls. Nothing of them runs
        before: what is left waiting can be taken up again as it is."""
        states = talk.states
        fresh = [
            call.id
            for call in calls
            if call.id not in states
            and call.name in talk.offered
            and self._toolbox.verdict(call).word == "ask"
        ]
        states.update((call_id, "asked") for call_id in fresh)
        wait = _Wait(states, asyncio.get_running_loop().create_future())
        if not wait.open:
            return
        self._waits[run.generation.id] = wait
        for call_id in fresh:
            self._log.append(run.generation.id, Approval(call_id, "asked", talk.spent))
        began = asyncio.get_running_loop().time()
        try:
            wait.stored = await self._log.settled(run.generation.id)
            if self._parking and wait.stored and not wait.over.done():
                raise Parked
            await wait.over
        finally:
            del self._waits[run.generation.id]
            run.waited_s += asyncio.get_running_loop().time() - began


def _open_calls(heard: Sequence[Part]) -> list[ToolCall]:
    """The calls of the last round, which have no results."""
    *_, last = split_rounds(heard)
    return [part for part in last if isinstance(part, ToolCall)]


def _next_choice(options: Options, *, last: bool) -> str | None:
    """Whoever had to call something has done so."""
    if last:
        return "none"
    forced = options.tool_choice is not None and options.tool_choice not in ("auto", "none")
    return None if forced else options.tool_choice
