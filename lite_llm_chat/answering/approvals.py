"""What waits for a person: decide, list, and go on with it after a restart.

    a person ──▶ decide ──▶ engine: event and row in one commit ──▶ 200
    start-up ──▶ resume ──▶ rows: what was asked, what was said ──▶ log reopened ──▶ engine waits

A call is decided once. What was left waiting is never run by itself, and neither is what was
allowed before a crash: that answer is interrupted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..asking.briefs import Rules
from ..asking.turns import first_prompt
from ..domain import (
    Approval,
    ApprovalState,
    Generation,
    Offer,
    Prompt,
    ToolCall,
    Usage,
    fold,
)
from ..engine import STOPPED, Engine
from ..errors import Conflict, Invalid, NotFound
from ..eventlog import EventLog
from ..providers.base import Provider
from ..store import approvals as rows
from ..store import generations
from ..store.database import Connection, Database
from .rounds import Half

log = logging.getLogger("lite_llm_chat.answering.approvals")

Waiting = tuple[Generation, Sequence[ToolCall]]


@dataclass(frozen=True, slots=True)
class _Left:
    """An answer that an earlier process left waiting."""

    half: Half
    prompt: Prompt
    last_seq: int

    @property
    def open_calls(self) -> list[str]:
        return [call_id for call_id, state in self.half.states.items() if state == "asked"]


class Approvals:
    """Calls of tools of this server that a person has to allow."""

    def __init__(
        self,
        database: Database,
        eventlog: EventLog,
        engine: Engine,
        providers: Mapping[str, Provider],
    ) -> None:
        self._db = database
        self._log = eventlog
        self._engine = engine
        self._providers = providers

    async def decide(self, generation_id: str, call_id: str, *, approve: bool) -> None:
        """A person allows a call or does not; durable when this returns. The same word again
        changes nothing. Raises NotFound `generation_not_found`, `call_not_found`; Conflict
        `not_waiting`."""
        wanted: ApprovalState = "approved" if approve else "denied"
        state = await self._state(generation_id, call_id)
        if state == wanted:
            return
        if state != "asked" or not await self._engine.decide(generation_id, call_id, wanted):
            await self._log.settled(generation_id)
            if await self._state(generation_id, call_id) == wanted:
                return  # somebody else said the same, a moment ago
            raise Conflict(
                f"the call {call_id!r} waits for nobody: it was decided before, its answer is"
                " over, or nobody has to allow it",
                code="not_waiting",
            )

    async def _state(self, generation_id: str, call_id: str) -> ApprovalState | None:
        def work(conn: Connection) -> rows.Asked | None:
            generations.get(conn, generation_id)
            found = rows.calls(conn, generation_id)
            return next((one for one in found if one.call.id == call_id), None)

        asked = await self._db.read(work)
        if asked is None:
            raise NotFound(
                f"generation {generation_id} has no call {call_id!r}", code="call_not_found"
            )
        return asked.state

    async def waiting(self, after: str, most: int) -> Sequence[Waiting]:
        """The answers that wait and the calls they wait for, oldest first, from the one after an
        id."""
        return await self._db.read(lambda conn: rows.waiting(conn, after, most))

    async def open_calls(self, generation: Generation) -> Sequence[ToolCall]:
        """The calls that an answer waits for."""
        if not generation.waiting:
            return ()
        return await self._db.read(lambda conn: rows.still_open(conn, generation.id))

    async def resume(self, rules: Rules, now: Callable[[], datetime]) -> int:
        """Wait again for what an earlier process waited for; how many answers that are. After
        `housekeeping.recover`, before listening."""

        def work(conn: Connection) -> list[_Left]:
            return [
                left
                for one in generations.all_live(conn)
                if one.waiting and (left := self._left(conn, one, rules, now())) is not None
            ]

        waiting = await self._db.write(work)
        for left in waiting:
            generation = left.half.generation
            self._log.reopen(generation.id, left.last_seq, left.open_calls)
            self._engine.go_on(left.half, left.prompt, self._providers[generation.provider])
        return len(waiting)

    def _left(
        self, conn: Connection, generation: Generation, rules: Rules, at: datetime
    ) -> _Left | None:
        """What rows know of it. One that nobody can go on with is ended: None."""
        bodies = generations.bodies(conn, generation.id)
        answer = fold(bodies)
        if answer.rerouted is not None:
            to = answer.rerouted
            generation = replace(generation, provider=to.provider, model=to.model)
        offer = answer.started and answer.started.offer
        try:
            if generation.provider not in self._providers:
                raise Invalid("the provider is gone", code="unknown_provider")
            prompt = first_prompt(conn, generation, offer or Offer(()), rules)
        except Invalid as error:
            log.warning("generation %s cannot go on: %s", generation.id, error.detail)
            generations.end_now(conn, generation.id, STOPPED["shutdown"], at)
            return None
        asked = [body for body in bodies if isinstance(body, Approval)]
        states = {one.call_id: one.state for one in asked}
        spent: Usage | None = next((one.spent for one in reversed(asked) if one.spent), None)
        half = Half(generation, (offer or Offer(())).tools, answer.parts, states, spent)
        return _Left(half, prompt, len(bodies))
