"""Prices as whole numbers: picodollars a token, which is USD for a million tokens times a million.

0.15 USD for a million tokens ─▶ 150_000 picodollars a token
Rate × tokens ─▶ picodollars ─ rounded once, when shown ─▶ micro-dollars
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import msgspec

PER_MICROUSD = 1_000_000  # picodollars


class Rate(msgspec.Struct, frozen=True):
    """Picodollars a token, for requests of more input tokens than `above`."""

    input: int
    cached: int
    output: int
    above: int = -1

    def picousd(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> int:
        """What tokens cost; `input_tokens` includes the cached ones."""
        fresh = input_tokens - cached_tokens
        return self.input * fresh + self.cached * cached_tokens + self.output * output_tokens


class Price(msgspec.Struct, frozen=True):
    """The rates of a model at a moment, lowest `above` first. All of a request is paid at one."""

    rates: tuple[Rate, ...]

    def rate(self, input_tokens: int) -> Rate:
        """The rate of a request of so many input tokens."""
        if len(self.rates) == 1:
            return self.rates[0]
        return [rate for rate in self.rates if input_tokens > rate.above][-1]


Tariff = Callable[[datetime], Price | None]  # of one model, by the moment of the request, UTC

FREE = Price((Rate(0, 0, 0),))


def unknown(_moment: datetime) -> None:
    """The tariff of a model whose price nobody here knows."""


def picousd(usd: Decimal) -> int:
    """USD for a million tokens as picodollars a token; what is below one is rounded."""
    return int((usd * PER_MICROUSD).to_integral_value())


def flat(input_usd: Decimal, cached_usd: Decimal | None, output_usd: Decimal) -> Price:
    """One rate for all requests, from USD for a million tokens. Without a price of their own
    cached tokens cost what others cost."""
    cached = input_usd if cached_usd is None else cached_usd
    return Price((Rate(picousd(input_usd), picousd(cached), picousd(output_usd)),))


def microusd(picodollars: int) -> int:
    """Whole micro-dollars, half of one upwards."""
    return (picodollars + PER_MICROUSD // 2) // PER_MICROUSD
