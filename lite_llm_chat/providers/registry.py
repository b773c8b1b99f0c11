"""The table of vendors: from plain values to providers, in the order in which people see them.

    Parts (pool, keys, addresses, timeouts) ─▶ build ─▶ {"deepseek": …, "local": …}

A vendor of OpenAI's dialect is one row of `_TABLE`; one with a dialect of its own is one line of
`build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .base import Provider
from .deepseek import DeepSeek
from .local import Local
from .openai_compatible import OpenAICompatible, Vendor
from .pool import Pool
from .wire import Rest, Wire


@dataclass(frozen=True, slots=True)
class Parts:
    """What the providers need, as plain values; the assembler fills it from the settings."""

    pool: Pool
    rest: Rest
    headers_timeout_s: float
    deepseek_api_key: str | None = field(repr=False)
    deepseek_base_url: str
    local_enabled: bool
    local_model_path: str | None
    local_context_tokens: int
    local_slots: int
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)


# Vendors that speak OpenAI's dialect and nothing else: one row each, the key under the row's id
# in `Parts.keys`.
_TABLE: tuple[Vendor, ...] = ()


def build(parts: Parts, table: tuple[Vendor, ...] = _TABLE) -> dict[str, Provider]:
    """Every provider by its id, in display order. Nothing is contacted and nothing is loaded."""

    def wire() -> Wire:
        return Wire(parts.pool, parts.rest, headers_timeout_s=parts.headers_timeout_s)

    deepseek = DeepSeek(wire(), api_key=parts.deepseek_api_key, base_url=parts.deepseek_base_url)
    others = [OpenAICompatible(wire(), vendor, parts.keys.get(vendor.id)) for vendor in table]
    local = Local(
        wire(),
        path=parts.local_model_path,
        context_tokens=parts.local_context_tokens,
        slots=parts.local_slots,
        enabled=parts.local_enabled,
    )
    providers: list[Provider] = [deepseek, *others, local]
    return {provider.id: provider for provider in providers}
