"""When vendors are asked which models they serve, and what is shown meanwhile.

    GET /models ─▶ refresh ─▶ due? ─▶ a task for each provider ─▶ Provider.listed ─▶ Catalog.learn
                      │                        │ fails: the last list stays, again in a minute
                      └ waits a second at most ┘

Nobody is asked at the start or for a question: only when somebody wants to see models, a provider
at most once in `lifetime_s`, and never twice at the same time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from .catalog import Catalog
from .domain import Model
from .errors import LiteError
from .providers.base import Provider

PATIENCE_S = 1.0  # how long a list holds up whoever wants to see models, from when it is asked for
RETRY_S = 60.0

log = logging.getLogger("lite_llm_chat.models")

_Answer = Sequence[Model] | None


@dataclass(frozen=True, slots=True)
class _Asking:
    """A request under way, and until when it is waited for."""

    task: asyncio.Task[_Answer]
    patient_until: float


class ModelLists:
    """Keeps a catalog in step with what vendors list. `lifetime_s` 0: no vendor is ever asked.
    `clock` gives seconds, of any beginning."""

    def __init__(
        self,
        catalog: Catalog,
        providers: Mapping[str, Provider],
        *,
        lifetime_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._providers = providers
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._due_at: dict[str, float] = {}
        self._asking: dict[str, _Asking] = {}
        self._failing: set[str] = set()

    async def refresh(self, provider: str | None = None) -> None:
        """Ask one provider, or every one, whose list is due, and wait for what comes within
        `PATIENCE_S`; what comes later is learnt then. Whoever comes while a slow vendor is being
        asked waits for the rest of that second only. Never raises."""
        now = self._clock()
        for one in self._providers.values():
            if provider in (None, one.id) and self._is_due(one, now):
                self._ask(one, now)
        young = [
            asking
            for name, asking in self._asking.items()
            if provider in (None, name) and asking.patient_until > now
        ]
        if young:
            longest_s = max(asking.patient_until for asking in young) - now
            await asyncio.wait([asking.task for asking in young], timeout=longest_s)

    async def close(self) -> None:
        """End what is under way."""
        tasks = [asking.task for asking in self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_due(self, provider: Provider, now: float) -> bool:
        return (
            self._lifetime_s > 0
            and provider.id not in self._asking
            and now >= self._due_at.get(provider.id, -inf)
            and provider.readiness().ready
        )

    def _ask(self, provider: Provider, now: float) -> None:
        name = f"models of {provider.id}"
        task: asyncio.Task[_Answer] = asyncio.create_task(provider.listed(), name=name)
        self._asking[provider.id] = _Asking(task, now + PATIENCE_S)
        task.add_done_callback(partial(self._answered, provider.id))

    def _answered(self, provider: str, task: asyncio.Task[_Answer]) -> None:
        """The one place where the outcome of a request is looked at."""
        del self._asking[provider]
        if task.cancelled():
            return
        now, error = self._clock(), task.exception()
        if error is not None:
            self._due_at[provider] = now + min(RETRY_S, self._lifetime_s)
            self._complain(provider, error)
            return
        live = task.result()
        self._due_at[provider] = inf if live is None else now + self._lifetime_s
        if live is not None:
            self._catalog.learn(provider, live)
        if provider in self._failing:
            self._failing.remove(provider)
            log.info("%s lists its models again", provider)

    def _complain(self, provider: str, error: BaseException) -> None:
        """Once for all failures in a row."""
        if provider in self._failing:
            return
        self._failing.add(provider)
        if isinstance(error, LiteError):
            what = "%s did not list its models, what was known is shown: %s"
            log.warning(what, provider, error.detail)
        else:
            log.error("the list of %s failed by a defect", provider, exc_info=error)
