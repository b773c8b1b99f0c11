"""Text for a terminal: what a model, a title or a file says must not steer the terminal.

"…\x1b]0;gotcha\x07…" ─▶ harmless ─▶ "…]0;gotcha…"
"""

from __future__ import annotations

import re
import sys
from datetime import datetime

# Control characters but for tab and line feed, the C1 ones, and those that turn writing around.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text without what a terminal would obey."""
    return _STEERING.sub("", text)


def line(text: str) -> str:
    """The text as one harmless line."""
    return " ".join(harmless(text).split())


def say(text: str) -> None:
    """A line for the person, beside what a script reads."""
    print(harmless(text), file=sys.stderr, flush=True)


def moment(iso: str) -> str:
    """A moment of the API in this machine's time, to the minute."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M")


def money(microusd: int | None) -> str:
    """Dollars as people read them; "" if no price is known."""
    if microusd is None:
        return ""
    dollars = microusd / 1e6
    if dollars >= 1 or not microusd:
        return f"${dollars:,.2f}"
    return f"${dollars:.6f}".rstrip("0")


def size(count: int) -> str:
    """Bytes as people read them."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
