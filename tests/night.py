"""Every long suite at its nightly size, and the table of what came out.

    python -m tests.night ─▶ alone:   pytest suite, pytest suite, … ─▶ figures ─┐
                             lanes:   pytest suite ┐                            ├─▶ docs/
                                      pytest suite ┴ … ─▶ figures ──────────────┘   reliability.md

A suite that fails does not stop the others: the table says so. The page is written after every
suite, so a night that is cut short (Ctrl-C, SIGTERM) leaves what it has. Suites whose figures are
times run first, each with the machine for itself; then those whose figures are counts, `--lanes N`
at a time: two, unless it says otherwise, where two cores may be used, else one. With two a night
takes about an hour and a half: half an hour of times, then the hour of soak beside the rest.
`--small` runs the sizes of a pull request, `--only PART` the suites with that part in their path;
neither writes the document unless `--write` is given.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import machine

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "reliability.md"
TIMED = (  # their figures are times: each runs alone
    "tests/clients",
    "tests/faults/test_upstream_faults.py",
    "tests/faults/test_slow_and_locked.py",
    "tests/durability/test_kill.py",
    "tests/backup/test_under_load.py",
    "tests/soak/test_many_streams.py",
    "tests/soak/test_overload.py",
    "tests/soak/test_vitals.py",
)
COUNTED = (  # their figures are counts: another one may run beside them; the longest come first
    "tests/soak/test_soak.py",
    "tests/api/test_any_request.py",
    "tests/faults/test_power_cut.py",
    "tests/heart/test_any_schedule.py",
    "tests/heart/test_any_history.py",
    "tests/faults/test_storage_faults.py",
    "tests/faults/test_damaged_page.py",
    "tests/api/test_round_trip.py",
    "tests/importers/test_identity.py",
)
HEAD = """# Reliability

What the promises came to when they were put to the test, as it came out: shortfalls too. The suites
are in `tests/`; `make test` runs them at the size of a pull request, `make torture` at the size of
a night and writes this page. A failure prints its seed and the line that repeats it.

"""


@dataclass(frozen=True)
class Outcome:
    """How a suite ended."""

    suite: str
    verdict: str  # passed, failed, or cut
    seconds: float
    beside: bool  # another suite may have run at the same time


@dataclass
class Night:
    """One run of some suites. `waiting` and `running` are those that have not ended."""

    small: bool
    commit: str
    page: Path | None
    figures: Path
    waiting: list[str]
    running: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def size(self) -> str:
        return "small" if self.small else "night"

    def run(self, suite: str, *, beside: bool) -> None:
        """One suite in a process of its own, then the page. Its output goes to ours."""
        began = time.monotonic()
        with self._lock:
            if self._over.is_set():
                return
            self.waiting.remove(suite)
            self.running.append(suite)
            print(f"\n── {suite} ──", flush=True)
            child = self._spawn(suite)
            self._children.append(child)
        passed = child.wait() == 0
        with self._lock:
            self._children.remove(child)
            self.running.remove(suite)
            verdict = "passed" if passed else "cut" if self._over.is_set() else "failed"
            self.outcomes.append(Outcome(suite, verdict, time.monotonic() - began, beside))
            self.write()
            print(f"\n── {suite}: {verdict}; {self.left()} ──", flush=True)

    def _spawn(self, suite: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"FIGURES": str(self.figures), "PYTHONUNBUFFERED": "1"}
        if not self.small:
            environment["SCALE"] = "nightly"
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", suite]
        return subprocess.Popen(command, cwd=ROOT, env=environment)

    def cut(self) -> None:
        """Start nothing more, and interrupt what runs."""
        with self._lock:
            self._over.set()
            for child in self._children:
                child.send_signal(signal.SIGINT)

    def left(self) -> str:
        """What has not ended yet."""
        if not self.running and not self.waiting:
            return "nothing is left"
        return f"running: {', '.join(self.running) or '–'}; waiting: {len(self.waiting)}"

    def text(self) -> str:
        """The page as it stands."""
        lines = [json.loads(line) for line in self.figures.read_text("utf-8").splitlines()]
        minutes = (datetime.now(UTC) - self.began).total_seconds() / 60
        about = (
            f"Measured on {self.began:%Y-%m-%d} at commit `{self.commit}`, size: {self.size},"
            f" {minutes:.0f} minutes.\n{machine.name()}."
        )
        if missing := [*self.running, *self.waiting]:
            about += f"\nNot run to the end: {', '.join(f'`{one}`' for one in missing)}."
        return document(lines, self.outcomes, self.size, about)

    def write(self) -> None:
        """Put the page where it belongs, if it belongs anywhere."""
        if self.page is not None:
            self.page.write_text(self.text(), "utf-8")


def document(lines: list[dict[str, str]], outcomes: list[Outcome], size: str, about: str) -> str:
    """The page: what was measured, then how the suites ended."""
    table = ["| goal | size | what | wanted | result | |", "|---|---|---|---|---|---|"]
    for line in sorted(lines, key=lambda line: (*_rank(line["goal"]), line["what"])):
        met = "met" if line["met"] else "**missed**"
        cells = (*(line[name] for name in ("goal", "size", "what", "wanted", "result")), met)
        table.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    ends = ["| suite | size | | minutes | |", "|---|---|---|---|---|"]
    for one in outcomes:
        verdict = one.verdict if one.verdict == "passed" else f"**{one.verdict}**"
        beside = "beside another" if one.beside else "alone"
        ends.append(f"| `{one.suite}` | {size} | {verdict} | {one.seconds / 60:.1f} | {beside} |")
    return f"{HEAD}{about}\n\n" + "\n".join(table) + "\n\n" + "\n".join(ends) + "\n"


def _rank(goal: str) -> tuple[str, int]:
    """G1 … G19, then I1 … I20, then those with a name."""
    return (goal[0], int(goal[1:])) if goal[1:].isdecimal() else (goal, 0)


def _commit() -> str:
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return shown.stdout.strip() or "unknown"


def _cut_by_signals(night: Night) -> None:
    """SIGINT and SIGTERM end the night once what runs has ended; the page says what it has."""

    def cut(*_: object) -> None:  # in a thread: the lock may be held by the one interrupted
        threading.Thread(target=night.cut).start()

    signal.signal(signal.SIGINT, cut)
    signal.signal(signal.SIGTERM, cut)


def lanes_here() -> int:
    """How many counting suites run at a time unless the command says so: 2 where two cores may be
    used, else 1."""
    if hasattr(os, "sched_getaffinity"):
        return min(2, len(os.sched_getaffinity(0)))
    return min(2, os.cpu_count() or 1)


def asked_for(arguments: list[str] | None = None) -> argparse.Namespace:
    """What the command line says, or these arguments. `lanes` is 1 or more; else it exits with
    2."""
    parser = argparse.ArgumentParser(prog="python -m tests.night", description=__doc__)
    parser.add_argument("--small", action="store_true", help="the sizes of a pull request")
    parser.add_argument("--only", default="", help="suites with this part in their path")
    parser.add_argument("--write", action="store_true", help="write the page all the same")
    here = lanes_here()
    text = f"how many counting suites at a time; {here} on this machine"
    parser.add_argument("--lanes", type=int, default=here, help=text)
    asked = parser.parse_args(arguments)
    if asked.lanes < 1:
        parser.error("--lanes is 1 or more")
    return asked


def main() -> int:
    """0 when every suite passed."""
    asked = asked_for()
    timed = [suite for suite in TIMED if asked.only in suite]
    counted = [suite for suite in COUNTED if asked.only in suite]
    page = DOCUMENT if asked.write or not (asked.small or asked.only) else None
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        figures.touch()
        night = Night(asked.small, _commit(), page, figures, [*timed, *counted])
        _cut_by_signals(night)
        with ThreadPoolExecutor(asked.lanes) as lanes:
            for suite in timed:
                night.run(suite, beside=False)
            beside = asked.lanes > 1 and len(counted) > 1
            list(lanes.map(lambda suite: night.run(suite, beside=beside), counted))
        night.write()
        print(night.text())
    if page is not None:
        print(f"written to {page.relative_to(ROOT)}")
    return 0 if not night.waiting and all(one.verdict == "passed" for one in night.outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
