"""Who knows a price, asked in order; what was found for a model is kept.

own file, last matching entry first ─▶ self-run: free ─▶ DeepSeek's rule ─▶ genai-prices ─▶ None
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from ..domain import Usage
from .deepseek import tariff as deepseek_tariff
from .listed import LISTED, load
from .listed import steps as listed_steps
from .listed import tariff as listed_tariff
from .own import Own
from .rates import FREE, Price, Tariff, microusd

SELF_RUN = frozenset({"local", "ollama", "lmstudio", "llamacpp", "vllm", "sglang"})
MOST_KEPT = 4096  # models whose prices are kept; names of models come from callers


class Prices:
    """Prices of every provider's models, for any thread. `answering` gives the model that answers
    for a name, which is the one that is paid."""

    def __init__(self, own: Own, answering: Callable[[str, str], str]) -> None:
        self._own = own
        self._answering = answering
        self._tariff = lru_cache(MOST_KEPT)(self._find)

    def at(self, provider: str, model: str, moment: datetime) -> Price | None:
        """What a model costs at a moment, in UTC; None: nobody here knows."""
        return self._tariff(provider, model)(moment)

    def cost(self, usage: Usage, provider: str, model: str, moment: datetime) -> int | None:
        """Micro-dollars for the tokens of a request at a moment; None: nobody here knows."""
        price = self._tariff(provider, model)(moment)
        if price is None:
            return None
        rate = price.rate(usage.input)
        return microusd(rate.picousd(usage.input, usage.cached, usage.output))

    async def ready(self, provider: str) -> None:
        """Before a price is asked for on the event loop: what takes a while is done beside it."""
        if provider in LISTED:
            await asyncio.to_thread(load)

    def steps(self) -> tuple[int, ...]:
        """The bounds of input tokens at which any price of a request changes."""
        return listed_steps()

    def _find(self, provider: str, model: str) -> Tariff:
        model = self._answering(provider, model)
        usual = self._usual(provider, model)
        own = self._own.of(provider, model)
        if not own:
            return usual

        def at(moment: datetime) -> Price | None:
            day = moment.date()
            mine = next((one.price for one in own if one.since <= day), None)
            return mine or usual(moment)

        return at

    def _usual(self, provider: str, model: str) -> Tariff:
        if provider in SELF_RUN:
            return _free
        if provider == "deepseek":
            return deepseek_tariff(model, self._own.holidays)
        return listed_tariff(provider, model)


def _free(_moment: datetime) -> Price:
    return FREE
