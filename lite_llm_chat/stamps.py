"""The two impure values, fresh ids and the present moment, in one replaceable place."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, UTC, with its zone."""
    return datetime.now(UTC)


def generation_id() -> str:
    """A fresh id of 26 lower-case hexadecimal digits: 48 bits of Unix milliseconds, then 56
    random bits. Ids made later sort later, so the log's rows are appended at one end of their
    index; the random part keeps them unguessable."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(7)}"
