"""What the doctor finds: a line for each thing that was looked at.

ok · warn · fail     what     how it is     the mend
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing is. `mend` is what to do about it, "" where all is well."""

    level: Level
    what: str
    said: str
    mend: str = ""


def ok(what: str, said: str) -> Finding:
    """All is well."""
    return Finding("ok", what, said)


def warn(what: str, said: str, mend: str) -> Finding:
    """It works, and it may not for long, or not as well as it could."""
    return Finding("warn", what, said, mend)


def fail(what: str, said: str, mend: str) -> Finding:
    """Something does not work."""
    return Finding("fail", what, said, mend)
