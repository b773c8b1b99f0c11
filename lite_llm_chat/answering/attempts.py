"""What a vendor is asked, drawn to its end; again, or of another, while nothing of it was said.

    prompt ─▶ provider.stream ─ pieces ─▶ event log
                 │ fails before the first piece ─▶ a pause ─▶ again, a few times
                 │      └ still, or for good ─▶ the next of the list, with a prompt of its own
                 └ says that the answer is over ─▶ has the text its form? ─▶ Finish
                                                        └ no ─▶ asked once more

Silence has its own timers; they count pieces, not keep-alive comments.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import msgspec

from ..domain import (
    Finish,
    Prompt,
    Reasoning,
    Rerouted,
    Seal,
    Text,
    ToolCall,
    Working,
)
from ..domain.tally import prompt_quarters, quarters
from ..errors import Invalid, UpstreamError
from ..eventlog import EventLog
from ..providers.base import Provider
from . import elsewhere
from .elsewhere import Failure
from .formed import formed
from .rest import Resting
from .run import Other, Run

BACKOFF_S = (0.5, 8.0)  # the first pause before a retry, and the longest
FIRST_PIECE_S = 120.0
LONGEST_WISH_S = 20.0  # a vendor that wants a longer pause is not asked again

_ASKED = Prompt("", ())  # instead of one that is not asked again: conversations may be long

log = logging.getLogger("lite_llm_chat.engine")

Filled = Callable[[Prompt], Awaitable[Prompt]]  # a prompt, with the bytes of its pictures


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a vendor may take and how often it is asked; how many answers may be in the making.
    Seconds; bytes of UTF-8 text. `clock` is the one of rests."""

    first_piece_s: float | None = None  # None: the provider's own bound, else FIRST_PIECE_S
    idle_s: float = 60.0
    total_s: float = 1800.0
    answer_bytes: int = 2 * 1024 * 1024
    retries: int = 2
    retry_window_s: float = 30.0
    most_answers: int = 2000
    most_rounds: int = 8  # how often tools of this server are run for one answer
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic


class Attempts:
    """Asks vendors, by the policy, and lets the log have what they say."""

    def __init__(self, eventlog: EventLog, policy: Policy) -> None:
        self._log = eventlog
        self._policy = policy
        self.resting = Resting(policy.clock)
        self.filled: Filled | None = None

    async def draw(self, run: Run) -> Finish:
        """Ask, until somebody answers to the end or nobody is left; every piece goes to the log.
        The text of an answer whose form its vendor does not see to goes there once it has that
        form. Raises UpstreamError."""
        begun = run.prompt.prefix.text if run.prompt.prefix else ""
        try:
            finish = await self._anybody(run)
            return finish if run.wanted is None else await formed(self, run, begun, finish)
        except asyncio.CancelledError:  # what was said is kept
            self.let_go(run)
            raise

    # ── who is asked ──────────────────────────────────────────────────────────────────────

    async def _anybody(self, run: Run) -> Finish:
        """The answer of the first one that gives any."""
        provider, model, before = run.provider, run.prompt.model, run.rerouted
        ask = partial(_as_before, run.prompt)
        run.others = (Other(provider, run.model, ask, first=True), *run.others)
        del ask  # a long conversation is kept for as long as it may be needed again
        failures: list[Failure] = []
        while True:
            try:
                self._turn(run, failures, before)
                return await self.insist(run)
            except UpstreamError as error:
                failures.append(elsewhere.failure(run.provider.id, run.model, error))
                if run.others and elsewhere.goes_elsewhere(error):
                    continue
                self.let_go(run)
                if run.spoken or len(failures) == 1:
                    raise
                run.provider, run.prompt, run.rerouted = provider, Prompt(model, ()), before
                raise elsewhere.all_failed(failures) from error

    def _turn(self, run: Run, failures: Sequence[Failure], before: Rerouted | None) -> None:
        """Ask the best of those who were not asked yet: first who is ready and does not rest, last
        who is not ready, else in their order. `before` is who answers if the first one does. Raises
        UpstreamError if that one cannot be asked this."""
        ranks = [self._rank(other.provider) for other in run.others]
        place = ranks.index(min(ranks))
        passed, one = run.others[:place], run.others[place]
        run.others = (*passed, *run.others[place + 1 :])
        run.provider, run.rerouted = one.provider, before
        if not one.first:
            why = [failed.detail for failed in failures]
            why += [
                elsewhere.passed_over(each.provider.id, each.provider.readiness())
                for each in passed
            ]
            reason = elsewhere.reason(one.provider.id, one.model, why)
            run.rerouted = Rerouted(one.provider.id, one.model, reason)
            log.warning("generation %s: %s is asked instead", run.generation.id, one.provider.id)
        try:
            run.prompt, warnings = one.ask()
        except Invalid as error:  # its window is too small for this, say
            raise UpstreamError(error.detail, code=error.code, status=error.status) from error
        if run.rerouted is not None and warnings:
            run.rerouted = msgspec.structs.replace(run.rerouted, warnings=warnings)

    def _rank(self, provider: Provider) -> int:
        if not provider.readiness().ready:
            return 2
        return 0 if self.resting.left_s(provider.id) is None else 1

    async def insist(self, run: Run) -> Finish:
        """Ask who is to be asked now, again while that may help. Raises UpstreamError."""
        loop, tries = asyncio.get_running_loop(), 0
        window_end = loop.time() + self._policy.retry_window_s
        while True:
            tries += 1
            run.attempts += 1
            try:
                return await self._attempt(run)
            except UpstreamError as error:
                if not run.begun:
                    self.resting.failed(run.provider.id, error)
                pause_s = None if run.spoken else self._pause_s(run, error, tries)
                if pause_s is None or loop.time() + pause_s > window_end:
                    raise
                log.warning(
                    "generation %s: %s; trying again in %.1f s",
                    run.generation.id,
                    error.code,
                    pause_s,
                )
                await asyncio.sleep(pause_s)

    def _pause_s(self, run: Run, error: UpstreamError, tries: int) -> float | None:
        """How long to wait before the next attempt; None if there is to be none. Nobody waits
        longer than by our own rule for one vendor while there is another."""
        if not error.retryable or tries > self._policy.retries:
            return None
        first, longest = BACKOFF_S
        if error.retry_after_s is not None:
            most_s = longest if run.others else LONGEST_WISH_S
            return error.retry_after_s if error.retry_after_s <= most_s else None
        full = min(longest, first * 2 ** (tries - 1))
        return float(full * (0.5 + self._policy.random() / 2))

    # ── one request ───────────────────────────────────────────────────────────────────────

    async def _attempt(self, run: Run) -> Finish:
        """One request to the vendor, drawn to its end: every piece to the log. A piece sets the
        idle timer anew, but at most once a second: a timer for each piece is dear."""
        loop, idle_s = asyncio.get_running_loop(), self._policy.idle_s
        total_end = self.end_of(run)
        first_s = self._policy.first_piece_s or run.provider.first_piece_timeout_s or FIRST_PIECE_S
        slack_s, arm_again_at = min(1.0, idle_s / 8), 0.0
        run.begun, run.draft, run.reported = False, run.fresh_draft(), None
        try:
            async with (
                asyncio.timeout_at(min(loop.time() + first_s, total_end)) as timer,
                aclosing(
                    run.provider.stream(
                        await self._filled(run) if run.prompt.pictured else run.prompt
                    )
                ) as pieces,
            ):
                async for piece in pieces:
                    if not run.begun:
                        run.begun = True
                        run.prompt_quarters += prompt_quarters(run.prompt)
                        self.resting.answered(run.provider.id)
                    if isinstance(piece, Finish):
                        self._announce(run)
                        return piece
                    now = loop.time()
                    if isinstance(piece, Working):
                        run.reported = piece.reported or run.reported
                    else:
                        run.first_piece_at = run.first_piece_at or now
                        self._take(run, piece)
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

    async def _filled(self, run: Run) -> Prompt:
        """What is asked, with the bytes of its pictures: for the request, and kept by nobody."""
        return run.prompt if self.filled is None else await self.filled(run.prompt)

    def _take(self, run: Run, piece: Text | Reasoning | ToolCall | Seal) -> None:
        """A piece, to the log, unless it has to wait in the draft."""
        held = False
        run.said_quarters += 0 if isinstance(piece, Seal) else quarters(_text(piece))
        if run.draft is not None:
            if isinstance(piece, ToolCall):
                self.let_go(run)  # what was said before the call stands before it
            held = run.draft.keeps(piece)
        if not held:
            self._say(run, piece)
        if run.said + (run.draft.size if run.draft else 0) > self._policy.answer_bytes:
            raise UpstreamError(
                f"the answer grew over {self._policy.answer_bytes} bytes and was cut:"
                " raise MAX_ANSWER_BYTES if you want longer ones",
                code="answer_too_long",
            )

    def _say(self, run: Run, piece: Text | Reasoning | ToolCall | Seal) -> None:
        if not run.spoken:
            run.spoken, run.others = True, ()  # from now on nobody else is asked
            if not run.keeps_prompt and (run.draft is None or not run.draft.held):
                run.prompt = _ASKED
        self._announce(run)
        run.said += len(_text(piece).encode())
        self._log.append(run.generation.id, piece)
        if run.heard is not None:
            run.heard.append(piece)

    def _announce(self, run: Run) -> None:
        """Say who answers, before anything that it says."""
        if run.rerouted is not None and not run.announced:
            run.announced = True
            self._log.append(run.generation.id, run.rerouted)

    def let_go(self, run: Run, text: str | None = None) -> None:
        """To the log with what was held back, as it came or with another text instead."""
        for piece in run.draft.let_go(text) if run.draft else ():
            self._say(run, piece)

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
        silence = "sent nothing more in the middle of its answer" if run.begun else "said nothing"
        return UpstreamError(
            f"{who} {silence} for too long: continue the answer or ask again",
            code="upstream_timeout",
            status=504,
            retryable=True,
        )


def _as_before(prompt: Prompt) -> tuple[Prompt, tuple[str, ...]]:
    return prompt, ()


def _text(piece: Text | Reasoning | ToolCall | Seal) -> str:
    match piece:
        case Text() | Reasoning():
            return piece.text
        case ToolCall():
            return piece.name + piece.arguments
        case Seal():
            return piece.data
        case _:
            assert_never(piece)
