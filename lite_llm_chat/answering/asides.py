"""What is asked of a model beside any answer: it helps, and is never worth an error.

    Aside ─▶ provider.stream ─▶ its text, or None
                       └ usage ─▶ a row of its own, counted as overhead

Few at a time and not for long: answers go first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..domain import Finish, Prompt, Text, Usage
from ..errors import LiteError
from ..providers.base import Provider
from ..store import asides as rows
from ..store.database import Database

PATIENCE_S = 60.0
AT_ONCE = 2
MOST_CHARS = 8_000  # of what is answered: more is cut

log = logging.getLogger("lite_llm_chat.answering.asides")


@dataclass(frozen=True, slots=True)
class Aside:
    """A question beside a session: what for, and of whom."""

    purpose: str
    session_id: int
    provider: Provider
    prompt: Prompt


class Asides:
    """Asks them."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._db = database
        self._now = now
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def ask(self, aside: Aside) -> str | None:
        """What is answered, at most MOST_CHARS of it; None if it failed, was cut off or said
        nothing. Its tokens are kept if the vendor counted them."""
        async with self._turn:
            at = self._now()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    text, finish = await _answer(aside)
                await self._keep(aside, finish.usage if finish else None, at)
            except (LiteError, TimeoutError) as error:
                code = error.code if isinstance(error, LiteError) else "upstream_timeout"
                log.warning("%s of session %d: %s", aside.purpose, aside.session_id, code)
                return None
        return text.strip() or None if finish else None

    async def _keep(self, aside: Aside, usage: Usage | None, at: datetime) -> None:
        row = rows.AsideRow(
            aside.session_id, aside.purpose, aside.provider.id, aside.prompt.model, usage, at
        )
        await self._db.write(lambda conn: rows.keep(conn, row))


class Making:
    """What is being made beside sessions, one task for each; `what` is its name."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def __contains__(self, session_id: int) -> bool:
        return session_id in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, session_id: int, work: Coroutine[Any, Any, None]) -> None:
        """Make it for a session that has none in the making."""
        task = asyncio.create_task(work, name=f"{self._what}-{session_id}")
        self._tasks[session_id] = task
        task.add_done_callback(lambda done: self._over(session_id, done))

    async def close(self) -> None:
        """Give up what is being made."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, session_id: int, task: asyncio.Task[None]) -> None:
        del self._tasks[session_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s of session %d failed by a defect", self._what, session_id, exc_info=error)


async def _answer(aside: Aside) -> tuple[str, Finish | None]:
    """The text, and the end if the vendor said one."""
    said: list[str] = []
    async with aclosing(aside.provider.stream(aside.prompt)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Finish):
                return "".join(said)[:MOST_CHARS], piece
            if isinstance(piece, Text):
                said.append(piece.text)
    return "", None
