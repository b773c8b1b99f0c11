"""All providers: from plain values to the parts that answer, in the order in which people see them.

    Parts (pool, addresses, timeouts, variables, own endpoints) ─▶ build ─▶ {"deepseek": …, …}
    variables() ─▶ the names that somebody has to look up for Parts

A vendor of OpenAI's dialects is one row of the tables; one with a dialect of its own is one line of
`DIALECTS`: its class and its address. Its key comes from `<ID>_API_KEY`, another address from
`<ID>_BASE_URL`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .anthropic import Anthropic
from .base import Provider
from .deepseek import DeepSeek
from .endpoints import NONE, Own
from .gemini import Gemini
from .habits import Speech
from .local import Local
from .ollama import LOAD_TIMEOUT_S, Ollama
from .openai_compatible import OpenAICompatible, Vendor
from .pool import Pool
from .responses import Responses
from .vendors_more import TABLE
from .wire import Rest, Wire


class Make(Protocol):
    """The class of a provider with a dialect of its own."""

    def __call__(self, wire: Wire, *, api_key: str | None, base_url: str) -> Provider:
        """Its provider, ready or not."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A vendor with a dialect of its own; `base_url` "" where only its variable gives one.
    `headers_timeout_s` is for one whose response headers may take longer than the usual."""

    make: Make
    base_url: str = ""
    headers_timeout_s: float = 0.0


DIALECTS: Mapping[str, Dialect] = {
    "anthropic": Dialect(Anthropic, "https://api.anthropic.com"),
    "gemini": Dialect(Gemini, "https://generativelanguage.googleapis.com"),
    "ollama": Dialect(Ollama, headers_timeout_s=LOAD_TIMEOUT_S),
}

_SPEAKERS: Mapping[Speech, type[OpenAICompatible] | type[Responses]] = {
    "chat": OpenAICompatible,
    "responses": Responses,
}


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
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    own: Own = NONE


def taken_ids() -> frozenset[str]:
    """The ids that no endpoint of one's own may have."""
    return frozenset({DeepSeek.id, Local.id, *DIALECTS, *(vendor.id for vendor in TABLE)})


def variables(own: Own) -> tuple[str, ...]:
    """The names of all variables with a vendor's key or address, each once, in display order."""
    names = [f"{one.upper()}_{what}" for one in DIALECTS for what in ("API_KEY", "BASE_URL")]
    for vendor in (*TABLE, *own.rows):
        names += [vendor.key_variable, vendor.url_variable]
    return tuple(dict.fromkeys(name for name in names if name))


def build(
    parts: Parts,
    table: tuple[Vendor, ...] = TABLE,
    dialects: Mapping[str, Dialect] = DIALECTS,
) -> dict[str, Provider]:
    """Every provider by its id, in display order. Nothing is contacted and nothing is loaded."""
    value = parts.variables.get

    def wire(headers_timeout_s: float = 0.0) -> Wire:
        longest_s = max(parts.headers_timeout_s, headers_timeout_s)
        return Wire(parts.pool, parts.rest, headers_timeout_s=longest_s)

    deepseek = DeepSeek(wire(), api_key=parts.deepseek_api_key, base_url=parts.deepseek_base_url)
    others = [
        dialect.make(
            wire(dialect.headers_timeout_s),
            api_key=value(f"{one.upper()}_API_KEY"),
            base_url=value(f"{one.upper()}_BASE_URL", dialect.base_url),
        )
        for one, dialect in dialects.items()
    ]
    rows = [
        _SPEAKERS[vendor.dialect](
            wire(vendor.headers_timeout_s),
            vendor,
            api_key=parts.own.keys.get(vendor.id) or value(vendor.key_variable),
            base_url=value(vendor.url_variable),
        )
        for vendor in (*table, *parts.own.rows)
    ]
    local = Local(
        wire(),
        path=parts.local_model_path,
        context_tokens=parts.local_context_tokens,
        slots=parts.local_slots,
        enabled=parts.local_enabled,
    )
    providers: list[Provider] = [deepseek, *others, *rows, local]
    return {provider.id: provider for provider in providers}
