"""Which ids are of chats that are never written: from the id alone everybody knows where to look.

    1 … 2**52 - 1    sessions and messages on disk        0a1b…   generations on disk
    2**52 … 2**53    those of temporary chats             t0a1b…  those of temporary chats

Up to 2**53 an integer is exact in JavaScript.
"""

from __future__ import annotations

FIRST_TEMPORARY = 2**52
LAST_TEMPORARY = 2**53 - 1
MARK = "t"  # no hexadecimal digit


def is_temporary(of: int | str) -> bool:
    """Whether the id of a session or a message, or (a string) of a generation, is that of a
    temporary chat."""
    if isinstance(of, str):
        return of.startswith(MARK)
    return FIRST_TEMPORARY <= of <= LAST_TEMPORARY
