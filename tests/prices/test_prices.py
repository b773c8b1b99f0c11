"""A price depends on who answers, with which model, when, and on what the operator's file says."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lite_llm_chat.domain import Usage
from lite_llm_chat.prices import NONE, SELF_RUN, Own, Prices, microusd, read
from lite_llm_chat.prices.listed import LISTED
from lite_llm_chat.providers import registry, vendors, vendors_more
from lite_llm_chat.providers.openai_compatible import Vendor

MILLION = Usage(1_000_000, 0, 1_000_000)
MONDAY = "2026-11-30T"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def book(own: Own = NONE) -> Prices:
    return Prices(own, lambda provider, model: model)


def own(tmp_path: Path, text: str) -> Prices:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    return book(read(file, required=True))


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "factor"),
    [
        ("2026-11-30T00:59:59.999999", 1),
        ("2026-11-30T01:00:00", 2),
        ("2026-11-30T03:59:59.999999", 2),
        ("2026-11-30T04:00:00", 1),
        ("2026-11-30T05:59:59.999999", 1),
        ("2026-11-30T06:00:00", 2),
        ("2026-11-30T09:59:59.999999", 2),
        ("2026-11-30T10:00:00", 1),
        ("2026-12-04T09:59:59", 2),  # Friday
        ("2026-11-28T01:00:00", 1),  # Saturday
        ("2026-11-29T09:59:59", 1),  # Sunday
        ("2026-11-30T20:00:00", 1),  # Tuesday in China, and night
    ],
)
def test_deepseek_costs_twice_at_its_peak(moment: str, factor: int) -> None:
    cost = book().cost(MILLION, "deepseek", "deepseek-flash", at(moment))
    assert cost == factor * 750_000
    cost = book().cost(MILLION, "deepseek", "deepseek-v4-pro", at(moment))
    assert cost == factor * 2_640_000


def test_cached_tokens_cost_less_and_money_is_rounded_once() -> None:
    cached = Usage(1_000_000, 400_000, 0)
    assert book().cost(cached, "deepseek", "deepseek-flash", NOON) == 91_200
    assert book().cost(Usage(3, 0, 0), "deepseek", "deepseek-flash", NOON) == 0  # 0.45
    assert book().cost(Usage(4, 0, 0), "deepseek", "deepseek-flash", NOON) == 1  # 0.6
    assert [microusd(one) for one in (499_999, 500_000, 1_499_999)] == [0, 1, 1]


def test_deepseeks_prices_before_they_were_published_are_not_guessed() -> None:
    assert book().at("deepseek", "deepseek-flash", at("2026-09-09T23:59:59")) is None
    assert book().at("deepseek", "deepseek-flash", at("2026-09-10T00:00:00")) is not None
    assert book().at("deepseek", "deepseek-zebra", NOON) is None
    retired = book().at("deepseek", "deepseek-v4-flash-vision-exp", NOON)
    assert retired == book().at("deepseek", "deepseek-flash", NOON)


def test_a_holiday_of_the_file_has_no_peak(tmp_path: Path) -> None:
    prices = own(tmp_path, "holidays = [2026-11-30]")
    peak, later = at("2026-11-30T01:00:00"), at("2026-12-01T01:00:00")
    assert prices.cost(MILLION, "deepseek", "deepseek-flash", peak) == 750_000
    assert prices.cost(MILLION, "deepseek", "deepseek-flash", later) == 1_500_000


@pytest.mark.parametrize("provider", sorted(SELF_RUN))
def test_what_one_runs_oneself_is_free(provider: str) -> None:
    assert book().cost(MILLION, provider, "any", NOON) == 0


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-0"), ("qwen", "qwen3.8-max"), ("box", "gpt-4.1"), ("litellm", "gpt-4.1")],
)
def test_a_price_that_nobody_knows_is_none(provider: str, model: str) -> None:
    assert book().cost(MILLION, provider, model, NOON) is None
    assert book().cost(Usage(), provider, model, NOON) is None


def test_every_provider_with_a_list_is_one_of_ours_and_its_models_are_found() -> None:
    assert set(LISTED) | SELF_RUN < registry.taken_ids()
    rows = [*vars(vendors).values(), *vars(vendors_more).values()]
    by_id = {row.id: row for row in rows if isinstance(row, Vendor)}
    found = {
        name: [m.id for m in by_id[name].models if book().at(name, m.alias_of or m.id, NOON)]
        for name in LISTED.keys() & by_id.keys()
    }
    assert [name for name, models in found.items() if not models] == []


def test_a_long_request_is_paid_at_the_rate_of_long_ones() -> None:
    prices = book()
    price = prices.at("openai", "gpt-6-luna", NOON)
    assert price is not None
    small, large = price.rates
    assert large.above in prices.steps()
    assert (price.rate(large.above), price.rate(large.above + 1)) == (small, large)
    assert large.input > small.input
    assert prices.cost(Usage(large.above + 1), "openai", "gpt-6-luna", NOON) == microusd(
        large.input * (large.above + 1)
    )


FILE = """\
[[price]]
provider = "box"
model = "small-*"
input = 1
cached = 0.25
output = 2.5

[[price]]
provider = "box"
model = "*"
from = 2026-12-01
input = 3
output = 3

[[price]]
provider = "deepseek"
model = "deepseek-flash"
from = 2026-12-24
input = 0
output = 0
"""


def test_the_last_entry_that_matches_and_holds_already_wins(tmp_path: Path) -> None:
    prices = own(tmp_path, FILE)
    usage = Usage(1_000_000, 200_000, 1_000_000)
    assert prices.cost(usage, "box", "small-1", NOON) == 800_000 + 50_000 + 2_500_000
    assert prices.cost(usage, "box", "large", NOON) is None
    december = at("2026-12-01T00:00:00")
    assert prices.cost(usage, "box", "small-1", december) == 6_000_000
    assert prices.cost(MILLION, "deepseek", "deepseek-flash", NOON) == 750_000
    assert prices.cost(MILLION, "deepseek", "deepseek-flash", at("2026-12-24T02:00:00")) == 0


def test_a_price_of_ones_own_wins_over_free(tmp_path: Path) -> None:
    text = FILE.replace('"box"', '"vllm"')
    assert own(tmp_path, text).cost(MILLION, "vllm", "small-1", NOON) == 3_500_000


def test_the_list_is_imported_when_money_is_first_asked_for_and_never_fetched() -> None:
    code = (
        "import sys, lite_llm_chat.app\n"
        "from datetime import datetime, UTC\n"
        "from lite_llm_chat.prices import Prices, NONE\n"
        "at = Prices(NONE, lambda provider, model: model).at\n"
        "now = datetime.now(UTC)\n"
        "at('deepseek', 'deepseek-flash', now), at('local', 'x', now), at('qwen', 'x', now)\n"
        "assert not any(name.startswith('genai_prices') for name in sys.modules)\n"
        "assert at('openai', 'gpt-4.1', now)\n"
        "import genai_prices, threading\n"
        "assert not genai_prices.data_snapshot.get_snapshot().from_auto_update\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
