"""What a history is made of: who is meant, what a vendor says, and how it ends.

choices ─▶ the steps of test_any_history.py
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from lite_llm_chat.chat import OnActive
from lite_llm_chat.domain import Finish, Reasoning, Text, Usage
from lite_llm_chat.errors import UpstreamError

from .world import Cut, Order

WHICH = st.integers(0, 40)
ON_ACTIVE: st.SearchStrategy[OnActive] = st.sampled_from(["auto", "reject", "enqueue", "interrupt"])
WORDS = st.sampled_from(["a", "bc ", "é🙂", "\u2028", "x" * 45, "y" * 130])
PIECES = st.lists(st.builds(Text, WORDS) | st.builds(Reasoning, WORDS), min_size=1, max_size=3)


def fault(code: str, *, retryable: bool, wish_s: float | None = None) -> Callable[[], Order]:
    return lambda: UpstreamError(code, code=code, retryable=retryable, retry_after_s=wish_s)


ENDS: st.SearchStrategy[Callable[[], Order]] = st.sampled_from(
    [
        lambda: Finish("stop", Usage(1, 0, 2, 0)),
        lambda: Finish("length"),
        Cut,
        ZeroDivisionError,
        fault("provider_overloaded", retryable=True),
        fault("provider_rate_limited", retryable=True, wish_s=3.0),
        fault("provider_rate_limited", retryable=True, wish_s=25.0),
        fault("provider_auth", retryable=False),
    ]
)
