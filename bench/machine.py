"""What the operating system knows of a process: its CPU time, its memory, its cores.

Linux only: it reads /proc. Figures are of a process and all that it started.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_WAITS = re.compile(r"^voluntary_ctxt_switches:\s*(\d+)$", re.MULTILINE)
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core serves and which one asks; both None where there is only one."""

    server: int | None
    load: int | None

    @property
    def pinned(self) -> bool:
        return self.server is not None


def cores() -> Cores:
    """The first two cores that this process may use; none where they cannot be told apart."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2 or shutil.which("taskset") is None:
        return Cores(None, None)
    return Cores(usable[0], usable[1])


@contextmanager
def beside(usable: Cores) -> Iterator[None]:
    """This process stays off the server's core while the block runs."""
    before = os.sched_getaffinity(0)
    if usable.load is not None:
        os.sched_setaffinity(0, {usable.load})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """The process and its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:  # grows while it is walked
        found += children.get(each, [])
    return found


def cpu_s(pid: int) -> float:
    """CPU time spent so far by the process and its family, seconds."""
    return spent_s(family(pid))


def spent_s(pids: Iterable[int]) -> float:
    """CPU time spent so far by these processes, seconds."""
    ticks = (int(f[11]) + int(f[12]) for each in pids if (f := _stat(each)))
    return sum(ticks) * TICK_S


def waits(pids: Iterable[int]) -> int:
    """How often these processes have waited so far, with all their threads: each time somebody
    had to wake them."""
    return sum(map(_waits, pids))


def rss_mb(pid: int) -> float:
    """Resident memory of the process and its family, megabytes (10^6 bytes)."""
    return held_mb(family(pid))


def held_mb(pids: Iterable[int]) -> float:
    """Resident memory of these processes, megabytes."""
    pages = (int(fields[21]) for each in pids if (fields := _stat(each)))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def name() -> str:
    """The processor, as the kernel names it, and how many of its cores are usable."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            model = f"{line.partition(':')[2].strip()} ({platform.machine()})"
            break
    return f"{model}, {len(os.sched_getaffinity(0))} cores usable"


def _waits(pid: int) -> int:
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with suppress(OSError):  # a thread that has just ended
            found += int(_WAITS.search(status.read_text("utf-8"))[1])  # type: ignore[index]
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from `state` on, or None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
