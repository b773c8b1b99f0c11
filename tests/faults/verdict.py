"""What must be true of an answer whose vendor failed. Pure: an outcome in, findings out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.durability import oracle

from .lane import Told
from .modes import Mode
from .raw_upstream import Call
from .speech import Speech

MEMORY_MIB = 64
SLACK_S = 5.0  # on top of the promise, for a machine that does other things too


@dataclass
class Outcome:
    """One run of a mode: what its asker was told, how long it took, how the vendor saw it."""

    mode: Mode
    number: int  # the seed
    told: Told
    took_s: float
    peak_mib: float = 0.0
    calls: list[Call] = field(default_factory=list)
    left_open: bool = False

    @property
    def late_s(self) -> float:
        """How long after its timers it ended."""
        return self.took_s - self.mode.timeout_s


def findings(outcome: Outcome, log: oracle.Log | None) -> Iterator[str]:
    """What is wrong, one line each."""
    mode, name = outcome.mode, outcome.mode.name
    if log is None:
        yield f"{name}: there is no such answer"
        return
    if log.code not in mode.codes or log.status != ("failed" if log.code else "completed"):
        yield f"{name}: it is {log.status} with {log.code}, not one of {mode.codes}"
    if log.as_sent() != outcome.told.seen:
        yield f"{name}: it was shown as {outcome.told.seen!r}, saved as {log.as_sent()!r}"
    least, most = mode.calls
    if not least <= len(outcome.calls) <= most:
        yield f"{name}: the vendor was asked {len(outcome.calls)} times, not {least} to {most}"
    said = mode.text(Speech(outcome.number, name, max(1, len(outcome.calls))))
    content = log.content or ""
    if not said.startswith(content) or (mode.exact and content != said):
        yield f"{name}: it says {content[:200]!r}, the vendor said {said[:200]!r}"
    if outcome.left_open:
        yield f"{name}: a connection to the vendor was left open"
    if not mode.least_s <= outcome.took_s <= mode.timeout_s + 1 + SLACK_S:
        yield f"{name}: it took {outcome.took_s:.2f} s, not {mode.least_s} to {mode.timeout_s} + 1"
    if outcome.peak_mib > MEMORY_MIB:
        yield f"{name}: it took {outcome.peak_mib:.0f} MiB"
