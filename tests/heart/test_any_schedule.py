"""The same histories when nobody keeps his turn: every promise holds in any schedule.

Whatever is ready at the same moment (tasks, what threads report, timers) runs in an order that dice
decide, in every turn of the event loop, and the dice are a part of the history: a failure replays.
An event loop keeps to the order of coming; what is true without that does not hang on it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from lite_llm_chat.domain import Reasoning, Text
from tests.torture import scaled

from .choices import ENDS, PIECES
from .test_any_history import History, Size, small_limits, tried
from .world import Order

SIZE = Size("G6", "histories in any schedule", scaled(500, 20_000), 20)


class Shuffled(History):
    """See the module."""

    file = "test_any_schedule.py"

    @initialize(throw=st.integers(0, 2**32))
    def nobody_keeps_his_turn(self, throw: int) -> None:
        self.world.at_once = True  # a thread's report would come at a turn of its own
        self.witness.kill()
        self.world.loop.dice = Random(throw)

    @precondition(lambda self: self.world.disk.mode == "flows")
    @rule(pieces=PIECES, end=ENDS | st.none())
    def the_vendor_is_faster_than_the_disk(
        self, pieces: list[Text | Reasoning], end: Callable[[], Order] | None
    ) -> None:
        """A question, its first words and perhaps its end are stored before any of it is told."""
        wish = self._new("post")
        self.world.disk.turn("after")
        self._post(wish, "auto")
        for call in self.world.vendor.calls.get(wish.number, ()):
            call.order(*pieces, *([] if end is None else [end()]))
        self.witness.settle(0.05)
        self.world.disk.turn("flows")
        self.witness.settle(0.0)
        for log, answer in self.witness.book.answers.items():
            if answer.wish is wish:
                self.witness.attach(log, 0, eager=True)


@pytest.mark.timeout(5400)
def test_every_promise_holds_in_any_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small_limits(monkeypatch)
    tried(Shuffled, SIZE, tmp_path, capsys)
