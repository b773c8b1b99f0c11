"""A test of many rounds: each has a seed of its own, and a failure says which.

async def test_…(product: Product, trial: Trial) -> None:
    for number in range(ROUNDS):
        with trial.round(number) as rng:
            ...
    with trial.told():
        record(...)
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import pytest

from tests.torture import replayable, seed


@dataclass(frozen=True)
class Trial:
    """The rounds of one test. `first` is the seed of round 0, the next one has the next."""

    node_id: str
    capsys: pytest.CaptureFixture[str]
    first: int = field(default_factory=seed)

    @contextmanager
    def round(self, number: int = 0) -> Iterator[random.Random]:
        """The randomness of a round; what fails inside says how to see that round again."""
        with replayable(self.node_id, self.first + number):
            yield random.Random(self.first + number)

    def told(self) -> AbstractContextManager[None]:
        """What is printed inside is seen while the test still runs."""
        return self.capsys.disabled()
