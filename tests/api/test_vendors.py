"""Vendors by configuration, through the whole server: keys, addresses, own endpoints.

environment · .env · endpoints.toml ─▶ Product ──HTTP──▶ VendorStandIn
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest

from lite_llm_chat.app import create_app
from lite_llm_chat.config import Settings, load_settings, read_variables
from lite_llm_chat.errors import StartupError
from lite_llm_chat.providers import registry
from lite_llm_chat.providers.endpoints import NONE
from lite_llm_chat.providers.vendors_more import TABLE
from standins.behaviours import Gate, Pause
from standins.deepseek import DeepSeekStandIn
from tests.conftest import KEY as CANARY
from tests.conftest import Product, question
from tests.providers.vendor_standin import THOUGHT, WORD, Dress, VendorStandIn

KEY = "canary.key.0f1e.2d3c.4b5a"  # looks like no key: only who knows it can take it out
ERROR = {"error": {"message": f"no such thing, {KEY}", "type": "invalid_request_error"}}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No vendor's variable and no file of the machine that runs this."""
    for name in registry.variables(NONE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def vendor() -> AsyncIterator[VendorStandIn]:
    async with VendorStandIn(Dress("reasoning_content", "trailing", ERROR)) as one:
        yield one


@asynccontextmanager
async def running(settings: Settings, **changes: object) -> AsyncIterator[Product]:
    product = await Product(settings.model_copy(update=changes)).start()
    try:
        yield product
    finally:
        await product.stop()


async def test_every_vendor_is_listed_and_says_what_it_lacks(settings: Settings) -> None:
    async with running(settings) as product:
        _, listed = await product.call("GET", "/providers")
        _, models = await product.call("GET", "/models")
        status, of_none = await product.call("GET", "/models?provider=vllm")
    rows = {row["id"]: row for row in listed}
    table = (row.id for row in TABLE)
    assert list(rows) == ["deepseek", *registry.DIALECTS, *table, "local"]
    assert all(row["supported"] for row in listed)
    assert [name for name, row in rows.items() if row["ready"]] == ["deepseek"]
    assert rows["openai"]["note"] == "set OPENAI_API_KEY in .env and restart"
    assert rows["vllm"]["note"].startswith("set VLLM_BASE_URL in .env and restart, such as http")
    assert rows["deepseek"]["default"]
    assert {model["provider"] for model in models} == {
        "deepseek",
        "local",
        *registry.DIALECTS,
        *(row.id for row in TABLE if row.models),
    }
    assert (status, of_none) == (200, [])


async def test_a_question_to_a_vendor_without_its_key_names_the_variable(
    settings: Settings,
) -> None:
    async with running(settings) as product:
        for name, variable in (("mistral", "MISTRAL_API_KEY"), ("sglang", "SGLANG_BASE_URL")):
            asked = question("Hello", provider=name, model="any")
            status, body = await product.call("POST", "/chat", asked)
            assert (status, body["code"]) == (503, "provider_not_configured")
            assert f"{name} cannot answer: set {variable} in .env" in body["detail"]


async def test_a_key_and_an_address_make_a_vendor_ready(
    settings: Settings, vendor: VendorStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{vendor.url}/v1")
    async with running(settings, default_provider="openai") as product:
        asked = {"messages": [{"role": "user", "content": "Hello"}], "stream": False, "top_k": 5}
        status, body = await product.call("POST", "/chat", asked)
        assert status == 200
        _, session = await product.call("GET", f"/sessions/{body['session_id']}")
    said = session["messages"][1]
    assert (said["content"], said["thought_process"]) == (WORD, THOUGHT)
    assert (said["provider"], said["model"]) == ("openai", TABLE[0].models[0].id)
    assert any("top_k" in warning for warning in body["warnings"])
    assert vendor.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_model_of_ones_own_server_has_to_be_named(
    settings: Settings, vendor: VendorStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", f"{vendor.url}/v1")
    messages = [{"role": "user", "content": "Hello"}]
    async with running(settings) as product:
        asked = {"provider": "vllm", "messages": messages, "stream": False}
        status, body = await product.call("POST", "/chat", asked)
        assert (status, body["code"]) == (422, "unknown_model")
        assert "vllm has no default model: name the one that it serves" in body["detail"]
        status, _ = await product.call("POST", "/chat", {**asked, "model": "qwen"})
    assert status == 200
    assert isinstance(vendor.requests[0].body, dict)
    assert vendor.requests[0].body["model"] == "qwen"


def put(name: str, text: str) -> None:
    """A file where the server is started."""
    Path(name).write_text(text, "utf-8")


def box(vendor: VendorStandIn, more: str = "") -> str:
    return f'[[endpoint]]\nid = "box"\nbase_url = "{vendor.url}/v1"\nmodels = ["small"]\n{more}\n'


async def test_an_endpoint_of_ones_own_answers_like_any_other(
    settings: Settings, vendor: VendorStandIn
) -> None:
    more = f'key = "{KEY}"\nheaders = {{x-team = "blue"}}\nthinking = "enable_thinking"'
    put("endpoints.toml", box(vendor, more))
    async with running(settings, default_provider="box") as product:
        _, listed = await product.call("GET", "/providers")
        _, models = await product.call("GET", "/models?provider=box")
        stream = await product.stream(
            "/chat", {"messages": [{"role": "user", "content": "Hello"}], "thinking": False}
        )
        frames = await stream.rest()
    (row,) = (row for row in listed if row["id"] == "box")
    assert (row["ready"], row["default"], row["supported"]) == (True, True, True)
    assert [model["id"] for model in models] == ["small"]
    said = "".join(frame.data.get("content", "") for frame in frames)
    assert (said, frames[-1].data) == (WORD, {"done": True})
    request = vendor.chats[0]
    assert (request.headers["x-team"], request.headers["authorization"]) == (
        "blue",
        f"Bearer {KEY}",
    )
    assert isinstance(request.body, dict)
    assert (request.body["model"], request.body["enable_thinking"]) == ("small", False)


async def test_the_key_of_an_endpoint_may_be_a_variable_of_dot_env(
    settings: Settings, vendor: VendorStandIn
) -> None:
    put("endpoints.toml", box(vendor, 'key_variable = "BOX_KEY"'))
    asked = question("Hello", provider="box", model="small", stream=False)
    async with running(settings) as product:
        status, body = await product.call("POST", "/chat", asked)
        assert (status, "set BOX_KEY in .env and restart" in body["detail"]) == (503, True)
    put(".env", f"BOX_KEY={KEY}\n")
    async with running(settings) as product:
        status, _ = await product.call("POST", "/chat", asked)
    assert status == 200
    assert vendor.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_no_reply_and_no_line_of_the_log_holds_a_key(
    settings: Settings,
    vendor: VendorStandIn,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    monkeypatch.setenv("GROQ_BASE_URL", f"{vendor.url}/v1")
    other = (
        f'[[endpoint]]\nid = "other"\nbase_url = "{vendor.url}"\nheaders = {{Api-Key = "{KEY}"}}'
    )
    put("endpoints.toml", box(vendor, f'key = "{KEY}"\n{other}'))
    replies: list[object] = []
    async with running(settings, log_level="debug", upstream_retries=0) as product:
        replies += [await product.call("GET", path) for path in ("/providers", "/models")]
        for vendor.refuse in (400, 401):
            for name in ("groq", "box", "other"):
                asked = question("Hello", provider=name, model="small", stream=False)
                replies.append(await product.call("POST", "/chat", asked))
        _, sessions = await product.call("GET", "/sessions")
        replies += [await product.call("GET", f"/sessions/{row['id']}") for row in sessions]
    shown = json.dumps(replies)
    assert "check GROQ_API_KEY in .env" in shown
    assert "check its key in endpoints.toml" in shown
    assert "no such thing, [redacted]" in shown
    assert KEY[3:15] not in shown + caplog.text


@pytest.mark.parametrize("path", ["", "other.toml"])
async def test_a_wrong_file_ends_the_start_with_its_sentence(settings: Settings, path: str) -> None:
    put("endpoints.toml", '[[endpoint]]\nid = "openai"\nbase_url = "http://x/v1"\n')
    changed = settings.model_copy(update={"endpoints_file": path} if path else {})
    framework = create_app(changed).framework
    with pytest.raises(StartupError) as caught:
        async with framework.router.lifespan_context(framework):
            pass
    assert caught.value.detail == (
        "other.toml of ENDPOINTS_FILE is not there: check it"
        if path
        else "endpoints.toml: endpoint openai: this id is taken: choose another"
    )


def test_variables_are_read_by_the_rules_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "from the environment")
    monkeypatch.setenv("b_key", "in small letters")
    monkeypatch.setenv("EMPTY_KEY", "")
    Path(".env").write_text("A_KEY=from the file\nC_KEY='of the file'\nEMPTY_KEY=\nD_KEY=4\n")
    names = ("A_KEY", "B_KEY", "C_KEY", "D_KEY", "EMPTY_KEY", "NOT_SET")
    assert read_variables(names) == {
        "A_KEY": "from the environment",
        "B_KEY": "in small letters",
        "C_KEY": "of the file",
        "D_KEY": "4",
    }


def test_dot_env_may_come_from_another_system() -> None:
    rows = "\ufeffA_KEY='of windows'\r\nB_KEY=\"quoted\"\r\nC_KEY=\r\nD_KEY=last  # why\r\n"
    Path(".env").write_bytes(rows.encode())
    assert read_variables(("A_KEY", "B_KEY", "C_KEY", "D_KEY")) == {
        "A_KEY": "of windows",
        "B_KEY": "quoted",
        "D_KEY": "last",
    }
    Path(".env").write_bytes("\ufeffHOST=::1\r\nPORT=\r\nAPP_NAME='Ours'\r\n".encode())
    read = load_settings()
    assert (read.host, read.port, read.app_name) == ("::1", 8000, "Ours")


def test_a_dot_env_that_is_no_text_is_a_sentence() -> None:
    Path(".env").write_bytes("APP_NAME=Ours".encode("utf-16"))
    with pytest.raises(StartupError) as caught:
        load_settings()
    assert caught.value.detail == ".env is not a text in UTF-8: save it as one"


async def test_a_server_of_ones_own_has_as_long_for_its_headers_as_for_its_first_words(
    settings: Settings, upstream: DeepSeekStandIn
) -> None:
    put(
        "endpoints.toml",
        f'[[endpoint]]\nid = "box"\nbase_url = "{upstream.url}"\nkey = "{CANARY}"\n'
        "first_piece_timeout_s = 300\n",
    )
    gate = Gate()
    upstream.play(Pause(gate, None), times=2)
    async with running(settings, headers_timeout_seconds=0.1, upstream_retries=0) as product:
        slow = await product.ask("say: at last", provider="box", model="deepseek-flash")
        await upstream.wait_for_request()
        usual = await (await product.ask("say: too late")).rest()
        assert usual[-1].data["code"] == "upstream_timeout"
        gate.open()
        said = "".join(frame.data.get("content", "") for frame in await slow.rest())
    assert said == "at last"


async def test_openais_own_client_understands_the_stand_in(vendor: VendorStandIn) -> None:
    client = openai.AsyncOpenAI(api_key=KEY, base_url=f"{vendor.url}/v1", max_retries=0)
    stream = await client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    await client.close()
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(word for word in words if word) == WORD
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 10
