"""The one Protocol between the engine and every vendor.

    Prompt ──▶ Provider.stream ──▶ Text | Reasoning … Finish        (or UpstreamError)
               Provider.listed ──▶ what the vendor serves now

A provider turns a prompt into one request and the vendor's bytes into pieces. It holds no state
of a conversation, retries nothing and stores nothing: that is the engine's and the log's work.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..domain import Model, Options, Piece, Prompt
from ..errors import UpstreamError


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a provider can answer now. `note` is a sentence that names the mend when not."""

    ready: bool
    note: str


def keyed(setting: str, api_key: str) -> Readiness:
    """Ready as soon as there is a key that could be one; whether the vendor likes it shows with
    the first request."""
    if not api_key:
        return Readiness(False, f"set {setting} in .env and restart")
    if not (api_key.isascii() and api_key.isprintable()):
        return Readiness(
            False, f"{setting} in .env holds characters that no key has: copy it again"
        )
    return Readiness(True, "ready")


def insist(readiness: Readiness) -> None:
    """Raises UpstreamError `provider_not_configured` with the mend if it is not ready."""
    if not readiness.ready:
        raise UpstreamError(readiness.note, code="provider_not_configured", status=503)


class Provider(Protocol):
    """Who answers, and in which dialect."""

    @property
    def id(self) -> str:
        """The short lower-case name used in requests, such as `deepseek`."""

    @property
    def name(self) -> str:
        """The vendor's name as people write it."""

    @property
    def description(self) -> str:
        """One sentence for `/providers`."""

    @property
    def models(self) -> tuple[Model, ...]:
        """The models it is known to serve, its default first, aliases included."""

    @property
    def open_ended(self) -> bool:
        """True if a model id that is not in `models` is sent to the vendor as it is."""

    @property
    def first_piece_timeout_s(self) -> float | None:
        """The vendor's own bound for the wait for a first piece, or None: the engine's."""

    def readiness(self) -> Readiness:
        """Whether a request now would reach the vendor; cheap, no I/O."""

    def ignored(self, model: str, options: Options, *, going_on: bool = False) -> tuple[str, ...]:
        """The names of the options that this vendor's model has no use for, as a subset of
        `options.given()`; `going_on`: in a request that goes on from a text. The caller is told
        of them in `warnings`."""

    def formats(self, model: str) -> frozenset[str]:
        """The kinds of ResponseFormat (`json_object`, `json_schema`) that this vendor's model keeps
        to by itself when it is told. Any other is never in a prompt's options: it is asked for in
        words."""

    async def listed(self) -> Sequence[Model] | None:
        """The chat models that the vendor lists at this moment, `listed` as "live"; None: it has
        no list. A request or a few, each within seconds. Raises UpstreamError."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """Ask and yield what comes; Working now and then while a part comes that is told when it
        is whole. Ends after Finish, or without one if the vendor's stream was
        cut. Closing the iterator closes the connection to the vendor. Raises UpstreamError, here or
        while iterating; one raised before the first piece may be retryable."""
