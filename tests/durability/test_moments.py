"""Moments of rows that were made elsewhere: read as UTC, whatever they leave out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lite_llm_chat.errors import StorageUnavailable
from lite_llm_chat.store.codec import moment_to_text, text_to_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01 10:00:00.000001", datetime(2024, 5, 1, 10, 0, 0, 1, UTC)),
        ("2024-05-01 10:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_utc(text: str, moment: datetime) -> None:
    read = text_to_moment(text)
    assert (read, read.tzinfo) == (moment, UTC)
    assert text_to_moment(moment_to_text(read)) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01 10:00:00"])
def test_what_is_no_moment_is_damage(text: str) -> None:
    with pytest.raises(StorageUnavailable):
        text_to_moment(text)
