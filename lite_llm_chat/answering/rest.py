"""Which vendors are rested after failures, pure: what happened ─▶ until when.

    failed ─ failed ─ failed ─▶ rested 30 s ─▶ asked again ─ failed ─▶ rested 60 s … 10 min at most
                                      └── answered ─▶ at once as if nothing had been

A rested vendor is passed over only while somebody else can answer; where nobody can, it is asked
all the same. Only failures of the vendor's own count: one that refuses a key or a question is well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import Crowded, UpstreamError

FAILURES = 3  # in a row, before a vendor is rested
FIRST_REST_S = 30.0
LONGEST_REST_S = 600.0

# Nothing came, or only part of it; but an answer without a word is the model's.
_WELL = ("empty_answer",)


@dataclass(slots=True)
class _Record:
    """Of one vendor: how often it failed in a row, and the clock's time until which it rests."""

    failures: int = 0
    until: float = 0.0


class Resting:
    """The state of all vendors, by the id of their providers. `clock` gives seconds and never runs
    backwards."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def left_s(self, provider: str) -> float | None:
        """How long a vendor still rests, in seconds; None: it does not."""
        record = self._records.get(provider)
        left = 0.0 if record is None else record.until - self._clock()
        return left if left > 0 else None

    def answered(self, provider: str) -> None:
        """It has begun to answer: its rest is over."""
        self._records.pop(provider, None)

    def failed(self, provider: str, error: UpstreamError) -> None:
        """It said nothing but this. What fails while it rests does not make the rest longer: a
        hundred questions that fail at once are one failure of the vendor."""
        if isinstance(error, Crowded) or self.left_s(provider) is not None:
            return
        wish_s = error.retry_after_s or 0.0
        if error.code == "provider_rate_limited":
            self._rest(provider, wish_s)
        elif error.retryable and error.code not in _WELL:
            record = self._records.setdefault(provider, _Record())
            record.failures += 1
            if record.failures >= FAILURES:
                more = min(record.failures - FAILURES, 10)  # a larger power is over any bound
                self._rest(provider, max(wish_s, FIRST_REST_S * 2**more))

    def _rest(self, provider: str, seconds: float) -> None:
        if seconds > 0:
            record = self._records.setdefault(provider, _Record())
            record.until = self._clock() + min(seconds, LONGEST_REST_S)
