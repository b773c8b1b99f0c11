"""Every block of the page that adds a provider, in its order.

toml ─▶ endpoints.toml ─▶ Product ◀─ the curl line      python ─▶ a row ─▶ its provider
                             └──HTTP──▶ VendorStandIn ◀──HTTP──┘
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from lite_llm_chat.config import Settings
from lite_llm_chat.providers.endpoints import Entry
from lite_llm_chat.providers.habits import OPTIONS, GoingOn, Thinking, ThinkTags
from lite_llm_chat.providers.openai_compatible import OpenAICompatible, Vendor
from lite_llm_chat.providers.pool import Pool
from lite_llm_chat.providers.wire import Wire
from tests.conftest import Product
from tests.house.documents import Block, code_blocks
from tests.providers.conftest import collect, no_rest, prompt, text
from tests.providers.vendor_standin import WORD, Dress, VendorStandIn

from .conftest import run

KEY = "canary-key-0f1e2d3c4b5a69788796a5b4"


@pytest.fixture
def page(cookbook: Path) -> str:
    return (cookbook / "add-a-provider.md").read_text("utf-8")


@pytest.fixture
def blocks(page: str) -> list[Block]:
    found = code_blocks(page)
    assert [block.language for block in found] == ["toml", "sh", "python"]
    return found


@pytest.fixture
async def vendor() -> AsyncIterator[VendorStandIn]:
    async with VendorStandIn(Dress("tags", "trailing", {})) as one:
        yield one


async def test_an_entry_of_the_file_answers_the_curl_line(
    settings: Settings,
    vendor: VendorStandIn,
    blocks: list[Block],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = "http://10.0.0.5:8000"
    assert shown in blocks[0].text
    file = tmp_path / "endpoints.toml"
    file.write_text(blocks[0].text.replace(shown, vendor.url), "utf-8")
    monkeypatch.setenv("BOX_API_KEY", KEY)
    product = await Product(settings.model_copy(update={"endpoints_file": str(file)})).start()
    line = blocks[1].text.replace("http://localhost:8000", product.url)
    ran = await run(*shlex.split(line), "-sS", "--fail")
    await product.stop()
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["message"]["content"] == WORD
    request = vendor.requests[0]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert isinstance(request.body, dict)
    assert request.body["model"] == "qwen3-32b"
    assert request.body["chat_template_kwargs"] == {"enable_thinking": False}


async def test_a_row_is_a_vendor(vendor: VendorStandIn, blocks: list[Block]) -> None:
    names: dict[str, Vendor] = {}
    exec(blocks[2].text, names)
    row = names["ACME"]
    assert (row.key_variable, row.url_variable) == ("ACME_API_KEY", "ACME_BASE_URL")
    pool = Pool(5.0)
    wire = Wire(pool, no_rest, headers_timeout_s=20.0)
    acme = OpenAICompatible(wire, row, api_key=KEY, base_url=f"{vendor.url}/v1")
    asked = prompt(model="acme-1", max_tokens=5, effort="xhigh")
    assert WORD in text(await collect(acme.stream(asked)))
    await pool.close()
    body = vendor.requests[0].body
    assert isinstance(body, dict)
    assert (body["max_completion_tokens"], body["reasoning_effort"]) == (5, "high")


def test_the_table_lists_every_field_and_every_word(page: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.MULTILINE))
    assert list(rows) == [
        "id",
        "base_url",
        *(name for name in Entry.__struct_fields__ if name not in ("id", "base_url")),
    ]
    for field, words in (
        ("takes", OPTIONS),
        ("thinking", get_args(Thinking)),
        ("going_on", get_args(GoingOn)),
    ):
        assert set(re.findall(r"`(\w+)`", rows[field])) == set(words), field
    assert {word for word in get_args(ThinkTags) if f"`{word}`" in rows["think_tags"]} == {
        "tagged",
        "open",
    }
