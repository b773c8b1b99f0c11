"""Prices of vendors as genai-prices lists them: a list on board, and never its network update.

    provider, model ─▶ the list's own row ─▶ its price at a moment ─▶ Price

Importing the list takes 0.12 s (measured, November 2026), so that waits until money is first asked
for: see `Prices.ready`. The list is an estimate that somebody keeps by hand. Of what it tells, the
prices of a text's tokens are used: neither the surcharge for writing into a cache, which our counts
do not tell apart, nor pictures and searches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from .rates import Price, Rate, Tariff, picousd, unknown

# Our provider: the list's. Whose prices it does not have (SiliconFlow, Doubao, NVIDIA, Qwen) or
# whose models may be anybody's (LiteLLM, own endpoints) is missing.
LISTED = {
    "anthropic": "anthropic",
    "gemini": "google",
    "openai": "openai",
    "openrouter": "openrouter",
    "groq": "groq",
    "mistral": "mistral",
    "xai": "x-ai",
    "cerebras": "cerebras",
    "moonshot": "moonshotai",
    "zhipu": "zai",
    "together": "together",
    "fireworks": "fireworks",
    "minimax": "minimax",
}

_INPUT, _CACHED, _OUTPUT = _KEYS = "input_mtok", "cache_read_mtok", "output_mtok"
# What a request costs by them is more than its tokens: such a price is not the whole one.
_MORE_THAN_TOKENS = ("requests_kcount", "output_reasoning_mtok")


@cache
def load() -> Any:
    """The list. Takes a moment the first time: not for the event loop."""
    import genai_prices

    return genai_prices.data_snapshot.get_snapshot()


@cache
def steps() -> tuple[int, ...]:
    """All bounds above which a request of more input tokens is paid at another rate."""
    found: set[int] = set()
    for vendor in load().providers:
        for row in vendor.models if vendor.id in LISTED.values() else ():
            dated = row.prices if isinstance(row.prices, list) else [row]
            for one in dated:
                found |= _starts(vars(one.prices))
    return tuple(sorted(found))


def tariff(provider: str, model: str) -> Tariff:
    """The prices of a model by the name that it was asked for."""
    if provider not in LISTED:
        return unknown
    try:
        _, row = load().find_provider_model(model, None, LISTED[provider], None)
    except LookupError:
        return unknown
    read: dict[int, Price | None] = {}  # by the identity of the list's values, which stay

    def at(moment: datetime) -> Price | None:
        found = row.get_prices(moment)
        if id(found) not in read:
            read[id(found)] = _price(vars(found))
        return read[id(found)]

    return at


def _price(said: Mapping[str, Any]) -> Price | None:
    """A price of the list; None where it is no price of tokens, or of more than them. An amount
    is USD for a million tokens, or one of these and tiers of others above so many input tokens."""
    amounts = {key: said[key] for key in _KEYS if said.get(key) is not None}
    if not {_INPUT, _OUTPUT} <= amounts.keys() or any(map(said.get, _MORE_THAN_TOKENS)):
        return None
    amounts.setdefault(_CACHED, amounts[_INPUT])
    return Price(tuple(_rates(amounts)))


def _rates(amounts: Mapping[str, Any]) -> Iterable[Rate]:
    for above in (-1, *sorted(_starts(amounts))):
        paid, cached, output = (picousd(_amount(amounts[key], above)) for key in _KEYS)
        yield Rate(paid, cached, output, above)


def _starts(amounts: Mapping[str, Any]) -> set[int]:
    return {tier.start for one in amounts.values() for tier in getattr(one, "tiers", ())}


def _amount(amount: Any, above: int) -> Any:
    """What is paid for more than so many input tokens."""
    tiers = getattr(amount, "tiers", None)
    if tiers is None:
        return amount
    reached = [tier.price for tier in tiers if tier.start <= above]
    return reached[-1] if reached else amount.base
