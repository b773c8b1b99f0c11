"""Readers of numbered logs: one that nothing disturbs, and others that wait for it.

ticket = await ask_behind(product, prose(rng, 200))
lead = Lead();  task = create_task(lead.follow(product, ticket))
await lead.reaches(40)          … now somebody else comes, or leaves, or cancels
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from standins.words import tokens
from tests.api.follow import text_of
from tests.conftest import Product, question

from .raw import Numbered


def prose(rng: random.Random, count: int) -> str:
    """So many tokens on one line: English, Chinese, emoji."""
    return "".join(tokens(rng.randrange(2**32), count, "mixed")).replace("\n", "\u2028")


@dataclass(frozen=True)
class Ticket:
    """An answer that is being made."""

    session_id: int
    generation_id: str

    @property
    def events(self) -> str:
        """The path of its log, below `/api/v1`."""
        return f"/generations/{self.generation_id}/events"


async def ask_behind(product: Product, text: str, **fields: object) -> Ticket:
    """Ask in the background."""
    status, body = await product.call("POST", "/chat", question(text, background=True, **fields))
    assert status == 202, body
    return Ticket(body["session_id"], body["generation_id"])


async def others_are_served(product: Product) -> None:
    """Somebody else gets a whole answer, now."""
    async with asyncio.timeout(10):
        frames = await (await product.ask("say: you are welcome")).rest()
    assert text_of(frames) == "you are welcome"
    assert frames[-1].data == {"done": True}


class Lead:
    """The undisturbed reader of a log, from its start to its end."""

    def __init__(self) -> None:
        self.log: list[Numbered] = []
        self.over = False
        self._news = asyncio.Condition()

    async def follow(self, product: Product, ticket: Ticket) -> None:
        """Read everything."""
        stream = await product.stream(ticket.events)
        assert stream.status == 200
        while (frame := await stream.next()) is not None:
            if frame.id is not None:
                await self._note((int(frame.id), frame.raw.encode()))
        async with self._news:
            self.over = True
            self._news.notify_all()

    async def _note(self, frame: Numbered) -> None:
        async with self._news:
            self.log.append(frame)
            self._news.notify_all()

    async def reaches(self, seq: int) -> None:
        """Return when it has seen this number, or everything."""
        async with self._news:
            await self._news.wait_for(lambda: self.over or len(self.log) >= seq)
