"""The dialect of OpenAI's streamed chat completions, as many vendors really speak it.

    Prompt ─▶ base_payload + the vendor's fields ─▶ exchange (ChatDecoder) ─▶ pieces

A vendor is an `Endpoint` (where, with which headers, how it explains its errors) and a payload;
nothing is inherited.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from ..domain import Model, Options, Piece, Prompt
from ..errors import UpstreamError
from .base import Readiness
from .chat_stream import ChatDecoder
from .exchange import exchange
from .refusal import Mend, explain
from .wire import Endpoint, Wire


def converse(
    wire: Wire, endpoint: Endpoint, payload: Mapping[str, object], *, may_be_empty: bool = False
) -> AsyncGenerator[Piece, None]:
    """Ask and yield the pieces; Finish exactly once and last. `may_be_empty` allows an answer
    without any text, as the continuation of a text may be. Raises UpstreamError."""
    return exchange(wire, endpoint, payload, ChatDecoder(endpoint, may_be_empty))


# ── the request ───────────────────────────────────────────────────────────────────────────────


def base_payload(prompt: Prompt) -> dict[str, object]:
    """The fields that every vendor of this dialect takes: model, messages, and a stream that
    reports its usage. The text to go on from is a last message of the assistant."""
    messages = [{"role": turn.role, "content": turn.content} for turn in prompt.turns]
    if prompt.prefix is not None:
        messages.append({"role": "assistant", "content": prompt.prefix.text})
    return {
        "model": prompt.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def given_options(prompt: Prompt, understood: frozenset[str]) -> dict[str, object]:
    """The options of the prompt that were set and that the vendor understands under the same
    name, as JSON values."""
    names = (name for name in prompt.options.given() if name in understood)
    return {name: getattr(prompt.options, name) for name in names}


# ── vendors that are nothing but this dialect ─────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Vendor:
    """One row of the table in registry.py. `base_url` ends where `/chat/completions` begins;
    `understood` are the options that the vendor takes under our names; a vendor without a
    `key_setting` needs no key."""

    id: str
    name: str
    description: str
    base_url: str
    models: tuple[Model, ...]
    key_setting: str = ""
    understood: frozenset[str] = frozenset({"temperature", "top_p", "max_tokens", "stop"})
    first_piece_timeout_s: float | None = None


class OpenAICompatible:
    """The Provider of one such vendor."""

    open_ended = True

    def __init__(self, wire: Wire, vendor: Vendor, api_key: str | None) -> None:
        self.id = vendor.id
        self.name = vendor.name
        self.description = vendor.description
        self.models = vendor.models
        self.first_piece_timeout_s = vendor.first_piece_timeout_s
        self._wire = wire
        self._vendor = vendor
        self._api_key = (api_key or "").strip()
        self._endpoint = _endpoint(vendor, self._api_key)

    def readiness(self) -> Readiness:
        """Ready with a key, or when none is needed."""
        if self._vendor.key_setting and not self._api_key:
            return Readiness(False, f"set {self._vendor.key_setting} in .env and restart")
        return Readiness(True, "ready")

    def ignored(self, model: str, options: Options) -> tuple[str, ...]:  # noqa: ARG002
        """Whatever the row does not list."""
        return tuple(name for name in options.given() if name not in self._vendor.understood)

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """As the Protocol says. A prefix is a last assistant message; not every vendor goes on
        from it."""
        readiness = self.readiness()
        if not readiness.ready:
            raise UpstreamError(readiness.note, code="provider_not_configured", status=503)
        payload = base_payload(prompt) | given_options(prompt, self._vendor.understood)
        goes_on = prompt.prefix is not None
        return converse(self._wire, self._endpoint, payload, may_be_empty=goes_on)


def _endpoint(vendor: Vendor, api_key: str) -> Endpoint:
    mend = Mend(key_setting=vendor.key_setting, url_setting="its base URL")
    return Endpoint(
        who=vendor.id,
        url=f"{vendor.base_url.rstrip('/')}/chat/completions",
        headers={"authorization": f"Bearer {api_key}"} if api_key else {},
        explain=lambda said: explain(vendor.id, said, mend),
        secret=api_key,
    )
