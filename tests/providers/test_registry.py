"""The table of vendors."""

from __future__ import annotations

import pytest

from lite_llm_chat.domain import Model, Options
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.base import Provider
from lite_llm_chat.providers.endpoints import NONE
from lite_llm_chat.providers.openai_compatible import OpenAICompatible
from lite_llm_chat.providers.openai_compatible import Vendor as Row
from lite_llm_chat.providers.pool import Pool
from lite_llm_chat.providers.registry import DIALECTS, Dialect, Parts, build, taken_ids, variables
from lite_llm_chat.providers.vendors_more import TABLE
from lite_llm_chat.providers.wire import Wire

from .conftest import Vendor, collect, no_rest, prompt, stream, text

KEY = "acme-canary-0123456789"


def parts(pool: Pool, **variables: str) -> Parts:
    return Parts(
        pool=pool,
        rest=no_rest,
        headers_timeout_s=20.0,
        deepseek_api_key="sk-canary-0123456789",
        deepseek_base_url="http://127.0.0.1:9",
        local_enabled=False,
        local_model_path=None,
        local_context_tokens=2048,
        local_slots=4,
        variables=variables,
    )


def row(url: str) -> Row:
    model = Model("acme-1", "Acme One", "acme", 1000, 500, "A model")
    return Row("acme", "Acme", "Acme's models", url + "/v1/", "ACME_KEY", models=(model,))


def test_the_providers_come_in_display_order_and_show_no_key(
    pool: Pool,
) -> None:
    known = parts(pool, ACME_KEY=KEY)
    assert list(build(known, (), {})) == ["deepseek", "local"]
    assert list(build(known, (row("http://x"),), {})) == ["deepseek", "acme", "local"]
    assert "canary" not in repr(known)


async def test_a_vendor_of_the_dialect_is_one_row(pool: Pool, vendor: Vendor) -> None:
    vendor.says = stream(
        b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n',
        b"data: [DONE]\n\n",
    )
    acme = build(parts(pool, ACME_KEY=KEY), (row(vendor.url),))["acme"]
    assert acme.readiness().ready
    assert acme.ignored("acme-1", Options(seed=1, effort="low", top_p=0.5)) == ("seed", "effort")
    assert text(await collect(acme.stream(prompt(seed=1, temperature=0.5)))) == "Hi"
    head, body = vendor.requests[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions ")
    assert KEY.encode() in head
    assert b'"temperature":0.5' in body
    assert b"seed" not in body


async def test_a_row_without_its_key_says_which_setting_is_missing(
    pool: Pool,
) -> None:
    acme = build(parts(pool), (row("http://127.0.0.1:9"),))["acme"]
    assert acme.readiness().note == "set ACME_KEY in .env and restart"
    with pytest.raises(UpstreamError) as caught:
        acme.stream(prompt())
    assert caught.value.code == "provider_not_configured"


def test_every_row_of_the_tables_is_a_provider_between_deepseek_and_local(pool: Pool) -> None:
    ids = list(build(parts(pool)))
    own_dialects = ["anthropic", "gemini", "ollama"]
    assert ids == ["deepseek", *own_dialects, *(vendor.id for vendor in TABLE), "local"]
    assert set(ids) == taken_ids()
    assert variables(NONE)[:2] == ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")
    assert len(set(variables(NONE))) == len(variables(NONE)) == 2 * len([*DIALECTS, *TABLE]) - 1


def test_a_vendor_with_a_dialect_of_its_own_is_one_line(pool: Pool) -> None:
    asked: list[dict[str, str | None]] = []

    def acme(wire: Wire, *, api_key: str | None, base_url: str) -> Provider:
        asked.append({"api_key": api_key, "base_url": base_url})
        return OpenAICompatible(wire, row("http://x"), api_key=api_key, base_url=base_url)

    lines = {"acme": Dialect(acme, "http://own")}
    assert list(build(parts(pool, ACME_API_KEY=KEY), (), lines)) == ["deepseek", "acme", "local"]
    build(parts(pool, ACME_BASE_URL="http://other"), (), lines)
    assert asked == [
        {"api_key": KEY, "base_url": "http://own"},
        {"api_key": None, "base_url": "http://other"},
    ]


@pytest.mark.parametrize("provider", sorted(taken_ids()))
def test_every_row_of_the_catalog_names_its_provider_and_is_there_once(
    pool: Pool, provider: str
) -> None:
    one = build(parts(pool))[provider]
    assert [model.id for model in one.models if model.provider != provider] == []
    assert len({model.id for model in one.models}) == len(one.models)
    assert one.id == provider
    assert one.name
    assert one.description


async def test_a_vendor_that_loads_a_model_first_may_be_late_with_its_headers(pool: Pool) -> None:
    waits_s: list[float] = []

    def make(wire: Wire, *, api_key: str | None, base_url: str) -> Provider:
        waits_s.append(wire._headers_timeout_s)
        return OpenAICompatible(wire, row(base_url), api_key=api_key)

    build(parts(pool), (), {"a": Dialect(make, "http://a"), "b": Dialect(make, "http://b", 300.0)})
    assert waits_s == [20.0, 300.0]
    assert DIALECTS["ollama"].headers_timeout_s == 300.0
