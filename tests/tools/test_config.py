"""tools.toml: what it says, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lite_llm_chat.errors import StartupError
from lite_llm_chat.tools.config import Server, read

WHOLE = """
[servers.files]
command = "files-server"
args = ["--root", "/srv"]
env = { TOKEN = "secret-of-files" }
timeout_s = 5
max_result_bytes = 1000

[servers.files.tools]
"read_*" = "allow"
read_keys = "deny"
"*_all" = "deny"

[servers.web]
url = "https://tools.example/mcp"
headers = { Authorization = "Bearer secret-of-web" }
default = "allow"
"""


def _read(folder: Path, text: str) -> object:
    path = folder / "tools.toml"
    path.write_text(text, "utf-8")
    return read(path, required=True)


def test_servers_are_read_with_their_bounds(tmp_path: Path) -> None:
    found = _read(tmp_path, WHOLE)
    assert isinstance(found, dict)
    files, web = found["files"], found["web"]
    assert (files.command, files.args, files.timeout_s) == ("files-server", ["--root", "/srv"], 5)
    assert (web.url, web.timeout_s, web.max_result_bytes) == (
        "https://tools.example/mcp",
        60,
        65536,
    )


@pytest.mark.parametrize(
    ("tool", "word"),
    [
        ("read_one", "allow"),
        ("read_keys", "deny"),
        ("read_all", "deny"),
        ("write_one", "ask"),
    ],
)
def test_a_name_wins_then_the_strictest_pattern_then_the_default(
    tmp_path: Path, tool: str, word: str
) -> None:
    found = _read(tmp_path, WHOLE)
    assert isinstance(found, dict)
    assert found["files"].word_for(tool) == word
    assert found["web"].word_for(tool) == "allow"


def test_a_file_that_is_not_there_is_no_fault_unless_somebody_named_it(tmp_path: Path) -> None:
    assert read(tmp_path / "tools.toml", required=False) == {}
    with pytest.raises(StartupError, match=r"tools\.toml of TOOLS_FILE is not there"):
        read(tmp_path / "tools.toml", required=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = = 1", "tools.toml: it is no TOML (at line 1, column 5): mend it there"),
        (
            "[servers.a]\ncommand = 'x'\n[server.b]\n",
            "tools.toml, line 3: server: it holds tables called [servers.NAME] and nothing else",
        ),
        (
            "[servers.a]\nargs = []\n",
            (
                "tools.toml, line 1: server a: give it a command to start or a url to call, one of"
                " them"
            ),
        ),
        (
            "[servers.a]\ncommand = 'x'\n\n[servers.b]\nurl = 'ftp://x'\n",
            "tools.toml, line 5: server b: url is no address: it begins with http:// or https://",
        ),
        (
            "[servers.a]\ncommand = 'x'\ndefault = 'maybe'\n",
            "tools.toml, line 3: server a: default: a rule is one of allow, ask, deny: mend it",
        ),
        (
            "[servers.a]\ncommand = 'x'\n[servers.a.tools]\nx = 'no'\n",
            "tools.toml, line 3: server a: tools: a rule is one of allow, ask, deny: mend it",
        ),
        (
            "[servers.a]\ncommand = 'x'\ntimeout_s = 0\n",
            "tools.toml, line 3: server a: timeout_s: expected `float` > 0.0: mend it",
        ),
    ],
)
def test_a_wrong_file_is_told_with_its_line_and_the_mend(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(StartupError) as told:
        _read(tmp_path, text)
    assert told.value.detail == sentence


@pytest.mark.parametrize("name", ["a__b", "_a", "a-", "ä", "a" * 33])
def test_a_name_that_could_not_stand_before_a_tools_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartupError, match="the name of a server is not fit for one"):
        _read(tmp_path, f"[servers.'{name}']\ncommand = 'x'\n")


def test_what_is_secret_is_in_no_sentence_and_no_repr(tmp_path: Path) -> None:
    secret = "sk-0123456789\u00e4"
    text = f"[servers.a]\nurl = 'https://x'\nheaders = {{ Key = '{secret}' }}\n"
    with pytest.raises(StartupError) as told:
        _read(tmp_path, text)
    assert "sk-0" not in told.value.detail
    assert "line 3" in told.value.detail
    assert "sk-0" not in repr(Server(url="https://x", headers={"Key": secret}))
