"""What a token costs in each dialect: the same text, through the whole product.

    one upstream, six addresses ─▶ product ─▶ chat · Anthropic · Gemini · …   each round in turn
                                                │
                                                └─ CPU while all streams run ÷ numbered chat's

What is compared has the same shape: something in each event differs beside its text. Chunks that
differ in their text alone are cheaper; they stand beside as what that saves.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from .load import Order, Place, Target, run, through_product
from .report import Row, goal, median_ratio
from .servers import Env, Server, Servers

DEAREST = 1.10
KEY = "bench-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A dialect: how it is called in the table, who speaks it here, and where the product finds
    its address."""

    name: str
    provider: str
    model: str
    variable: str
    url_variable: str
    path: str = ""

    def settings(self, upstream: Server) -> Env:
        """What the product needs to know."""
        url = f"http://127.0.0.1:{upstream.port}{self.path}"
        return {f"{self.variable}_API_KEY": KEY, self.url_variable: url}


BASE = Spoken("chat, numbered", "groq", "bench", "GROQ", "GROQ_BASE_URL", "/numbered")
OTHERS = (
    Spoken("Anthropic", "anthropic", "claude-sonnet-5-5", "ANTHROPIC", "ANTHROPIC_BASE_URL"),
    Spoken("Gemini", "gemini", "gemini-3.8-flash", "GEMINI", "GEMINI_BASE_URL"),
    Spoken("Ollama", "ollama", "bench", "OLLAMA", "OLLAMA_BASE_URL"),
    Spoken("Responses", "openai-responses", "gpt-6-luna", "OPENAI", "OPENAI_RESPONSES_BASE_URL"),
)


async def speaking(servers: Servers, place: Place, order: Order, rounds: int) -> list[Row]:
    """A row for each dialect."""
    settings: Env = {"LOCAL_MODEL": "off"}
    for spoken in (BASE, *OTHERS):
        settings |= spoken.settings(place.upstream)
    product = await servers.product(place.upstream, **settings)
    alike = through_product(product)
    targets = {"chat, alike": alike} | {
        spoken.name: through_product(product, spoken.provider, spoken.model)
        for spoken in (BASE, *OTHERS)
    }
    try:
        taken = await _in_turn(targets, order, place, rounds)
    finally:
        servers.stop(product)
    base_us = taken.pop(BASE.name)
    what = f"{order.streams:,} streams × {order.rate} tokens/s"
    return [_row(what, name, costs_us, base_us) for name, costs_us in taken.items()]


async def _in_turn(
    targets: dict[str, Target], order: Order, place: Place, rounds: int
) -> dict[str, list[float]]:
    """Microseconds for a token, of each target and round."""
    taken: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            taken[name].append((await run(target, order, place)).running_us)
    return taken


def _row(what: str, name: str, costs_us: list[float], base_us: list[float]) -> Row:
    ratio = median_ratio(costs_us, base_us)
    return Row(
        f"{what}: CPU for a streamed token of {name}",
        f"{ratio:.2f} ({name} ÷ {BASE.name})",
        f"{statistics.median(costs_us):.1f} µs",
        f"{BASE.name}: {statistics.median(base_us):.1f} µs",
        goal(f"≤ {DEAREST:.2f}", ratio <= DEAREST),
    )
