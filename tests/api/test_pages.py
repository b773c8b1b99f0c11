"""A page is written past the check of its shape, and has the described shape all the same."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.api.messages import MessageOut, message_fields
from lite_llm_chat.api.replies import SessionOut, encoded, session_fields
from lite_llm_chat.domain import Fault, Message, Session, Usage
from lite_llm_chat.prices import NONE, Prices

texts = st.text(st.characters(codec="utf-8"))
maybe = st.none() | texts
PRICES = Prices(NONE, lambda provider, model: model)
moments = st.datetimes(timezones=st.just(UTC))
counts = st.integers(0, 2**63 - 1)
usages = st.none() | st.builds(Usage, *[st.integers(0, 10**9)] * 4)
faults = st.none() | st.builds(Fault, texts, texts)
messages = st.builds(
    Message,
    *(counts, counts, st.none() | counts, counts, st.sampled_from(["user", "assistant"])),
    *(texts, moments, maybe, st.sampled_from(["completed", "failed"]), maybe, maybe, maybe),
    *(usages, faults, maybe),
)
sessions = st.builds(Session, counts, texts, texts, texts, moments, moments, st.none(), counts)


@given(messages)
def test_a_message_is_written_as_its_shape_writes_it(message: Message) -> None:
    shape = MessageOut.of(message, PRICES, "/api/v1")
    assert encoded(message_fields(message, PRICES, "/api/v1")).decode() == shape.model_dump_json()


@given(sessions)
def test_a_session_is_written_as_its_shape_writes_it(session: Session) -> None:
    assert encoded(session_fields(session)).decode() == SessionOut.of(session).model_dump_json()


def test_a_moment_without_a_fraction_has_its_six_digits() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    fields = session_fields(Session(1, "t", "p", "m", at, at))
    assert fields["created_at"] == "2026-01-02T03:04:05.000000Z"
