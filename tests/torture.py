"""How large the long suites run, from which seed, and where their figures go.

    make test      SCALE unset       the sizes that fit a pull request
    make torture   SCALE=nightly     the sizes of a night; FIGURES=file collects what came out

A suite asks `scaled(small, nightly)` for its size and `seed()` for its randomness, wraps itself in
`replayable`, and hands every figure to `record`, whatever it is: the table shows shortfalls too.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NIGHTLY = os.environ.get("SCALE") == "nightly"


def scaled(small: int, nightly: int) -> int:
    """The size for this run."""
    return nightly if NIGHTLY else small


def seed() -> int:
    """SEED from the environment, else a fresh one."""
    return int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**9)


@contextmanager
def replayable(test: str, seed_used: int) -> Iterator[None]:
    """Whatever fails inside says how to see it fail again; `test` is a pytest node id."""
    try:
        yield
    except BaseException as failure:
        scale = "SCALE=nightly " if NIGHTLY else ""
        failure.add_note(f"again: {scale}SEED={seed_used} .venv/bin/python -m pytest -s {test}")
        raise


def record(goal: str, what: str, wanted: str, result: str, met: bool) -> None:
    """One line of the table in docs/reliability.md, and of this run's output. `goal` is G1, G2 …;
    `result` has the figures as they came out."""
    size = "night" if NIGHTLY else "small"
    line = {
        "goal": goal, "what": what, "wanted": wanted, "result": result, "met": met, "size": size,
    }  # fmt: skip
    verdict = "met   " if met else "MISSED"
    print(f"\n{goal} {verdict} {what}: {result} (wanted: {wanted})", flush=True)
    if path := os.environ.get("FIGURES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
