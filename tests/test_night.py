"""The page of a night says what was run, and what was not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from .night import COUNTED, ROOT, TIMED, Night, asked_for

SIZED = re.compile(r"^from tests\.torture import .*\b(scaled|record|NIGHTLY)\b", re.MULTILINE)


def test_every_suite_is_there_and_runs_once() -> None:
    suites = [*TIMED, *COUNTED]
    assert len(set(suites)) == len(suites)
    assert all((ROOT / suite).exists() for suite in suites)
    inside = [one for one in suites for other in suites if one.startswith(f"{other}/")]
    assert inside == []


def test_every_test_with_a_size_for_the_night_is_in_one_of_its_suites() -> None:
    suites = [ROOT / suite for suite in (*TIMED, *COUNTED)]
    sized = [each for each in ROOT.glob("tests/**/test_*.py") if SIZED.search(each.read_text())]
    assert len(sized) > len(suites)
    left_out = [each for each in sized if not {each, *each.parents} & set(suites)]
    assert left_out == []


def test_the_hour_of_soak_is_the_first_that_another_runs_beside() -> None:
    alone = {suite for suite in TIMED if "soak" in suite}
    assert COUNTED[0] == "tests/soak/test_soak.py"
    files = {str(each.relative_to(ROOT)) for each in ROOT.glob("tests/soak/test_*.py")}
    assert alone == files - {COUNTED[0]}


@pytest.mark.parametrize(("usable", "lanes"), [({3}, 1), ({0, 1}, 2), (set(range(64)), 2)])
def test_two_run_at_a_time_where_two_cores_may_be_used(
    usable: set[int], lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable)
    assert asked_for([]).lanes == lanes
    assert asked_for(["--lanes", "3"]).lanes == 3


@pytest.mark.parametrize(("cores", "lanes"), [(None, 1), (1, 1), (8, 2)])
def test_where_nobody_says_which_cores_may_be_used_they_are_counted(
    cores: int | None, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert asked_for([]).lanes == lanes


def test_no_lane_at_all_is_refused() -> None:
    with pytest.raises(SystemExit):
        asked_for(["--lanes", "0"])


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
