"""One request to a vendor, drawn to its end; again while nothing of the answer has been said.

    prompt ─▶ provider.stream ─ pieces ─▶ event log
                 │ fails before the first piece ─▶ a pause ─▶ again, a few times
                 └ says that the answer is over ─▶ Finish

Silence has its own timers; they count pieces, not keep-alive comments.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import assert_never

from .domain import Finish, Generation, Part, Prompt, Reasoning, Seal, Text, ToolCall
from .errors import UpstreamError
from .eventlog import EventLog
from .providers.base import Provider

BACKOFF_S = (0.5, 8.0)  # the first pause before a retry, and the longest
FIRST_PIECE_S = 120.0
LONGEST_WISH_S = 20.0  # a vendor that wants a longer pause is not asked again

_ASKED = Prompt("", ())  # instead of one that is not asked again: conversations may be long

log = logging.getLogger("lite_llm_chat.engine")


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
    most_rounds: int = 8  # how often tools of this server are run for one answer
    random: Callable[[], float] = random.random


@dataclass(slots=True, eq=False)
class Run:
    """One running generation, as far as asking for it goes."""

    generation: Generation
    prompt: Prompt
    provider: Provider
    started_at: float
    said: int = 0  # bytes of text, reasoning and arguments so far
    spoken: bool = False  # True once the request that runs now has brought a piece
    first_piece_at: float | None = None
    attempts: int = 0
    heard: list[Part] | None = None  # what is said, where somebody needs it in the end
    waited_s: float = 0.0  # for a person, which counts for no limit


class Attempts:
    """Asks vendors, by the policy, and lets the log have what they say."""

    def __init__(self, eventlog: EventLog, policy: Policy) -> None:
        self._log = eventlog
        self._policy = policy

    async def draw(self, run: Run) -> Finish:
        """Ask, until one attempt ends well or may not be repeated; every piece goes to the log.
        Raises UpstreamError."""
        window_end = asyncio.get_running_loop().time() + self._policy.retry_window_s
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

    def _pause_s(self, run: Run, error: UpstreamError) -> float | None:
        """How long to wait before the next attempt; None if there is to be none."""
        if not error.retryable or run.spoken or run.attempts > self._policy.retries:
            return None
        if error.retry_after_s is not None:
            return error.retry_after_s if error.retry_after_s <= LONGEST_WISH_S else None
        first, longest = BACKOFF_S
        full = min(longest, first * 2 ** (run.attempts - 1))
        return float(full * (0.5 + self._policy.random() / 2))

    async def _attempt(self, run: Run) -> Finish:
        """One request to the vendor, drawn to its end: every piece to the log. A piece sets the
        idle timer anew, but at most once a second: a timer for each piece is dear."""
        loop, idle_s = asyncio.get_running_loop(), self._policy.idle_s
        total_end = self.end_of(run)
        first_s = self._policy.first_piece_s or run.provider.first_piece_timeout_s or FIRST_PIECE_S
        slack_s, arm_again_at = min(1.0, idle_s / 8), 0.0
        try:
            async with (
                asyncio.timeout_at(min(loop.time() + first_s, total_end)) as timer,
                aclosing(run.provider.stream(run.prompt)) as pieces,
            ):
                async for piece in pieces:
                    if isinstance(piece, Finish):
                        return piece
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

    def _say(self, run: Run, piece: Text | Reasoning | ToolCall | Seal, now: float) -> None:
        if not run.spoken:
            run.spoken, run.prompt = True, _ASKED
            run.first_piece_at = run.first_piece_at or now
        run.said += _bytes(piece)
        self._log.append(run.generation.id, piece)
        if run.heard is not None:
            run.heard.append(piece)
        if run.said > self._policy.answer_bytes:
            raise UpstreamError(
                f"the answer grew over {self._policy.answer_bytes} bytes and was cut:"
                " raise MAX_ANSWER_BYTES if you want longer ones",
                code="answer_too_long",
            )

    def end_of(self, run: Run) -> float:
        """The moment, by the loop's clock, at which an answer is cut."""
        return run.started_at + run.waited_s + self._policy.total_s

    def past_end(self, run: Run) -> UpstreamError:
        """What an answer is cut with at that moment."""
        return UpstreamError(
            f"{run.provider.id} was still answering after {self._policy.total_s:g} s, so the answer"
            " was cut: raise TOTAL_TIMEOUT_SECONDS if that is too early",
            code="upstream_timeout",
            status=504,
        )

    def _late(self, run: Run, *, past_total: bool) -> UpstreamError:
        who = run.provider.id
        if past_total:
            return self.past_end(run)
        silence = "sent nothing more in the middle of its answer" if run.spoken else "said nothing"
        return UpstreamError(
            f"{who} {silence} for too long: continue the answer or ask again",
            code="upstream_timeout",
            status=504,
            retryable=True,
        )


def _bytes(piece: Text | Reasoning | ToolCall | Seal) -> int:
    match piece:
        case Text() | Reasoning():
            return len(piece.text.encode())
        case ToolCall():
            return len(piece.name.encode()) + len(piece.arguments.encode())
        case Seal():
            return len(piece.data.encode())
        case _:
            assert_never(piece)
