"""The page of a night says what was run, and what was not."""

from __future__ import annotations

import json
from pathlib import Path

from .night import COUNTED, ROOT, TIMED, Night


def test_every_suite_is_there_and_runs_once() -> None:
    suites = [*TIMED, *COUNTED]
    assert len(set(suites)) == len(suites)
    assert all((ROOT / suite).exists() for suite in suites)


def test_a_suite_that_fails_and_one_that_never_ran_stand_on_the_page(tmp_path: Path) -> None:
    figures, page = tmp_path / "figures", tmp_path / "page.md"
    line = {"goal": "I13", "what": "w", "wanted": "1 | 2", "result": "r", "met": False}
    figures.write_text(json.dumps(line | {"size": "small"}) + "\n", "utf-8")
    night = Night(True, "abc", page, figures, ["tests/none.py", "tests/test_night.py"])
    night.run("tests/none.py", beside=False)
    assert [one.verdict for one in night.outcomes] == ["failed"]
    said = page.read_text("utf-8")
    assert "| I13 | small | w | 1 \\| 2 | r | **missed** |" in said
    assert "| `tests/none.py` | small | **failed** |" in said
    assert "Not run to the end: `tests/test_night.py`." in said


def test_a_night_that_was_cut_starts_nothing_more(tmp_path: Path) -> None:
    night = Night(True, "abc", None, tmp_path / "figures", ["tests/none.py"])
    night.cut()
    night.run("tests/none.py", beside=False)
    assert (night.outcomes, night.waiting) == ([], ["tests/none.py"])
