"""kill -9 in the middle of fifty answers loses nothing that anybody saw.

`KILLS=25 python -m pytest tests/durability/test_kill.py` kills as often as that and prints the
figures; `SEED=…` repeats the rounds of a failure.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from standins.answers import Answer
from standins.deepseek import DeepSeekStandIn, Traits
from tests.conftest import KEY

from . import crash
from .processes import Server

KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**9)


@pytest.mark.timeout(60 + 20 * KILLS)
async def test_after_kill_9_everything_that_was_accepted_or_seen_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Answer(tokens_per_s=crash.TOKENS_PER_S)
    async with (
        DeepSeekStandIn(key=KEY, answer=answer, traits=Traits(concurrency=1000)) as upstream,
        Server("main", tmp_path, upstream.url, log_level="warning") as server,
    ):
        damage = await crash.kill_often(server, upstream, SEED, KILLS)
    with capsys.disabled():
        print(f"\n{damage.report()} (seed {SEED})")
    assert damage.findings == [], f"seed {SEED}, {damage.report()}"
    assert (damage.accepted_lost, damage.seen_lost) == (0, 0)
    assert damage.accepted > 0
    assert max(damage.recovery_s) < 10
