"""Deleting sessions, and taking that back.

    delete ─▶ answers stopped ─▶ the trash ─▶ restore
                  │ permanent        │ empty, or its time is over
                  └──────────────────┴─▶ condemned ─▶ removed in steps

Whatever is deleted is not there for anybody when the reply comes. What is condemned leaves the file
right after; a caller waits for that a moment, and the next tidying up does the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from ..domain import Session
from ..errors import LiteError
from ..store import folders, sessions, trash
from ..store.database import Connection, Database
from .keeping import Keeping, period, remove_condemned
from .places import Outcome, below

STEP = 200  # sessions that are deleted in one transaction
PATIENCE_S = 2.0  # for the rows of what is condemned to leave the file

log = logging.getLogger("lite_llm_chat.history")


@dataclass(frozen=True, slots=True)
class _Rival:
    """The answer in the way: nothing was changed."""

    generation_id: str


@dataclass(frozen=True, slots=True)
class _Done:
    """The sessions that were there and are deleted now; whether rows of any are still to go."""

    ids: Sequence[int]
    more: bool = False


class Trash:
    """Deletes and restores. `clear` stops an answer and returns once it has ended."""

    def __init__(
        self,
        database: Database,
        clear: Callable[[str], Awaitable[None]],
        keeping: Keeping,
        now: Callable[[], datetime],
    ) -> None:
        self._db = database
        self._clear = clear
        self._keeping = keeping
        self._now = now
        self._removing: asyncio.Task[None] | None = None
        self._more = False  # somebody has condemned more since the removal began

    async def delete(self, session_id: int, *, permanent: bool = False) -> None:
        """One session, into the trash or for good. Raises NotFound `session_not_found`; one in
        the trash is there only for who deletes it for good."""
        outcome = await self.delete_many([session_id], permanent=permanent)
        if outcome.missing:
            raise sessions.missing(session_id)

    async def delete_many(self, ids: Sequence[int], *, permanent: bool = False) -> Outcome:
        """As `delete`, of those that are there."""
        done: set[int] = set()
        for start in range(0, len(ids), STEP):
            done.update(await self._away(ids[start : start + STEP], permanent=permanent))
        return Outcome(len(done), tuple(one for one in ids if one not in done))

    async def delete_all(self) -> None:
        """Every session."""
        last = 0
        while ids := await self._db.read(partial(trash.untrashed, after=last, most=STEP)):
            await self._away(ids)
            last = ids[-1]

    async def delete_in(self, folder_ids: Collection[int]) -> None:
        """Every session of some folders."""
        for folder_id in folder_ids:
            some = partial(folders.inside, folder_id=folder_id, most=STEP)
            while ids := await self._db.read(some):
                await self._away(ids)

    async def _away(self, ids: Sequence[int], *, permanent: bool = False) -> Sequence[int]:
        """Delete these; which were there. Answers in them are stopped first."""
        permanent = permanent or not self._keeping.in_trash
        at = self._now()

        def work(conn: Connection) -> _Done | _Rival:
            rival = trash.live_among(conn, ids)
            if rival is not None:
                return _Rival(rival)
            if not permanent:
                return _Done(trash.put(conn, ids, at))
            condemned = trash.condemn(conn, ids)
            trash.step(conn)  # all of a small one
            return _Done(condemned, trash.condemned(conn))

        while isinstance(done := await self._db.write(work), _Rival):
            await self._clear(done.generation_id)
        if done.more:
            await self._removed()
        return done.ids

    async def restore(self, session_id: int) -> Session:
        """Take a session out of the trash, as it was; one that is not there is left as it is.
        Raises NotFound `session_not_found`."""
        outcome = await self.restore_many([session_id])
        if outcome.missing:
            raise sessions.missing(session_id)
        return await self._db.read(lambda conn: sessions.get(conn, session_id))

    async def restore_many(self, ids: Sequence[int]) -> Outcome:
        """As `restore`, of those that are there."""
        changed, missing = 0, list[int]()
        for start in range(0, len(ids), STEP):
            work = partial(self._back, ids=ids[start : start + STEP], at=self._now())
            back, lost = await self._db.write(work)
            changed += back
            missing += lost
        return Outcome(changed, tuple(missing))

    def _back(self, conn: Connection, ids: Sequence[int], at: datetime) -> tuple[int, list[int]]:
        back = set(trash.restore(conn, ids))
        lost = []
        for session_id in ids:
            session = sessions.lying(conn, session_id)
            if session is None or session.deleted_at is not None:
                lost.append(session_id)
            elif session_id in back:
                self._keep(conn, session, at)
        return len(back), lost

    def _keep(self, conn: Connection, session: Session, at: datetime) -> None:
        """One that would go again at once counts as used now."""
        kept = period(conn, session.folder_id, self._keeping)
        if kept is not None and session.updated_at < at - kept:
            sessions.touch(conn, session.id, at)

    async def empty(self) -> None:
        """Delete what is in the trash for good."""
        at = self._now() + timedelta(seconds=1)

        def work(conn: Connection) -> list[int]:
            return trash.condemn(conn, trash.lying(conn, at, STEP))

        while await self._db.write(work):
            pass
        await self._removed()

    async def delete_folder(self, folder_id: int, *, with_sessions: bool) -> None:
        """A folder and those in it; their sessions go into the trash, or are in no folder. Raises
        NotFound `folder_not_found`."""

        def inside(conn: Connection) -> list[int]:
            folders.get(conn, folder_id)
            return below(folders.all_of(conn), folder_id)

        ids = await self._db.read(inside)
        if with_sessions:
            await self.delete_in(ids)
        for one in ids:
            while await self._db.write(partial(folders.take_out, folder_id=one, most=STEP)):
                pass
        await self._db.write(lambda conn: folders.remove(conn, ids))

    # ── the rows of what is condemned ─────────────────────────────────────────────────────

    async def _removed(self) -> None:
        """Wait a moment until what is condemned has left the file."""
        self._more = True
        if self._removing is None or self._removing.done():
            self._removing = asyncio.create_task(self._remove(), name="remove-condemned")
        await asyncio.wait({self._removing}, timeout=PATIENCE_S)

    async def _remove(self) -> None:
        try:
            while self._more:
                self._more = False
                await remove_condemned(self._db)
        except LiteError as error:
            log.warning("the rest of what was deleted is removed later: %s", error.detail)

    async def close(self) -> None:
        """Leave what is still to be removed to the next process."""
        if self._removing is not None:
            self._removing.cancel()
            with suppress(asyncio.CancelledError):
                await self._removing
