"""What a running server loads: its own few packages, and no vendor's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

VENDORS = "openai anthropic google ollama mistralai groq openrouter litellm tiktoken"
CLIENTS = "httpx httpx2 aiohttp requests"
LOADED = "import sys, {}; print(*{{name.split('.')[0] for name in sys.modules}})"


def loaded(root: Path, modules: str) -> set[str]:
    """The packages that a process has loaded once it has imported these modules."""
    command = [sys.executable, "-c", LOADED.format(modules)]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("modules", ["main", "lite_llm_chat.app, lite_llm_chat.cli.serve"])
def test_no_vendors_package_and_no_other_client_is_loaded_at_run_time(
    root: Path, modules: str
) -> None:
    found = loaded(root, modules)
    assert "lite_llm_chat" in found
    assert found & {*VENDORS.split(), *CLIENTS.split()} == set()


def test_a_vendors_package_that_is_loaded_would_be_seen(root: Path) -> None:
    assert "openai" in loaded(root, "lite_llm_chat.app, openai")


def test_routes_that_nobody_came_for_are_not_loaded(root: Path) -> None:
    code = "import sys, main, lite_llm_chat.app as one; one.create_app(); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    modules = set(run.stdout.split())
    assert "lite_llm_chat.api.chat" in modules
    later = {"lite_llm_chat.api.usage", "lite_llm_chat.api.shared", "markdown_it", "pypdf"}
    assert modules & later == set()
