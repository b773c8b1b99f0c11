"""What tokens cost: provider, model that answered and moment of the request in, money out.

    prices.toml ─▶ own ────┐
    self-run: free ────────┼─▶ Prices.at(provider, model, moment) ─▶ Price | None
    DeepSeek's own rule ───┤                                          │
    genai-prices ─▶ listed ┘       tokens ────────────────────────────┴─▶ micro-dollars | None

The first that knows decides, from the top. Who does not know says None, and never 0. Nothing here
is stored: money is computed when somebody looks, from tokens that are.
"""

from .book import SELF_RUN, Prices
from .own import NONE, Own, read
from .rates import Price, Rate, microusd

__all__ = ["NONE", "Own", "Price", "Prices", "Rate", "SELF_RUN", "microusd", "read"]
