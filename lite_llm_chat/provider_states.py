"""How the providers stand, as people see it: readiness, and the rest of one that failed.

providers, resting ─▶ states ─▶ GET /providers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .answering.rest import Resting
from .catalog import Catalog
from .providers.base import Provider, Readiness

RESTING = "it has failed again and again: it is passed over for a while where others can answer"


@dataclass(frozen=True, slots=True)
class ProviderState:
    """A provider as people see it."""

    id: str
    name: str
    description: str
    readiness: Readiness
    is_default: bool
    resting_until: datetime | None = None  # passed over until then while others can answer


def states(
    providers: Mapping[str, Provider], catalog: Catalog, resting: Resting, now: datetime
) -> Sequence[ProviderState]:
    """Every provider with its state, in display order."""
    return [
        _state(one, one.id == catalog.default_provider, resting, now) for one in providers.values()
    ]


def _state(one: Provider, is_default: bool, resting: Resting, now: datetime) -> ProviderState:
    readiness, left_s = one.readiness(), resting.left_s(one.id)
    if left_s is None:
        return ProviderState(one.id, one.name, one.description, readiness, is_default)
    until = now + timedelta(seconds=left_s)
    if readiness.ready:
        readiness = Readiness(True, RESTING)
    return ProviderState(one.id, one.name, one.description, readiness, is_default, until)
