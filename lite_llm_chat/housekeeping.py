"""What is done beside the conversations: once after a crash, and now and then.

recover ─▶ what an earlier process left running has an end, unless it waits for a person
tidy    ─▶ old logs and old idempotency keys are gone; every text stays
"""

from __future__ import annotations

from datetime import datetime, timedelta

from .engine import STOPPED
from .store import generations, idempotency
from .store.database import Connection, Database

KEY_LIFETIME = timedelta(hours=24)
PRUNE_GROUP = 100  # logs that are dropped in one transaction


async def recover(database: Database, at: datetime) -> int:
    """End what an earlier process left running; how many there were. What waits for a person is
    left as it is, unless it was to be stopped. Before listening."""

    def work(conn: Connection) -> int:
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
