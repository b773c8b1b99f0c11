"""The checkers of this folder find what they are for: each is shown one thing that is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.durability import oracle

from .lane import Told, compared
from .modes import MODES
from .raw_upstream import Call
from .receipts import Receipt, lost_by
from .shim import Fault, Shim
from .speech import Speech
from .verdict import SLACK_S, Outcome, findings

SEED = 3


def stored(*texts: str, code: str | None = None) -> oracle.Log:
    """An ended answer as its rows are."""
    ended = {"status": "failed" if code else "completed"}
    if code:
        ended["fault"] = {"code": code, "detail": "it broke"}  # type: ignore[assignment]
    started = {"session_id": 1, "message_id": 2, "provider": "deepseek", "model": "deepseek-chat"}
    bodies = [("started", json.dumps(started)), *(("text", text) for text in texts),
              ("ended", json.dumps(ended))]  # fmt: skip
    events = [(number, kind, data) for number, (kind, data) in enumerate(bodies, 1)]
    content = "".join(texts)
    return oracle.Log("g", 1, ended["status"], len(events), True, code, content, "", events)


def stalled() -> tuple[Outcome, oracle.Log]:
    """A run of the mode `stall` as it ought to be."""
    mode = MODES["stall"]
    log = stored(mode.text(Speech(SEED, "stall", 1)), code="upstream_timeout")
    told = Told("run 1", 200, "g", log.as_sent())
    return Outcome(mode, SEED, told, mode.timeout_s, calls=[Call("1", b"/")]), log


def of_stall(log: oracle.Log | None = None, **changes: Any) -> list[str]:
    outcome, right = stalled()
    return list(findings(replace(outcome, **changes), log or right))


def test_a_right_answer_is_found_right() -> None:
    assert of_stall() == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"calls": []}, "asked 0 times"),
        ({"calls": [Call("1", b"/")] * 2}, "asked 2 times"),
        ({"left_open": True}, "left open"),
        ({"took_s": MODES["stall"].timeout_s + 1.1 + SLACK_S}, "it took"),
        ({"peak_mib": 65}, "65 MiB"),
        ({"told": Told("run 1", 200, "g", b"data: other\n\n")}, "it was shown as"),
        ({"mode": replace(MODES["stall"], codes=("upstream_garbage",))}, "it is failed with"),
        ({"mode": replace(MODES["stall"], least_s=60)}, "it took"),
    ],
)
def test_an_outcome_that_is_wrong_is_named(changes: dict[str, Any], named: str) -> None:
    assert any(named in one for one in of_stall(**changes))


@pytest.mark.parametrize("saved", ["{0}{0}", "", "{0}x"])
def test_text_that_is_doubled_or_lost_or_made_up_is_named(saved: str) -> None:
    log = stored(saved.format(Speech(SEED, "stall", 1).before), code="upstream_timeout")
    (found,) = of_stall(log, told=Told("run 1", 200, "g", log.as_sent()))
    assert "it says" in found


def test_an_answer_that_is_not_there_is_named() -> None:
    assert list(findings(stalled()[0], None)) == ["stall: there is no such answer"]


REFUSED = b'{"code": "storage_unavailable"}'


@pytest.mark.parametrize(
    ("status", "seen", "asked", "named"),
    [
        (200, None, True, ""),
        (200, None, False, "is not there"),
        (200, b'data: {"content": "more"}\n\n', True, "was shown as"),
        (503, REFUSED, False, ""),
        (503, REFUSED, True, "was refused and is there"),
        (503, b'{"code": "internal_error"}', False, "refused by"),
        (500, b"{}", True, "answered with 500"),
    ],
)
def test_what_was_told_is_compared_with_the_rows(
    status: int, seen: bytes | None, asked: bool, named: str
) -> None:
    log = stored("all ", "of it")
    told = Told("say: all of it", status, "g", log.as_sent() if seen is None else seen)
    found = compared(told, log, asked)
    assert len(found) == bool(named)
    assert all(named in one for one in found)


def test_a_whole_answer_with_another_text_or_a_strange_end_is_named() -> None:
    other, broken = stored("half"), stored("all", code="internal_error")
    assert "says 'half'" in compared(Told("say: all", 200, "g", other.as_sent()), other, True)[0]
    assert "ended with" in compared(Told("say: all", 200, "g", broken.as_sent()), broken, True)[0]


def test_what_a_power_cut_took_from_a_client_is_named() -> None:
    log = stored("all of", code="server_stopped")
    seen = log.as_sent()
    right = Receipt("all of it", 1.0, "g", [(1.0, seen[:60]), (3.0, b"later")])
    assert lost_by(right, 2.0, log, True) == []
    assert "I1" in lost_by(right, 2.0, None, True)[0]
    assert "I1" in lost_by(right, 2.0, log, False)[0]
    assert "I2" in lost_by(right, 4.0, log, True)[0]
    wrong = replace(right, text="something else")
    assert "nobody said" in lost_by(wrong, 2.0, log, True)[0]


PROBE = """
import os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
for number in range(4):
    try:
        os.pwrite(file, b"abc", number * 3)
        os.fsync(file)
    except OSError as error:
        print(number, error.errno, end=" ")
"""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("ENOSPC", "write"), "1 28 "),
        (Fault("EIO", "sync"), "1 5 "),
        (Fault("EIO", "write", once=False), "1 5 2 5 3 5 "),
        (Fault("EIO", "write", main_only=True), ""),
    ],
    ids=str,
)
def test_the_disk_refuses_what_it_was_told_to_refuse_and_notes_the_rest(
    fault: Fault, said: str, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    shim = Shim(disk, tmp_path, journal=True)
    shim.refuse(fault, 2)
    assert shim.run(PROBE, str(disk / "file")) == said
    names = [one.name for one in shim.operations()]
    whole = 4 - len(said.split()) // 2
    assert names.count("sync") == whole
    assert names.count("write") == whole + (fault.on == "sync")
    assert names[0] == "create"
    assert shim.count("refused") == len(said.split()) // 2
