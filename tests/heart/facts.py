"""What the file says, as values: logs with what they were made for, and the trees of messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tests.durability.oracle import Log


class Said(NamedTuple):
    """A message as it is stored."""

    session: int
    parent: int | None
    role: str
    content: str


class Asked(NamedTuple):
    """What a log was made for, from when to when it ran, and the vendor's word for its end."""

    number: int
    message: int
    began_s: float
    ended_s: float | None
    reason: str | None


@dataclass(frozen=True)
class Facts:
    """What the file says: the oracle's logs, and the trees."""

    logs: Mapping[str, Log]
    asked: Mapping[str, Asked]
    messages: Mapping[int, Said]
    leaves: Mapping[int, int | None]

    def live_in(self, session: int | None) -> str | None:
        """The log that the session waits for."""
        lives = (log for log in self.logs.values() if log.live and log.session_id == session)
        return next((log.id for log in lives), None)

    def of(self, message: int | str | None) -> Log:
        """The log of an answer."""
        return next(self.logs[g] for g, asked in self.asked.items() if asked.message == message)

    def newest_below(self, message: int) -> int:
        """The newest message of those that go on from one, or itself."""
        found = {message}
        for one in sorted(self.messages):
            if self.messages[one].parent in found:
                found.add(one)
        return max(found)

    def path(self, leaf: int | None) -> list[int]:
        """The branch that ends there, oldest first."""
        found: list[int] = []
        while leaf is not None:
            found.insert(0, leaf)
            leaf = self.messages[leaf].parent
        return found
