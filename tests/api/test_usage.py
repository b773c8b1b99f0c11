"""What was asked and what it cost: by HTTP, out of real answers and out of rows of any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from standins.behaviours import Answer
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .asked import Asked, keep, keep_beside, usage
from .conftest import Launch
from .follow import at_end, messages
from .truth import send

NONE_ASKED = {
    "requests": 0,
    "input_tokens": 0,
    "cached_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": 0,
    "estimated_requests": 0,
    "estimated_share": 0.0,
    "cost_microusd": 0,
    "unpriced_requests": 0,
}
NOVEMBER = "from=2026-11-01&to=2026-11-30"


def costs(report: Any) -> dict[str, int | None]:
    return {row["key"]: row["cost_microusd"] for row in report["rows"]}


async def test_an_answer_is_counted_and_priced_wherever_it_is_shown(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(text="Hello there"))
    _, reply = await product.call("POST", "/chat", question("Hi", stream=False))
    message = reply["message"]
    tokens = message["usage"]
    cost = message["cost_microusd"]
    assert isinstance(cost, int)
    generation = await at_end(product, message["generation_id"])
    assert (generation["cost_microusd"], generation["usage"]) == (cost, tokens)
    asked, answer = await messages(product)
    assert (asked["cost_microusd"], answer["cost_microusd"]) == (None, cost)
    report = await usage(product, "")
    (row,) = report["rows"]
    assert row == {
        "key": answer["created_at"][:10],
        "requests": 1,
        "input_tokens": tokens["input_tokens"],
        "cached_tokens": tokens["cached_tokens"],
        "output_tokens": tokens["output_tokens"],
        "reasoning_tokens": 0,
        "estimated_requests": 0,
        "estimated_share": 0.0,
        "cost_microusd": cost,
        "unpriced_requests": 0,
        "overhead": NONE_ASKED,
    }
    assert report["total"] == {name: row[name] for name in row if name != "key"}
    assert (report["group_by"], report["next"]) == ("day", None)


async def test_the_moment_of_the_request_decides_on_deepseeks_price(product: Product) -> None:
    moments = ["00:59:59.9", "01:00:00.0", "03:59:59.9", "04:00:00.0"]
    moments += ["05:59:59.9", "06:00:00.0", "09:59:59.9", "10:00:00.0"]
    days = [f"2026-11-{day:02}" for day in range(2, 10)]  # Monday to Monday
    for day in days:
        await keep(product, *(Asked(f"{day} {time}00000") for time in moments))
    low, peak = 750_000, 1_500_000
    week = 4 * low + 4 * peak
    assert costs(await usage(product, NOVEMBER)) == {
        day: 8 * low if day in ("2026-11-07", "2026-11-08") else week for day in days
    }
    for number, moment in enumerate(moments, 1):
        _, one = await product.call("GET", f"/generations/row{number}")
        assert one["cost_microusd"] == (peak if number in (2, 3, 6, 7) else low), moment


async def test_an_alias_costs_what_the_model_that_answers_costs(product: Product) -> None:
    await keep(product, Asked(model="deepseek-chat"), Asked(model="deepseek-flash"))
    found = costs(await usage(product, f"{NOVEMBER}&group_by=model"))
    assert found == {"deepseek/deepseek-chat": 750_000, "deepseek/deepseek-flash": 750_000}


async def test_a_price_that_is_not_known_is_null_and_counted(product: Product) -> None:
    unknown = Asked(model="deepseek-zebra")
    failed = Asked(model="deepseek-zebra", tokens=None)
    await keep(product, Asked(), unknown, unknown, failed)
    report = await usage(product, f"{NOVEMBER}&group_by=model")
    found = [(row["cost_microusd"], row["unpriced_requests"]) for row in report["rows"]]
    assert found == [(750_000, 0), (None, 2)]
    total = report["total"]
    assert (total["requests"], total["cost_microusd"], total["unpriced_requests"]) == (
        4,
        750_000,
        2,
    )


async def test_what_one_runs_oneself_costs_nothing_and_is_counted(product: Product) -> None:
    await keep(product, Asked(provider="ollama", model="any"), Asked(provider="local", model="x"))
    report = await usage(product, f"{NOVEMBER}&group_by=provider")
    assert costs(report) == {"local": 0, "ollama": 0}
    assert report["total"]["output_tokens"] == 2_000_000


async def test_a_long_request_is_paid_as_a_long_one_beside_short_ones(product: Product) -> None:
    rows = [Asked(provider="openai", model="gpt-6-luna", tokens=(n, 0, 0, 0)) for n in (1000, 10)]
    await keep(product, *rows)
    short = costs(await usage(product, f"{NOVEMBER}&group_by=provider"))["openai"]
    assert short == 101
    price = product.parts.prices.at("openai", "gpt-6-luna", product.parts.now())
    assert price is not None
    small, large = price.rates
    for count in (large.above, large.above + 1):
        long = Asked(provider="openai", model="gpt-6-luna", tokens=(count, 0, 0, 0))
        await keep(product, long)
    paid = 1010 * small.input + large.above * small.input + (large.above + 1) * large.input
    found = costs(await usage(product, f"{NOVEMBER}&group_by=provider"))["openai"]
    assert found == (paid + 500_000) // 1_000_000


async def test_the_operators_file_has_the_first_word(launch: Launch, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'holidays = [2026-11-03]\n[[price]]\nprovider = "deep*"\nmodel = "deepseek-zebra"\n'
        "from = 2026-11-05\ninput = 2\noutput = 1\n"
    )
    product = await launch(prices_file=str(file))
    await keep(
        product,
        Asked(at="2026-11-03 01:00:00.000000"),
        Asked(at="2026-11-04 01:00:00.000000"),
        Asked(at="2026-11-04 12:00:00.000000", model="deepseek-zebra"),
        Asked(at="2026-11-05 00:00:00.000000", model="deepseek-zebra"),
    )
    report = await usage(product, NOVEMBER)
    assert list(costs(report).values()) == [750_000, 1_500_000, 3_000_000]
    assert [row["unpriced_requests"] for row in report["rows"]] == [0, 1, 0]


async def test_what_was_asked_beside_the_answers_is_shown_apart(product: Product) -> None:
    await keep(product, Asked(session=7), Asked(session=9))
    half = (500_000, 0, 0, 0)
    at_peak = Asked("2026-11-04 01:30:00", session=0, tokens=half)
    await keep_beside(product, Asked(session=7, tokens=half), at_peak)
    report = await usage(product, f"{NOVEMBER}&group_by=session")
    found = {
        row["key"]: (row["requests"], row["overhead"]["requests"], row["overhead"]["cost_microusd"])
        for row in report["rows"]
    }
    assert found == {"0": (0, 1, 150_000), "7": (1, 1, 75_000), "9": (1, 0, 0)}
    assert report["total"]["requests"] == 2
    assert report["total"]["cost_microusd"] == 1_500_000
    assert report["total"]["overhead"]["cost_microusd"] == 225_000


@pytest.mark.parametrize("everything", [False, True])
async def test_what_a_deleted_session_took_is_still_counted(
    product: Product, upstream: DeepSeekStandIn, everything: bool
) -> None:
    _, first = await product.call("POST", "/chat", question("Hi", stream=False))
    await product.call("POST", "/chat", question("Ho", stream=False))
    before = await usage(product, "group_by=model")
    gone = "" if everything else f"/{first['session_id']}"
    assert (await product.call("DELETE", f"/sessions{gone}"))[0] == 204
    assert await usage(product, "group_by=model") == before
    assert (await product.call("DELETE", "/trash"))[0] == 204
    assert await usage(product, "group_by=model") == before
    rows = (await usage(product, "group_by=session"))["rows"]
    kept = {row["key"]: row["requests"] for row in rows}
    assert kept == ({"0": 2} if everything else {"0": 1, str(first["session_id"] + 1): 1})


async def test_whoever_asks_is_the_key_local(product: Product, upstream: DeepSeekStandIn) -> None:
    upstream.play(Answer(text="Hello"))
    await product.call("POST", "/chat", question("Hi", stream=False))
    (row,) = (await usage(product, "group_by=key"))["rows"]
    assert (row["key"], row["requests"]) == ("local", 1)


@pytest.mark.parametrize("by", ["day", "model", "provider", "session", "key"])
async def test_pages_follow_one_another_and_each_has_the_whole_total(
    product: Product, by: str
) -> None:
    rows = [
        Asked(f"2026-11-0{n} 12:00:00", f"vendor{n}", "m", session=n + 8, caller=f"key{n}")
        for n in range(1, 6)
    ]
    await keep(product, *rows)
    whole = await usage(product, f"{NOVEMBER}&group_by={by}")
    keys = [row["key"] for row in whole["rows"]]
    assert len(keys) == 5
    seen, after, page = [], "", whole
    for size in (2, 2, 1):
        page = await usage(product, f"{NOVEMBER}&group_by={by}&limit=2{after}")
        assert len(page["rows"]) == size
        assert page["total"] == whole["total"]
        seen += page["rows"]
        after = f"&after={page['next']}"
    assert seen == whole["rows"]
    assert page["next"] is None


async def test_a_period_has_whole_days_or_begins_and_ends_at_moments(product: Product) -> None:
    await keep(
        product,
        *(Asked(f"2026-11-{at}") for at in ("02 23:59:59.999999", "03 00:00:00.000000")),
        *(Asked(f"2026-11-{at}") for at in ("04 23:59:59.999999", "05 00:00:00.000000")),
    )

    async def requests(query: str) -> int:
        found: int = (await usage(product, query))["total"]["requests"]
        return found

    assert await requests("from=2026-11-03&to=2026-11-04") == 2
    assert await requests("from=2026-11-03T00:00:00Z&to=2026-11-05T00:00:00Z") == 2
    assert await requests("from=2026-11-03T00:00:00.000001&to=2026-11-05T00:00:00.000001") == 2
    assert await requests("from=2026-11-03T08:00:00%2B08:00&to=2026-11-03") == 1
    assert await requests("from=2026-11-05") == 1
    assert await requests("to=2026-11-02") == 1
    assert await requests("to=9999-12-30&from=0001-01-01") == 4


async def test_a_period_that_is_none_is_refused_with_the_mend(product: Product) -> None:
    for query in ("from=2026-11-04&to=2026-11-02", "from=yesterday", "to=2026-02-30", "to=0"):
        reply = await send(product, "GET", f"/api/v1/usage?{query}")
        assert reply.verdict == (422, "invalid_period"), query
    for query in ("to=9999-12-31", "from=0001-01-01T00:00:00%2B14:00"):
        reply = await send(product, "GET", f"/api/v1/usage?{query}")
        assert reply.verdict == (422, "invalid_period"), query
    reply = await send(product, "GET", "/api/v1/usage?group_by=session&after=x")
    assert reply.verdict == (422, "invalid_cursor")
    for query in ("group_by=colour", "limit=0", "limit=1001", "format=xml"):
        assert (await send(product, "GET", f"/api/v1/usage?{query}")).status == 422, query


HEAD = (
    b"key,requests,input_tokens,cached_tokens,output_tokens,reasoning_tokens,estimated_requests,"
    b"estimated_share,cost_microusd,unpriced_requests,overhead_requests,overhead_input_tokens,"
    b"overhead_cached_tokens,overhead_output_tokens,overhead_reasoning_tokens,"
    b"overhead_estimated_requests,overhead_estimated_share,overhead_cost_microusd,"
    b"overhead_unpriced_requests\r\n"
)


async def test_a_table_for_spreadsheets_is_these_bytes(product: Product) -> None:
    await keep(
        product,
        Asked(provider="=cmd|' /C calc'!A0", model="x", tokens=(30, 10, 10, 5)),
        Asked(provider='a,"b"', model="é\n", tokens=(3, 0, 1, 0), estimated=True),
        Asked(tokens=(100, 40, 60, 0)),
    )
    path = f"/api/v1/usage?{NOVEMBER}&group_by=model"
    reply = await send(product, "GET", f"{path}&format=csv")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.body == (
        HEAD
        + b"'=cmd|' /C calc'!A0/x,1,30,10,10,5,0,0.0,,1,0,0,0,0,0,0,0.0,0,0\r\n"
        + '"a,""b""/é\n",1,3,0,1,0,1,1.0,,1,0,0,0,0,0,0,0.0,0,0\r\n'.encode()
        + b"deepseek/deepseek-flash,1,100,40,60,0,0,0.0,45,0,0,0,0,0,0,0,0.0,0,0\r\n"
    )


async def test_the_accept_header_asks_for_a_table_and_a_page_says_what_comes_next(
    product: Product,
) -> None:
    await keep(product, Asked(model="a b"), Asked(model="c"))
    path = f"/usage?{NOVEMBER}&group_by=model&limit=1"
    async with product.request("GET", path, headers={"Accept": "text/csv"}) as response:
        assert response.content_type == "text/csv"
        after = response.headers["X-Next-After"]
        assert after == "deepseek%2Fa%20b"
    async with product.request("GET", f"{path}&format=csv&after=deepseek/c") as response:
        assert (await response.read(), "X-Next-After" in response.headers) == (HEAD, False)
    for header in ("*/*", "application/json, text/csv"):
        async with product.request("GET", path, headers={"Accept": header}) as response:
            assert response.content_type == "application/json"
    async with product.request(
        "GET", f"{path}&format=json", headers={"Accept": "text/csv"}
    ) as response:
        assert response.content_type == "application/json"


async def test_the_models_have_their_prices_of_now_or_none(product: Product) -> None:
    _, models = await product.call("GET", "/models")
    prices = {(one["provider"], one["id"]): one["prices"] for one in models}
    now = product.parts.prices.at("deepseek", "deepseek-flash", product.parts.now())
    assert now is not None
    factor = now.rates[0].input // 150_000
    flash = {"input": 0.15 * factor, "cached_input": 0.003 * factor, "output": 0.6 * factor}
    assert prices["deepseek", "deepseek-chat"] == prices["deepseek", "deepseek-flash"] == flash
    assert prices["openai", "gpt-6-luna"] == {"input": 0.1, "cached_input": 0.01, "output": 0.5}
    assert prices["qwen", "qwen3.8-max"] is None
    assert {tuple(found.values()) for key, found in prices.items() if key[0] == "local"} == {
        (0.0, 0.0, 0.0)
    }
