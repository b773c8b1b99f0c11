"""Runs generations: each on its own, owned by nobody's request.

    provider ── pieces ──▶ spring ── append ──▶ event log ──▶ disk ──▶ readers
                             │ ends, fails, or is cancelled
                          closing ── end ──▶ event log          (never cancelled: it may be writing)

A generation is two tasks, one after the other. The spring draws from the provider and may be
cancelled at any await: that closes the connection to the vendor. When it is done the closing
decides what happened and ends the log, exactly once. Whatever goes wrong in a provider, even a
defect, becomes an Ended event with a sentence and a code.

A failed attempt is repeated only while nothing of the answer has been said, a few times, within a
short window. Silence has its own timers; they count pieces, not keep-alive comments.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

from .domain import Ended, Fault, Finish, Generation, Prompt, Reasoning, Text
from .errors import LiteError, UpstreamError
from .eventlog import EventLog
from .providers.base import Provider

BACKOFF_S = (0.5, 8.0)  # the first pause before a retry, and the longest
FIRST_PIECE_S = 120.0
LAST_WRITE_S = 1.0  # for the ends of what was interrupted at shutdown
LONGEST_WISH_S = 20.0  # a vendor that wants a longer pause is not asked again

_ASKED = Prompt("", ())  # instead of one that is not asked again: conversations may be long

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


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a vendor may take and how often it is asked; how many answers may be in the making.
    Seconds; bytes of UTF-8 text."""

    first_piece_s: float | None = None  # None: the provider's own bound, else FIRST_PIECE_S
    idle_s: float = 60.0
    total_s: float = 1800.0
    answer_bytes: int = 2 * 1024 * 1024
    retries: int = 2
    retry_window_s: float = 30.0
    most_answers: int = 2000
    random: Callable[[], float] = random.random


@dataclass(slots=True, eq=False)
class _Run:
    """One running generation."""

    generation: Generation
    prompt: Prompt
    provider: Provider
    started_at: float
    spring: asyncio.Task[Ended] | None = None
    closing: asyncio.Task[None] | None = None
    stop: Stop | None = None
    said: int = 0  # bytes of text and reasoning so far
    first_piece_at: float | None = None
    attempts: int = 0


def _none(provider: str, model: str, code: str) -> str:  # noqa: ARG001
    return ""


class Engine:
    """Starts, stops and drains generations. `advice` gives what a failure's sentence ends with,
    for people who have to mend it; "" for nothing."""

    def __init__(self, eventlog: EventLog, policy: Policy, advice: Advice = _none) -> None:
        self._log = eventlog
        self._policy = policy
        self._advice = advice
        self._runs: dict[str, _Run] = {}
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()  # set when the last answer has ended during a drain
        self.draining = False
        eventlog.on_broken = self._let_go
        eventlog.on_given_up = self.cancel

    def start(self, generation: Generation, prompt: Prompt, provider: Provider) -> None:
        """Answer, from now on, whoever listens. The log must be reserved. For a generation that
        runs already only what is known of it is renewed."""
        if running := self._runs.get(generation.id):
            running.generation = generation
            return
        loop = asyncio.get_running_loop()
        run = _Run(generation, prompt, provider, loop.time())
        run.spring = loop.create_task(self._draw(run), name=f"spring-{generation.id}")
        run.spring.add_done_callback(partial(self._close, run))
        self._runs[generation.id] = run

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

    @property
    def full(self) -> bool:
        """Whether as many answers are in the making, or about to be, as may be."""
        return self._log.running >= self._policy.most_answers

    async def drain(self, seconds: float) -> None:
        """Let what runs finish within some seconds (`hurry` cuts the wait), interrupt the rest,
        and return when every end is stored, or the disk has refused it for LAST_WRITE_S."""
        self.draining = True
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

    def _close(self, run: _Run, spring: asyncio.Task[Ended]) -> None:
        ending = self._end(run, self._verdict(run, spring))
        run.closing = spring.get_loop().create_task(ending, name=f"close-{run.generation.id}")

    async def _end(self, run: _Run, ended: Ended) -> None:
        await self._log.end(run.generation.id, ended)
        del self._runs[run.generation.id]
        self._report(run, ended)
        if self.draining and not self._runs:
            self._hurry.set()
            self._idle.set()

    def _verdict(self, run: _Run, spring: asyncio.Task[Ended]) -> Ended:
        """What happened. The one place where a spring's exceptions are looked at."""
        if spring.cancelled():
            return STOPPED[run.stop or "shutdown"]
        error = spring.exception()
        if error is None:
            return spring.result()
        if isinstance(error, LiteError):
            advice = self._advice(run.provider.id, run.prompt.model, error.code)
            return Ended("failed", fault=Fault(error.code, error.detail + advice))
        log.error("generation %s failed by a defect", run.generation.id, exc_info=error)
        return Ended("failed", fault=DEFECT)

    async def _draw(self, run: _Run) -> Ended:
        """Attempts, until one ends or may not be repeated."""
        window_end = run.started_at + self._policy.retry_window_s
        while True:
            run.attempts += 1
            try:
                return await self._attempt(run)
            except UpstreamError as error:
                pause_s = self._pause_s(run, error)
                loop = asyncio.get_running_loop()
                if pause_s is None or loop.time() + pause_s > window_end:
                    raise
                log.warning(
                    "generation %s: %s; trying again in %.1f s",
                    run.generation.id,
                    error.code,
                    pause_s,
                )
                await asyncio.sleep(pause_s)

    def _pause_s(self, run: _Run, error: UpstreamError) -> float | None:
        """How long to wait before the next attempt; None if there is to be none."""
        if not error.retryable or run.said or run.attempts > self._policy.retries:
            return None
        if error.retry_after_s is not None:
            return error.retry_after_s if error.retry_after_s <= LONGEST_WISH_S else None
        first, longest = BACKOFF_S
        full = min(longest, first * 2 ** (run.attempts - 1))
        return float(full * (0.5 + self._policy.random() / 2))

    async def _attempt(self, run: _Run) -> Ended:
        """One request to the vendor, drawn to its end: every piece to the log. A piece sets the
        idle timer anew, but at most once a second: a timer for each piece is dear."""
        loop, idle_s = asyncio.get_running_loop(), self._policy.idle_s
        total_end = run.started_at + self._policy.total_s
        first_s = self._policy.first_piece_s or run.provider.first_piece_timeout_s or FIRST_PIECE_S
        slack_s, arm_again_at = min(1.0, idle_s / 8), 0.0
        try:
            async with (
                asyncio.timeout_at(min(loop.time() + first_s, total_end)) as timer,
                aclosing(run.provider.stream(run.prompt)) as pieces,
            ):
                async for piece in pieces:
                    if isinstance(piece, Finish):
                        return _completed(piece)
                    now = loop.time()
                    self._say(run, piece, now)
                    if now >= arm_again_at:
                        arm_again_at = now + slack_s
                        timer.reschedule(min(arm_again_at + idle_s, total_end))
        except TimeoutError as cause:
            raise self._late(run, past_total=loop.time() >= total_end) from cause
        raise UpstreamError(
            f"{run.provider.id} ended its answer in the middle: continue it or ask again",
            code="upstream_truncated",
            retryable=True,
        )

    def _say(self, run: _Run, piece: Text | Reasoning, now: float) -> None:
        if not run.said:
            run.first_piece_at = now
            run.prompt = _ASKED
        run.said += len(piece.text.encode())
        self._log.append(run.generation.id, piece)
        if run.said > self._policy.answer_bytes:
            raise UpstreamError(
                f"the answer grew over {self._policy.answer_bytes} bytes and was cut:"
                " raise MAX_ANSWER_BYTES if you want longer ones",
                code="answer_too_long",
            )

    def _late(self, run: _Run, *, past_total: bool) -> UpstreamError:
        who = run.provider.id
        if past_total:
            return UpstreamError(
                f"{who} was still answering after {self._policy.total_s:g} s, so the answer was"
                " cut: raise TOTAL_TIMEOUT_SECONDS if that is too early",
                code="upstream_timeout",
                status=504,
            )
        silence = "sent nothing more in the middle of its answer" if run.said else "said nothing"
        return UpstreamError(
            f"{who} {silence} for too long: continue the answer or ask again",
            code="upstream_timeout",
            status=504,
            retryable=True,
        )

    def _report(self, run: _Run, ended: Ended) -> None:
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
                    "model": run.generation.model,
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


def _completed(finish: Finish) -> Ended:
    return Ended(
        "completed",
        finish_reason=finish.reason,
        usage=finish.usage,
        served_model=finish.model,
        fingerprint=finish.fingerprint,
    )
