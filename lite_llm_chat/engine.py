"""Runs generations: each on its own, owned by nobody's request.

    provider ── pieces ──▶ spring ── append ──▶ event log ──▶ disk ──▶ readers
                             │ ends, fails, or is cancelled
                          closing ── end ──▶ event log          (never cancelled: it may be writing)

A generation is two tasks, one after the other. The spring draws from the provider, in rounds if it
calls tools of this server, and may be cancelled at any await: that closes the connection to the
vendor. When it is done the closing decides what happened and ends the log, exactly once. Whatever
goes wrong in a provider, even a defect, becomes an Ended event with a sentence and a code. An
answer that waits for a person when the server stops has no end: the next process goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from .answering.attempts import Attempts, Filled, Policy
from .answering.rest import Resting
from .answering.rounds import Half, Parked, Rounds
from .answering.run import Other, Run
from .domain import ApprovalState, Ended, Fault, Finish, Generation, Prompt
from .errors import LiteError
from .eventlog import EventLog
from .providers.base import Provider
from .tools.base import NoTools, Toolbox

NO_TOOLS = NoTools()
LAST_WRITE_S = 1.0  # for the ends of what was interrupted at shutdown

log = logging.getLogger("lite_llm_chat.engine")

Stop = Literal["cancelled", "shutdown", "storage"]
Advice = Callable[[str, str, str], str]  # of a provider, the model that it was asked for, a code

STOPPED: dict[Stop, Ended] = {
    "cancelled": Ended("cancelled"),
    "shutdown": Ended(
        "interrupted",
        fault=Fault(
            "server_stopped",
            "the server was stopped in the middle of this answer: continue it or ask again",
        ),
    ),
    "storage": Ended(
        "interrupted",
        fault=Fault(
            "storage_unavailable",
            "the disk refused to keep this answer, so it was"
            " stopped: free some space, then continue it or ask again",
        ),
    ),
}
DEFECT = Fault("internal_error", "the server failed in the middle of this answer: see its log")


@dataclass(slots=True, eq=False)
class _Running(Run):
    """One running generation, with its two tasks."""

    spring: asyncio.Task[Ended] | None = None
    closing: asyncio.Task[None] | None = None
    stop: Stop | None = None


def _counted(run: _Running, ended: Ended) -> Ended:
    """With our own estimate where no vendor said what it took: nobody does of an answer that was
    stopped, and some never do."""
    return ended if ended.usage else replace(ended, usage=run.estimate())


def _none(provider: str, model: str, code: str) -> str:  # noqa: ARG001
    return ""


class Engine:
    """Starts, stops and drains generations. `advice` gives what a failure's sentence ends with,
    for people who have to mend it; "" for nothing."""

    def __init__(
        self,
        eventlog: EventLog,
        policy: Policy,
        advice: Advice = _none,
        toolbox: Toolbox = NO_TOOLS,
    ) -> None:
        self._log = eventlog
        self._policy = policy
        self.tools = toolbox.tools
        self._attempts = Attempts(eventlog, policy)
        self._rounds = Rounds(eventlog, self._attempts, toolbox, policy.most_rounds)
        self._advice = advice
        self._runs: dict[str, _Running] = {}
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()  # set when the last answer has ended during a drain
        self.draining = False
        self.on_ended: Callable[[Run, Ended], None] = lambda _run, _ended: None
        eventlog.on_broken = self._let_go
        eventlog.on_given_up = self.cancel

    @property
    def resting(self) -> Resting:
        """Which vendors are rested."""
        return self._attempts.resting

    def show(self, filled: Filled) -> None:
        """From now on the pictures of prompts get their bytes this way."""
        self._attempts.filled = filled

    def start(
        self,
        generation: Generation,
        prompt: Prompt,
        provider: Provider,
        others: tuple[Other, ...] = (),
    ) -> None:
        """Answer, from now on, whoever listens; the others if that provider cannot. The log must be
        reserved. For a generation that runs already only what is known of it is renewed."""
        if running := self._runs.get(generation.id):
            running.generation = generation
            return
        run = _Running(generation, prompt, provider, asyncio.get_running_loop().time(), others)
        self._spring(run, self._rounds.draw(run))

    def go_on(self, half: Half, prompt: Prompt, provider: Provider) -> None:
        """Go on with an answer that an earlier process left waiting for a person. The log must be
        reopened; `prompt` is what was asked first."""
        run = _Running(half.generation, prompt, provider, asyncio.get_running_loop().time())
        self._spring(run, self._rounds.go_on(run, half))

    async def decide(self, generation_id: str, call_id: str, state: ApprovalState) -> bool:
        """A person has decided about a call; True once that is on disk. False if that call does
        not wait for one (any more)."""
        decided = self._rounds.decide(generation_id, call_id, state)
        return decided and await self._log.settled(generation_id)

    def cancel(self, generation_id: str, reason: Stop = "cancelled") -> bool:
        """Close the source of a running generation; False if it does not run (any more). What
        was said is kept and the end follows at once: wait for it with the log's `wait_end`."""
        run = self._runs.get(generation_id)
        if run is None or run.spring is None or run.spring.done():
            return False
        run.stop = run.stop or reason
        run.spring.cancel()
        return True

    @property
    def running(self) -> int:
        """How many generations run now."""
        return len(self._runs)

    def takes(self, more: int) -> bool:
        """Whether so many more answers may be made, besides those that are or are about to be."""
        return self._log.running + more <= self._policy.most_answers

    async def drain(self, seconds: float) -> None:
        """Let what runs finish within some seconds (`hurry` cuts the wait), interrupt the rest,
        and return when every end is stored, or the disk has refused it for LAST_WRITE_S."""
        self.draining = True
        self._rounds.park()
        if not self._runs:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        for generation_id in list(self._runs):
            self.cancel(generation_id, "shutdown")
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WRITE_S):
                await self._idle.wait()
        if self._runs:
            log.error(
                "the disk refuses the ends of %d answers: the next start stores them",
                len(self._runs),
            )

    def hurry(self) -> None:
        """Cut a drain short."""
        self._hurry.set()

    def _let_go(self) -> None:
        for generation_id in list(self._runs):
            self.cancel(generation_id, "storage")

    # ── one generation ────────────────────────────────────────────────────────────────────

    def _spring(self, run: _Running, drawing: Coroutine[Any, Any, Finish]) -> None:
        loop = asyncio.get_running_loop()
        run.spring = loop.create_task(self._draw(run, drawing), name=f"spring-{run.generation.id}")
        run.spring.add_done_callback(partial(self._close, run))
        self._runs[run.generation.id] = run

    def _close(self, run: _Running, spring: asyncio.Task[Ended]) -> None:
        if not spring.cancelled() and isinstance(spring.exception(), Parked):
            self._log.release(run.generation.id)
            self._let_out(run)
            return
        ending = self._end(run, _counted(run, self._verdict(run, spring)))
        run.closing = spring.get_loop().create_task(ending, name=f"close-{run.generation.id}")

    async def _end(self, run: _Running, ended: Ended) -> None:
        await self._log.end(run.generation.id, ended)
        self._let_out(run)
        self._report(run, ended)
        self.on_ended(run, ended)

    def _let_out(self, run: _Running) -> None:
        del self._runs[run.generation.id]
        if self.draining and not self._runs:
            self._hurry.set()
            self._idle.set()

    def _verdict(self, run: _Running, spring: asyncio.Task[Ended]) -> Ended:
        """What happened. The one place where a spring's exceptions are looked at. `result` takes
        them off the task: their frames hold it, and it would hold them."""
        defect = None if spring.cancelled() else spring.exception()
        if defect is not None and not isinstance(defect, LiteError):
            log.error("generation %s failed by a defect", run.generation.id, exc_info=defect)
            return Ended("failed", fault=DEFECT)
        del defect
        try:
            return spring.result()
        except asyncio.CancelledError:
            return STOPPED[run.stop or "shutdown"]
        except LiteError as error:
            error.with_traceback(None)
            advice = self._advice(run.provider.id, run.prompt.model, error.code)
            fault = Fault(error.code, error.detail + advice)
            return Ended("failed", usage=run.spent, fault=fault, warnings=tuple(run.warnings))

    async def _draw(self, run: _Running, drawing: Coroutine[Any, Any, Finish]) -> Ended:
        finish = await drawing
        return Ended(
            "completed",
            finish_reason=finish.reason,
            usage=finish.usage,
            served_model=finish.model,
            fingerprint=finish.fingerprint,
            warnings=tuple(run.warnings),
        )

    def _report(self, run: _Running, ended: Ended) -> None:
        """The one log line of a generation: numbers and names, never what was said."""
        now = asyncio.get_running_loop().time()
        usage = ended.usage
        first_s = None if run.first_piece_at is None else run.first_piece_at - run.started_at
        log.info(
            "generation ended",
            extra={
                "fields": {
                    "generation_id": run.generation.id,
                    "session_id": run.generation.session_id,
                    "provider": run.provider.id,
                    "model": run.model,
                    "served_model": ended.served_model,
                    "fingerprint": ended.fingerprint,
                    "status": ended.status,
                    "code": ended.fault and ended.fault.code,
                    "finish_reason": ended.finish_reason,
                    "attempts": run.attempts,
                    "first_piece_s": first_s and round(first_s, 3),
                    "total_s": round(now - run.started_at, 3),
                    "bytes": run.said,
                    "input_tokens": usage and usage.input,
                    "cached_tokens": usage and usage.cached,
                    "output_tokens": usage and usage.output,
                    "reasoning_tokens": usage and usage.reasoning,
                }
            },
        )
