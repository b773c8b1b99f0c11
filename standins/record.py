"""What happened, in order, and a way to wait for more of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

KEPT = 2_000  # a request keeps its body
T = TypeVar("T")


class Record(list[T]):
    """What happened, oldest first, the last two thousand; each entry can be awaited once."""

    def __init__(self) -> None:
        super().__init__()
        self._news: deque[T] = deque(maxlen=KEPT)
        self._bell = asyncio.Event()

    def note(self, entry: T) -> None:
        """One more."""
        self.append(entry)
        if len(self) > KEPT:
            del self[0]
        self._news.append(entry)
        self._bell.set()

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._news.clear()

    async def next(self, wanted: Callable[[T], bool], within_s: float) -> T:
        """The oldest wanted entry that was not returned before; others before it are passed
        over. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                while self._news:
                    entry = self._news.popleft()
                    if wanted(entry):
                        return entry
                self._bell.clear()
                await self._bell.wait()
