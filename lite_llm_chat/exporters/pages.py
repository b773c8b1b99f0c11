"""The pages of links, remembered: a link that many people open costs one look at a row.

    link ─▶ remembered? ─▶ its bytes
              └─ else: snapshot ─▶ rendered in a thread, one at a time ─▶ remembered

Whether a link is still open is not asked here: that is looked up for each request.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from ..store import shares
from ..store.database import Database
from ..store.shares import Opened

MOST_BYTES = 8 * 1024 * 1024


class Pages:
    """Pages by the id of their link; the ones that were asked for last, within MOST_BYTES."""

    def __init__(self, database: Database, most_bytes: int = MOST_BYTES) -> None:
        self._db = database
        self._left = most_bytes
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        self._rendering = asyncio.Lock()

    async def get(self, link: Opened, render: Callable[[str], bytes]) -> bytes | None:
        """The page of a link, as `render` makes it of its snapshot, in a thread; None if it was
        taken back just now. Raises StorageUnavailable."""
        if link.id not in self._pages:
            async with self._rendering:
                if link.id not in self._pages and not await self._render(link, render):
                    return None
        self._pages.move_to_end(link.id)
        page = self._pages[link.id]
        while self._left < 0:
            self._left += len(self._pages.popitem(last=False)[1])
        return page

    async def _render(self, link: Opened, render: Callable[[str], bytes]) -> bool:
        text = await self._db.read(lambda conn: shares.snapshot(conn, link.id))
        if text is None:
            return False
        page = await asyncio.to_thread(render, text)
        self._pages[link.id] = page
        self._left -= len(page)
        return True
