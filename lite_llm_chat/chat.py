"""One turn: record the question, start the answer, follow it, stop it.

    open_turn ─▶ log reserved ─▶ one transaction (asking/turns.py) ─▶ log opened ─▶ Ticket
                            └▶ engine started while it commits (decision 0015)
    follow    ─▶ the log's tail, for as long as the caller cares to read
    answer    ─▶ the stored message, once the log has ended
    cancel    ─▶ the wish is stored, the source is closed, the end is awaited

Once the transaction is committed the answer goes on without its caller, whatever becomes of the
request. Who cuts a conversation that is being answered stops that answer first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from .answering.run import Other
from .answering.summaries import Summaries
from .asking import again, cuts, forms, turns
from .asking.again import Edit
from .asking.briefs import Rules
from .asking.turns import Ask, GenerationActive, Opening, Stamp, Wish
from .catalog import Catalog, Choice
from .domain import LIVE, Generation, Message, Model, Options, Ticket
from .engine import STOPPED, Engine
from .errors import Conflict, Unavailable
from .eventlog import EventLog
from .history.titles import Titles
from .provider_states import ProviderState, states
from .providers.base import Provider
from .store import generations, messages, sessions
from .store.database import Connection, Database
from .tail import Tail

OnActive = Literal["auto", "reject", "enqueue", "interrupt"]
__all__ = ["Ask", "Chat", "Edit", "ProviderState", "GenerationActive", "OnActive", "Stamps", "Wish"]

CANCEL_PATIENCE_S = 2.0

_OpeningWork = Callable[[Connection, Stamp], Opening]

log = logging.getLogger("lite_llm_chat.chat")


@dataclass(frozen=True, slots=True)
class Stamps:
    """Ids and the present moment, replaceable in tests."""

    generation_id: Callable[[], str]
    now: Callable[[], datetime]


class Chat:
    """What the edge may do with conversations, where a rule is involved."""

    def __init__(
        self,
        database: Database,
        eventlog: EventLog,
        engine: Engine,
        providers: tuple[Catalog, Mapping[str, Provider]],
        stamps: Stamps,
    ) -> None:
        self._db = database
        self._log = eventlog
        self._engine = engine
        self._catalog, self._providers = providers
        self._stamps = stamps
        self._summaries: Summaries | None = None
        self._titles: Titles | None = None
        self.rules = Rules(self._catalog, self._require, self._ignored, self._formats, engine.tools)
        self.vet: Callable[[Connection], None] = lambda _: None  # may refuse what was opened
        self._accepting: set[asyncio.Task[Ticket]] = set()
        self._leaving: set[asyncio.Task[Generation]] = set()
        self._doomed: set[str] = set()

    def sum_up(self, summaries: Summaries) -> None:
        """From now on what no longer fits a window is summed up."""
        self._summaries = summaries
        self.rules = replace(self.rules, sums_up=True)

    def name(self, titles: Titles) -> None:
        """From now on conversations are named after their first answer."""
        self._titles = titles

    def choose(
        self, provider: str | None, model: str | None, home: tuple[str, str] | None = None
    ) -> Choice:
        """Who answers for a name: see `Catalog.choose`. Raises Invalid."""
        return self._catalog.choose(provider, model, home)

    def models(self, provider: str | None) -> Sequence[Model]:
        """All models, or one provider's. Raises Invalid `unknown_provider`."""
        return self._catalog.list(provider)

    def providers(self) -> Sequence[ProviderState]:
        """Every provider with its state, in display order."""
        return states(self._providers, self._catalog, self._engine.resting, self._stamps.now())

    @property
    def draining(self) -> bool:
        """True once the server is about to stop: no question is taken any more."""
        return self._engine.draining

    # ── opening ───────────────────────────────────────────────────────────────────────────

    async def open_turn(self, ask: Ask, on_active: OnActive = "auto") -> Ticket:
        """Accept a question: when this returns it is on disk and being answered. Raises NotFound,
        Invalid, Unavailable (`provider_not_configured`, `draining`, `storage_unavailable`) or
        GenerationActive."""

        forms.check(ask.wish.options.response_format)

        def work(conn: Connection, stamp: Stamp) -> Opening:
            return turns.open_question(conn, ask, self.rules, stamp)

        return await self._make_room(work, on_active, ask.wish.answers)

    async def regenerate(self, message_id: int, wish: Wish, on_active: OnActive = "auto") -> Ticket:
        """Answer the same question again, beside the first answer. Raises as `open_turn`."""

        forms.check(wish.options.response_format)

        def work(conn: Connection, stamp: Stamp) -> Opening:
            return again.open_regeneration(conn, message_id, wish, self.rules, stamp)

        return await self._make_room(work, on_active, wish.answers)

    async def edit(self, edit: Edit, on_active: OnActive = "auto") -> Ticket:
        """Ask something else in the place of a question, which stays beside it. Raises as
        `open_turn`, and Invalid `not_a_question`."""

        forms.check(edit.wish.options.response_format)

        def work(conn: Connection, stamp: Stamp) -> Opening:
            return again.open_edit(conn, edit, self.rules, stamp)

        return await self._make_room(work, on_active, edit.wish.answers)

    async def continue_(self, message_id: int, wish: Wish, on_active: OnActive = "auto") -> Ticket:
        """Go on from a cut answer: a sibling that begins with what it has. Raises as `open_turn`,
        and Conflict `nothing_to_continue`."""

        forms.check(wish.options.response_format)

        def work(conn: Connection, stamp: Stamp) -> Opening:
            return again.open_continuation(conn, message_id, wish, self.rules, stamp)

        return await self._make_room(work, on_active)

    async def _make_room(self, work: _OpeningWork, on_active: OnActive, answers: int = 1) -> Ticket:
        """Accept; where other answers are in the way, do with them what was asked."""
        while True:
            if self._engine.draining:
                raise Unavailable("the server is stopping: ask again in a moment", code="draining")
            if not self._engine.takes(answers):
                raise Unavailable(
                    "the server is answering as many questions as it may: ask again in a moment",
                    code="too_many_answers",
                    retry_after_s=1,
                )
            task = asyncio.create_task(self._accept(work, answers), name="accept")
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:  # the asker has left; the answer may still begin
                task.add_done_callback(self._unseat)
                raise
            except GenerationActive as active:
                if not await self._clear_way(active.generation_ids, on_active):
                    raise
            finally:
                del task  # an error would hold this frame, and by it itself

    async def _clear_way(self, rivals: Sequence[str], on_active: OnActive) -> bool:
        """Whether the answers that are in the way are over now."""
        if lost := [one for one in rivals if not self._log.runs(one)]:
            await asyncio.gather(*map(self._bury, lost))
        elif on_active == "enqueue":
            await asyncio.gather(*map(self._log.wait_end, rivals))
        elif on_active == "interrupt" or (
            on_active == "auto" and not any(map(self._log.followers, rivals))
        ):
            await asyncio.gather(*map(self._stop, rivals))
        else:
            return False
        return True

    async def _accept(self, work: _OpeningWork, answers: int) -> Ticket:
        """The transaction and the start, as one step that no caller can cut in two. The vendor is
        asked while the question is being committed; what it says waits for that, and is dropped
        if the commit fails."""
        ids = tuple(self._stamps.generation_id() for _ in range(answers))
        stamp = Stamp(ids, self._stamps.now())
        for generation_id in ids:
            self._log.reserve(generation_id)
        opening: Opening | None = None

        def vetted(conn: Connection) -> Opening:
            opening = work(conn, stamp)
            self.vet(conn)
            return opening

        try:
            opening = await self._db.write(vetted, early=self._begin_early)
        finally:
            if opening is None or opening.generation is None:
                for generation_id in ids:
                    self._engine.cancel(generation_id)
                    self._log.release(generation_id)
        for one in opening.everyone:
            self._go_on(one)
        return opening.ticket

    def _begin_early(self, opening: Opening) -> None:
        for one in opening.everyone:
            if one.generation is not None:
                self._log.expect(one.events)
            self._begin(one)

    def _go_on(self, opening: Opening) -> None:
        """The question is on disk."""
        if opening.generation is None:
            return
        generation_id = opening.generation.id
        self._log.open(opening.events)
        self._begin(opening)
        if generation_id in self._doomed:
            self._engine.cancel(generation_id)
        if self._summaries is not None and opening.left_out and opening.prompt:
            provider = self._providers[opening.generation.provider]
            ended = self._log.wait_end(generation_id)
            self._summaries.make(opening.left_out, provider, opening.prompt.model, ended)
        if self._titles is not None and opening.prompt:
            self._titles.after(opening.generation, opening.prompt, self._log.wait_end)

    def _begin(self, opening: Opening) -> None:
        if opening.generation is not None and opening.prompt is not None:
            provider = self._providers[opening.generation.provider]
            others = tuple(
                Other(self._providers[one.choice.provider], one.choice.model, one.ask)
                for one in opening.others
            )
            self._engine.start(opening.generation, opening.prompt, provider, others)

    def _require(self, provider_ids: Sequence[str]) -> None:
        states = [self._providers[one].readiness() for one in provider_ids]
        if not any(state.ready for state in states):
            raise Unavailable(
                f"{provider_ids[0]} cannot answer: {states[0].note}",
                code="provider_not_configured",
            )

    def _formats(self, choice: Choice) -> frozenset[str]:
        return self._providers[choice.provider].formats(choice.served)

    def _ignored(self, choice: Choice, options: Options, going_on: bool) -> tuple[str, ...]:
        provider = self._providers[choice.provider]
        return provider.ignored(choice.served, options, going_on=going_on)

    # ── following ─────────────────────────────────────────────────────────────────────────

    def follow(self, generation_id: str, after: int = 0, quiet_s: float = 15.0) -> Tail:
        """The log's tail: see `EventLog.tail`."""
        return self._log.tail(generation_id, after, quiet_s=quiet_s)

    def _unseat(self, accepted: asyncio.Task[Ticket]) -> None:
        if not accepted.cancelled() and accepted.exception() is None:
            self.leave(accepted.result())

    def leave(self, ticket: Ticket) -> None:
        """The asker follows its answer no more; every ticket is given back once."""
        for one in ticket.everyone:
            if not one.replayed:
                self._log.unseat(one.generation_id)

    async def answer(self, generation_id: str) -> Message:
        """The whole answer, once it has ended, however it ended."""
        return (await self.answered(generation_id))[1]

    async def answered(self, generation_id: str) -> tuple[Generation, Message]:
        """The generation and its whole answer, once that has ended, however it ended."""
        async for _ in self._log.tail(generation_id, patient=True):
            pass

        def work(conn: Connection) -> tuple[Generation, Message]:
            generation = generations.get(conn, generation_id)
            return generation, messages.get(conn, generation.message_id)

        return await self._db.read(work)

    async def generation(self, generation_id: str) -> Generation:
        """The generation as it is stored. Raises NotFound."""
        return await self._db.read(lambda conn: generations.get(conn, generation_id))

    async def generation_of(self, session_id: int) -> Generation | None:
        """The session's live generation, if it has one: of several that of the first slot. Raises
        NotFound."""

        def work(conn: Connection) -> Generation | None:
            return generations.live_in(conn, sessions.get(conn, session_id).id)

        return await self._db.read(work)

    def check_cursor(self, generation: Generation, after: int) -> int:
        """The number of the last stored event. Raises Conflict `cursor_ahead` if the log is not
        yet as long as a reader claims."""
        last = max(self._log.last_seq(generation.id) or 0, generation.last_seq)
        if after > last:
            raise Conflict(
                f"the log of this generation ends at {last}, but after={after} was asked for:"
                " start again from 0",
                code="cursor_ahead",
                last_seq=last,
            )
        return last

    # ── stopping ──────────────────────────────────────────────────────────────────────────

    async def cancel(self, generation_id: str) -> Generation:
        """Stop an answer: the wish is stored, the vendor's connection closed, what was said is
        kept. Returns the generation, terminal unless that took longer than two seconds. One that
        ended before is left as it is. Raises NotFound."""
        generation = await self.generation(generation_id)
        if generation.status not in LIVE:
            return generation
        if not self._log.runs(generation_id):
            await self._bury(generation_id)
        else:
            await self._db.write(lambda conn: generations.request_cancel(conn, generation_id))
            try:
                async with asyncio.timeout(CANCEL_PATIENCE_S):
                    await self._stop(generation_id)
            except TimeoutError:
                log.warning("generation %s: its end takes longer than expected", generation_id)
        return await self.generation(generation_id)

    def cancel_soon(self, generation_id: str) -> None:
        """Stop an answer without waiting for it: for a reader whose leaving means stop."""
        task = asyncio.create_task(self.cancel(generation_id), name=f"leave-{generation_id}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _stop(self, generation_id: str) -> None:
        if not self._engine.cancel(generation_id) and self._log.runs(generation_id):
            self._doomed.add(generation_id)
        try:
            await self._log.wait_end(generation_id)
        finally:
            self._doomed.discard(generation_id)

    async def _bury(self, generation_id: str) -> None:
        """End a live row that nobody runs any more."""
        at, ended = self._stamps.now(), STOPPED["shutdown"]
        await self._db.write(lambda conn: generations.end_now(conn, generation_id, ended, at))

    # ── cutting ───────────────────────────────────────────────────────────────────────────

    async def truncate(self, session_id: int, message_id: int) -> None:
        """Take a message and all after it off the active branch; the rows stay. Raises NotFound,
        or Conflict `not_on_branch`."""
        at = self._stamps.now()
        await self._once_idle(lambda conn: cuts.truncate(conn, session_id, message_id, at))

    async def _once_idle(self, work: Callable[[Connection], str | None]) -> None:
        """Run a transaction that changes nothing and names the generation in its way, until
        there is none."""
        while (rival := await self._db.write(work)) is not None:
            await self.clear(rival)

    async def clear(self, generation_id: str) -> None:
        """Stop an answer that is in somebody's way; returns once it has ended."""
        if self._log.runs(generation_id):
            await self._stop(generation_id)
        else:
            await self._bury(generation_id)

    async def settle(self) -> None:
        """Return when no question is in the middle of being accepted and no answer in the middle
        of being stopped, whether or not somebody waits for that."""
        while busy := {*self._accepting, *self._leaving}:
            await asyncio.wait(busy)
