"""What is done beside the conversations: once after a crash, and now and then.

recover       ─▶ what an earlier process left running has an end, unless it waits for a person
tidy          ─▶ old logs and old idempotency keys are gone; every text stays
tidy_sessions ─▶ what was not used for long is in the trash, what was there for long is gone
tidy_hourly   ─▶ both, again and again
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .engine import STOPPED
from .errors import LiteError
from .history import keeping
from .history.keeping import Keeping
from .store import copies, generations, idempotency
from .store.database import Connection, Database

KEY_LIFETIME = timedelta(hours=24)
PRUNE_GROUP = 100  # logs that are dropped in one transaction
TIDY_INTERVAL_S = 3600.0

log = logging.getLogger("lite_llm_chat")


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many sessions were put into the trash, and how many that lay there are gone."""

    retired: int
    expired: int


async def recover(database: Database, at: datetime) -> int:
    """End what an earlier process left running; how many answers that were. What waits for a person
    is left as it is, unless it was to be stopped. Half copies are given up. Before listening."""

    def work(conn: Connection) -> int:
        copies.give_up(conn)
        live = [
            one for one in generations.all_live(conn) if not one.waiting or one.cancel_requested
        ]
        for generation in live:
            ended = STOPPED["cancelled" if generation.cancel_requested else "shutdown"]
            generations.end_now(conn, generation.id, ended, at)
        return len(live)

    return await database.write(work)


async def tidy(database: Database, at: datetime, retention: timedelta) -> int:
    """Drop the events of answers that ended long ago, and old idempotency keys; how many logs
    were dropped."""
    await database.write(lambda conn: idempotency.forget(conn, at - KEY_LIFETIME))
    total = 0
    while True:
        dropped = await database.write(
            lambda conn: generations.prune(conn, at - retention, PRUNE_GROUP)
        )
        total += dropped
        if dropped < PRUNE_GROUP:
            return total


async def tidy_sessions(database: Database, at: datetime, kept: Keeping) -> Tidied:
    """Put sessions that were not used for long into the trash, then remove for good what was there
    for long."""
    retired = await keeping.retire(database, at, kept)
    return Tidied(retired, await keeping.expire(database, at, kept))


async def tidy_hourly(
    database: Database, now: Callable[[], datetime], logs: timedelta, kept: Keeping
) -> None:
    """Tidy up now and then, and say what went. Ends by being cancelled."""
    while True:
        try:
            dropped = await tidy(database, now(), logs)
            tidied = await tidy_sessions(database, now(), kept)
        except LiteError as error:
            log.warning("tidying up failed, to be tried again in an hour: %s", error.detail)
        else:
            if dropped:
                log.info("the events of %d old answers were dropped; their text stays", dropped)
            if tidied.retired:
                log.info("sessions unused for long, now in the trash: %d", tidied.retired)
            if tidied.expired:
                log.info("sessions that were in the trash for long, now gone: %d", tidied.expired)
        await asyncio.sleep(TIDY_INTERVAL_S)
