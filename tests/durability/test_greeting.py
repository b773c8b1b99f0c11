"""What `python main.py` says once it listens: who answers, and what is in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from .processes import Server

HINT = "set DEEPSEEK_API_KEY in .env and restart"


@pytest.mark.parametrize(
    ("provider", "answers"),
    [
        ("anthropic", "Anthropic: Anthropic's Claude models over its API"),
        ("gemini", "Google Gemini: Google's Gemini models over their own API"),
        ("openai", "OpenAI: OpenAI's models over its API"),
    ],
)
async def test_a_chosen_vendor_is_named_and_no_other_is_advertised(
    tmp_path: Path, provider: str, answers: str
) -> None:
    key = {f"{provider}_api_key": "canary-0123456789"}
    async with Server(
        "main", tmp_path, deepseek_api_key="", default_provider=provider, **key
    ) as server:
        assert f"answers    {answers}\n" in server.output
        assert "caution" not in server.output
        assert HINT not in server.output
        assert "canary" not in server.output


async def test_a_chosen_vendor_without_its_key_is_a_caution(tmp_path: Path) -> None:
    async with Server(
        "main", tmp_path, deepseek_api_key="", default_provider="anthropic"
    ) as server:
        mend = "set ANTHROPIC_API_KEY in .env and restart"
        assert f"caution    it cannot answer yet: {mend}\n" in server.output
        assert HINT not in server.output


async def test_without_any_key_the_model_on_board_is_still_the_default(tmp_path: Path) -> None:
    async with Server("main", tmp_path, deepseek_api_key="") as server:
        assert "answers    Local model: " in server.output
        assert f"DeepSeek   {HINT}\n" in server.output


async def test_vendors_that_are_ready_are_named_though_another_one_answers(tmp_path: Path) -> None:
    keys = {"anthropic_api_key": "canary-0123456789", "ollama_base_url": "http://127.0.0.1:9"}
    async with Server("main", tmp_path, deepseek_api_key="", local_model="off", **keys) as server:
        assert "on demand  anthropic, ollama (DEFAULT_PROVIDER" in server.output
        assert "canary" not in server.output


async def test_a_server_of_ones_own_without_a_default_model_is_a_caution(tmp_path: Path) -> None:
    async with Server(
        "main",
        tmp_path,
        deepseek_api_key="",
        default_provider="vllm",
        vllm_base_url="http://127.0.0.1:9/v1",
    ) as server:
        assert "it has no default model: name one in every question" in server.output
