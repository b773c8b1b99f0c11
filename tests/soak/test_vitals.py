"""Growth is seen where there is some, and only there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from .vitals import Life, Sample, sample, slope


def life(*figures: tuple[float, int]) -> Life:
    return Life([Sample(float(at), mb, fds, 0.0) for at, (mb, fds) in enumerate(figures)])


def test_a_slope_is_the_steepness_of_the_line_through_the_points() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert slope([(0, 1), (1, 0), (2, 1)]) == pytest.approx(0)
    assert slope([(0, 1)]) == slope([]) == slope([(1, 1), (1, 2)]) == 0


def test_memory_that_grows_after_the_warm_up_is_seen() -> None:
    assert life(*[(100 + second * 0.01, 9) for second in range(100)]).mb_in_10_min() > 5
    warming = [(float(second), 9) for second in range(25)] + [(25.0, 9)] * 75
    assert life(*warming).mb_in_10_min() == pytest.approx(0)
    slowly = [(float(min(second, 50)), 9) for second in range(100)]
    assert life(*slowly).mb_in_10_min() > 5
    assert life(*slowly).mb_in_10_min(late=True) == pytest.approx(0)


def test_descriptors_that_are_never_given_back_are_seen() -> None:
    assert life(*[(1.0, 10 + at) for at in range(100)]).new_descriptors() > 30
    assert life(*[(1.0, 10 + at % 7) for at in range(100)]).new_descriptors() == 0


def test_a_process_is_seen_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "chat.db-wal").write_bytes(bytes(2_000_000))
    before = sample(os.getpid(), tmp_path / "chat.db")
    assert before.wal_mb == pytest.approx(2)
    ballast = b"\x01" * 50_000_000
    with tempfile.TemporaryFile():
        after = sample(os.getpid(), tmp_path / "other.db")
    assert after.rss_mb > before.rss_mb + 40, len(ballast)
    assert (after.descriptors, after.wal_mb) == (before.descriptors + 1, 0)
