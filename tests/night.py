"""Every long suite at its nightly size, one after the other, and the table of what came out.

    python -m tests.night ─▶ pytest suite ─▶ figures ─┐
                             pytest suite ─▶ figures ─┼─▶ docs/reliability.md
                             …                        ┘

A suite that fails does not stop the others: the table says so. `--small` runs the sizes of a pull
request, `--only PART` the suites with that part in their path; neither writes the document unless
`--write` is given.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import machine

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "reliability.md"
SUITES = (
    "tests/heart/test_any_history.py",
    "tests/clients",
    "tests/faults/test_upstream_faults.py",
    "tests/faults/test_storage_faults.py",
    "tests/faults/test_slow_and_locked.py",
    "tests/faults/test_damaged_page.py",
    "tests/faults/test_power_cut.py",
    "tests/durability/test_kill.py",
    "tests/api/test_any_request.py",
    "tests/backup/test_under_load.py",
    "tests/soak",
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
    size: str
    passed: bool
    seconds: float


def run(suite: str, figures: Path, *, nightly: bool) -> Outcome:
    """One suite in a process of its own; its output goes to ours."""
    began = time.monotonic()
    environment = os.environ | {"FIGURES": str(figures), "PYTHONUNBUFFERED": "1"}
    if nightly:
        environment["SCALE"] = "nightly"
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", suite]
    done = subprocess.run(command, cwd=ROOT, env=environment)
    size = "night" if nightly else "small"
    return Outcome(suite, size, done.returncode == 0, time.monotonic() - began)


def document(lines: list[dict[str, str]], outcomes: list[Outcome], about: str) -> str:
    """The page: what was measured, then how the suites ended."""
    table = ["| goal | size | what | wanted | result | |", "|---|---|---|---|---|---|"]
    for line in sorted(lines, key=lambda line: (_number(line["goal"]), line["what"])):
        met = "met" if line["met"] else "**missed**"
        cells = (*(line[name] for name in ("goal", "size", "what", "wanted", "result")), met)
        table.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    ends = ["| suite | size | | minutes |", "|---|---|---|---|"]
    for one in outcomes:
        verdict = "passed" if one.passed else "**failed**"
        ends.append(f"| `{one.suite}` | {one.size} | {verdict} | {one.seconds / 60:.1f} |")
    return f"{HEAD}{about}\n\n" + "\n".join(table) + "\n\n" + "\n".join(ends) + "\n"


def _number(goal: str) -> int:
    return int(goal[1:]) if goal[1:].isdecimal() else 1000


def _commit() -> str:
    shown = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return shown.stdout.strip() or "unknown"


def main() -> int:
    """0 when every suite passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.night", description=__doc__)
    parser.add_argument("--small", action="store_true", help="the sizes of a pull request")
    parser.add_argument("--only", default="", help="suites with this part in their path")
    parser.add_argument("--write", action="store_true", help="write the page all the same")
    asked = parser.parse_args()
    commit, began = _commit(), datetime.now(UTC)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        figures.touch()
        for suite in SUITES:
            if asked.only in suite:
                print(f"\n── {suite} ──", flush=True)
                outcomes.append(run(suite, figures, nightly=not asked.small))
        lines = [json.loads(line) for line in figures.read_text("utf-8").splitlines()]
    size = "pull request" if asked.small else "night"
    minutes = (datetime.now(UTC) - began).total_seconds() / 60
    about = (
        f"Measured on {began:%Y-%m-%d} at commit `{commit}`, size: {size}, {minutes:.0f} minutes."
        f"\n{machine.name()}."
    )
    page = document(lines, outcomes, about)
    print(page)
    if asked.write or not (asked.small or asked.only):
        DOCUMENT.write_text(page, "utf-8")
        print(f"written to {DOCUMENT.relative_to(ROOT)}")
    return 0 if all(one.passed for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
