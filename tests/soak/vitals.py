"""What a process takes, seen from outside, and whether that grows.

/proc/<pid> ──▶ Sample, Sample, … ──▶ slope · flat
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
WARM_UP = 0.25  # the part of a process's life in which it may grow


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process had at a moment; `at_s` is on the monotonic clock."""

    at_s: float
    rss_mb: float
    descriptors: int
    wal_mb: float

    def line(self) -> str:
        """The figures."""
        return f"{self.rss_mb:.1f} MB, {self.descriptors} descriptors, log {self.wal_mb:.1f} MB"


def sample(pid: int, database: Path) -> Sample:
    """What it has now. Raises OSError once the process is gone."""
    proc = Path("/proc") / str(pid)
    pages = int((proc / "statm").read_text().split()[1])
    descriptors = sum(1 for _ in (proc / "fd").iterdir())
    wal = database.with_name(f"{database.name}-wal")
    wal_bytes = wal.stat().st_size if wal.exists() else 0
    return Sample(time.monotonic(), pages * PAGE_BYTES / 1e6, descriptors, wal_bytes / 1e6)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """By how much y grows for each x, by least squares; 0 for fewer than two points."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


@dataclass
class Life:
    """The samples of one process."""

    samples: list[Sample] = field(default_factory=list)

    @property
    def warm(self) -> list[Sample]:
        """Those after the warm-up."""
        return self.samples[int(len(self.samples) * WARM_UP) :]

    def mb_in_10_min(self, late: bool = False) -> float:
        """How fast its memory grows after the warm-up; or only in the last half of its life."""
        of = self.samples[len(self.samples) // 2 :] if late else self.warm
        return slope([(one.at_s, one.rss_mb) for one in of]) * 600

    def new_descriptors(self) -> int:
        """How many more it had at the most in the second half of its life than in the first."""
        half = len(self.warm) // 2
        early, late = self.warm[:half], self.warm[half:]
        return max((one.descriptors for one in late), default=0) - max(
            (one.descriptors for one in early), default=0
        )

    def wal_mb(self) -> float:
        """The longest that the write-ahead log was."""
        return max((one.wal_mb for one in self.samples), default=0.0)
