"""A file of prices is read, or refused with its line and the mend."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lite_llm_chat.errors import StartupError
from lite_llm_chat.prices import NONE, read

GOOD = '[[price]]\nprovider = "box"\nmodel = "*"\ninput = 1\noutput = 2\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.toml"


def test_a_file_may_be_absent_unless_it_was_named(file: Path) -> None:
    assert read(file, required=False) == NONE
    with pytest.raises(StartupError) as caught:
        read(file, required=True)
    assert caught.value.detail == "prices.toml of PRICES_FILE is not there: check it"


def test_holidays_and_prices_are_read_and_an_editors_mark_is_no_harm(file: Path) -> None:
    file.write_text(f"\ufeffholidays = [2027-02-08, 2027-02-09]\n{GOOD}")
    own = read(file, required=True)
    assert own.holidays == {date(2027, 2, 8), date(2027, 2, 9)}
    (entry,) = own.entries
    assert (entry.provider, entry.model, entry.since) == ("box", "*", date.min)


FIELDS = "provider, model, input, cached, output, from"
AMOUNT = "write USD for a million tokens, such as 0.15"
NAME = 'write a name or a pattern in quotes, such as "*"'
DAY = "write a day without quotes, such as 2026-11-01"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = 1\nb = \n", "line 2: it is no TOML: mend it there"),
        ("\nprices = 1", "line 2: prices: use holidays and tables called [[price]]"),
        ("price = 1", "line 1: price: write each as a table called [[price]]"),
        ("\n\nholidays = 3", "line 3: holidays: write a list of days, such as 2027-02-08"),
        ('holidays = ["x"]', "line 1: holidays: write a list of days, such as 2027-02-08"),
        (GOOD + GOOD.replace("input = 1", "input = -1"), f"line 9: input: {AMOUNT}"),
        (GOOD.replace("output = 2", ""), f"line 1: output: {AMOUNT}"),
        (GOOD + "cached = true", f"line 6: cached: {AMOUNT}"),
        (GOOD.replace("input = 1", "input = nan"), f"line 4: input: {AMOUNT}"),
        (GOOD.replace("input = 1", "input = inf"), f"line 4: input: {AMOUNT}"),
        (GOOD.replace("input = 1", 'input = "1"'), f"line 4: input: {AMOUNT}"),
        (GOOD + GOOD.replace('"*"', "7"), f"line 8: model: {NAME}"),
        (GOOD.replace('"box"', '""'), f"line 2: provider: {NAME}"),
        (GOOD + 'from = "2026-01-01"', f"line 6: from: {DAY}"),
        (GOOD + "from = 2026-01-01T00:00:00Z", f"line 6: from: {DAY}"),
        (
            GOOD + "peak = 2",
            f"line 6: peak: there is no such field: use {FIELDS}",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_the_mend(
    file: Path, text: str, sentence: str
) -> None:
    file.write_text(text)
    with pytest.raises(StartupError) as caught:
        read(file, required=False)
    assert caught.value.detail == f"prices.toml, {sentence}"


def test_a_file_that_cannot_be_read_says_so(file: Path) -> None:
    file.mkdir()
    with pytest.raises(StartupError) as caught:
        read(file, required=False)
    assert caught.value.detail == "prices.toml: it cannot be read: check its permissions"
    file.rmdir()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(StartupError) as caught:
        read(file, required=False)
    assert caught.value.detail == "prices.toml: it is no TOML: mend it there"
