"""Settings and vendors' variables, `.env.example` and the README's tables say the same, in the same
order."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lite_llm_chat.config import Settings, read_variables
from lite_llm_chat.providers import registry
from lite_llm_chat.providers.endpoints import NONE
from lite_llm_chat.providers.vendors_more import TABLE

from .documents import Line, dialect_lines, env_lines, readme_lines, setting_line, vendor_lines


@pytest.fixture(scope="module")
def settings() -> list[Line]:
    return [setting_line(name, field) for name, field in Settings.model_fields.items()]


@pytest.fixture(scope="module")
def vendors() -> list[Line]:
    own = [dialect_lines(name, dialect) for name, dialect in registry.DIALECTS.items()]
    rows = [vendor_lines(vendor) for vendor in TABLE]
    named: dict[str, Line] = {}  # two rows may share a key: it is shown where it is first
    for line in (line for lines in (*own, *rows) for line in lines):
        named.setdefault(line.name, line)
    return list(named.values())


def test_every_setting_is_described(settings: list[Line]) -> None:
    assert [line.name for line in settings if not line.description] == []


def test_the_example_file_shows_every_setting_and_every_vendors_variables(
    root: Path, settings: list[Line], vendors: list[Line]
) -> None:
    assert env_lines((root / ".env.example").read_text("utf-8")) == [*settings, *vendors]


def test_the_readme_tables_show_every_setting_and_every_vendors_variables(
    readme: str, settings: list[Line], vendors: list[Line]
) -> None:
    assert readme_lines(readme) == [*settings, *vendors]


def test_the_documents_name_every_variable_that_is_looked_up(
    settings: list[Line], vendors: list[Line]
) -> None:
    assert [line.name for line in vendors] == [*registry.variables(NONE)]
    names = [line.name for line in [*settings, *vendors]]
    assert len(set(names)) == len(names)


def test_a_copied_example_file_changes_nothing(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: list[Line],
    vendors: list[Line],
) -> None:
    for line in [*settings, *vendors]:
        monkeypatch.delenv(line.name, raising=False)
    plain = Settings(_env_file=None)
    assert Settings(_env_file=root / ".env.example") == plain
    monkeypatch.chdir(tmp_path)
    shutil.copy(root / ".env.example", ".env")
    assert read_variables(line.name for line in vendors) == {
        line.name: line.default for line in vendors if line.default
    }


@pytest.mark.readme(
    "variable-deepseek-api-key",
    "variable-deepseek-base-url",
    "variable-database-url",
    "variable-app-name",
    "variable-app-version",
)
def test_the_five_known_variables_keep_their_defaults(settings: list[Line]) -> None:
    known = [
        ("DEEPSEEK_API_KEY", "Your DeepSeek API key", ""),
        ("DEEPSEEK_BASE_URL", "DeepSeek API base URL", "https://api.deepseek.com"),
        ("DATABASE_URL", "SQLite database path", "sqlite:///./chat_history.db"),
        ("APP_NAME", "Application name", "Lite-LLM-Chat Backend"),
        ("APP_VERSION", "Application version", "1.0.0"),
    ]
    assert settings[:5] == [Line(*row) for row in known]


@pytest.mark.readme("address-default")
def test_the_default_address_is_port_8000_of_this_machine(settings: list[Line]) -> None:
    defaults = {line.name: line.default for line in settings}
    assert (defaults["HOST"], defaults["PORT"]) == ("127.0.0.1", "8000")


def test_a_table_with_another_default_would_be_seen() -> None:
    assert readme_lines("| `PORT` | Port | `8000` |\n| KEY | Key | None |") == [
        Line("PORT", "Port", "8000"),
        Line("KEY", "Key", ""),
    ]
    assert env_lines("# Port\nPORT=9000\n") == [Line("PORT", "Port", "9000")]
