"""The README's commands are taken from the README and run, in a copy of the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from .documents import commands
from .served import copy_repository, environment, free_port, get, serving

INSTALL = "pip install -r requirement.txt"
CONFIGURE = "cp .env.example .env"
RUN = "python main.py"
UVICORN = "uvicorn main:app --reload --host 0.0.0.0 --port 8000"
RUN_BELOW = (INSTALL, CONFIGURE, RUN, UVICORN)

# What the README may also tell to type, and why it is not typed here.
NOT_RUN_BELOW = {
    "python3 -m venv .venv": "the tests run inside such an environment",
    ". .venv/bin/activate": "the environment of the tests is first on the PATH",
    "pip install --no-deps -r requirement-local.txt": "130 MB; its pins are tested",
    "make run": "the same two commands, in .venv",
    "make test": "this is it",
    "make check": "this is a part of it",
    "make bench": "takes minutes",
    "make fake-deepseek": "tests/standins drives that server",
    "make format": "changes files",
    "make help": "prints a list",
}


@pytest.fixture(scope="module")
def typed(readme: str) -> list[str]:
    """Every single command of the README's shell blocks, in order."""
    return [part.strip() for line in commands(readme) for part in line.split("&&")]


@pytest.fixture(scope="module")
def copy(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(root, tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="module")
def base(copy: Path) -> Iterator[str]:
    """`cp .env.example .env`, `python main.py`: the address of what then answers."""
    subprocess.run(["bash", "-c", CONFIGURE], cwd=copy, check=True)
    with serving(copy, RUN, free_port()) as address:
        yield address


class Assets(HTMLParser):
    """Collects what a page loads: the `src` of scripts, the `href` of links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = {"script": "src", "link": "href", "img": "src"}.get(tag)
        self.found += [value for name, value in attrs if name == wanted and value]


# ── what stands there ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", RUN_BELOW)
def test_the_readme_names_the_command(typed: list[str], command: str) -> None:
    assert command in typed


def test_the_readme_names_no_command_that_nobody_answers_for(typed: list[str]) -> None:
    known = {*RUN_BELOW, *NOT_RUN_BELOW}
    assert [each for each in typed if each not in known and not each.startswith("curl ")] == []


# ── what it does ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.readme("command-install")
def test_the_install_command_needs_nothing_that_is_not_installed_here(copy: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", INSTALL], cwd=copy, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.readme("command-configure", "command-run", "endpoint-health")
def test_python_main_answers_on_the_port_of_the_environment(base: str) -> None:
    status, _ = get(f"{base}/health")
    assert status == 200


@pytest.mark.readme("command-uvicorn")
def test_uvicorn_finds_the_application(root: Path, tmp_path: Path) -> None:
    copy = copy_repository(root, tmp_path)  # its own: one database file has one server
    port = free_port()
    with serving(copy, UVICORN.replace("8000", str(port)), port) as address:
        assert get(f"{address}/health")[0] == 200


@pytest.mark.readme("feature-fastapi")
def test_the_api_describes_itself(base: str) -> None:
    status, body = get(f"{base}/openapi.json")
    assert status == 200
    assert json.loads(body)["openapi"].startswith("3.")


@pytest.mark.readme("docs-swagger", "docs-redoc")
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_documentation_pages_load_nothing_from_elsewhere(base: str, page: str) -> None:
    status, body = get(base + page)
    assert status == 200
    assets = Assets(body).found
    assert any(asset.endswith(".js") for asset in assets)
    for asset in assets:
        address = urljoin(base + page, asset)
        assert urlsplit(address).netloc == urlsplit(base).netloc, address
        assert get(address)[0] == 200, address


# ── before the installation ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("way", [["main.py"], ["-c", "import main"]], ids=["python", "uvicorn"])
def test_a_missing_package_is_a_sentence_and_two_commands(copy: Path, way: list[str]) -> None:
    bare = subprocess.run(  # -S: an interpreter that sees no installed package
        [sys.executable, "-S", *way], cwd=copy, env=environment(), capture_output=True, text=True
    )
    assert bare.returncode == 1
    assert "Traceback" not in bare.stderr
    assert INSTALL in bare.stderr
    assert RUN in bare.stderr
