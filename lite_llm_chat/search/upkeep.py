"""What the index of words needs behind the conversations: new rows and old ones, few segments.

begin ─▶ backfill, a step at a time with a pause as long ─▶ learn and merge, until the end
            ▲                                                   │ the index is damaged
            └───────────────────────────────────────────────────┘
"""

from __future__ import annotations

import asyncio
import logging

from ..errors import IndexDamaged, LiteError
from ..store import search
from ..store.database import Database
from .current import learn

INTERVAL_S = 5.0
STEPS_BETWEEN = 16  # of backfill: each makes a segment
LONGEST_PAUSE_S = 0.05

log = logging.getLogger("lite_llm_chat.search")


async def begin(database: Database) -> None:
    """Before anybody searches: from then on it is known how much is indexed."""
    await database.write(search.begin)


async def keep(database: Database) -> None:
    """Never ends. A disk that refuses is asked again."""
    while True:
        try:
            await look_after(database)
        except LiteError as error:
            log.warning("the index of words rests, to be tried again: %s", error.detail)
        await asyncio.sleep(INTERVAL_S)


async def look_after(database: Database) -> None:
    """One look: what was there before the index, what is new, too many segments. A damaged index
    is begun anew, and the next look fills it."""
    try:
        if await database.read(search.is_behind):
            await _backfill(database)
        await tend(database)
    except IndexDamaged:
        await database.write(search.mend)


async def tend(database: Database) -> None:
    """Learn what waits, then merge, in many small transactions."""
    await learn(database)
    while await database.write(search.merge):
        pass


async def _backfill(database: Database) -> None:
    """Index what was there before there was an index. Half of the time is everybody else's."""
    total = await database.write(search.begin)
    if total:
        log.info("search: indexing up to %d older messages in the background", total)
    loop, tenths, steps = asyncio.get_running_loop(), 0, 0
    while True:
        begun = loop.time()
        more = await database.write(search.backfill)
        if not more:
            break
        steps += 1
        if steps % STEPS_BETWEEN == 0:
            await tend(database)
            tenths = _tell(await database.read(search.share_indexed), tenths)
        await asyncio.sleep(min(loop.time() - begun, LONGEST_PAUSE_S))
    if total:
        log.info("search: all messages are indexed")


def _tell(share: float, tenths: int) -> int:
    """A line for each tenth."""
    if int(share * 10) > tenths:
        log.info("search: %d%% of the messages are indexed", share * 100)
    return int(share * 10)
