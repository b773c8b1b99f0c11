"""The command line itself: commands explain themselves, wrong ones are one line, Tab completes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lite_llm_chat.cli.commands import COMMANDS, load, parser_of
from lite_llm_chat.cli.slash import COMMANDS as SLASHES
from tests.durability.processes import ROOT
from tests.house.documents import code_blocks

from .terminal import command


@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_has_a_help_with_an_example(name: str, tmp_path: Path) -> None:
    said = await command(tmp_path, name, "--help")
    assert (said.code, said.err) == (0, "")
    _, found, example = said.out.partition("example")
    assert found
    assert f"lite-llm-chat {name}" in example
    assert max(map(len, said.out.splitlines())) <= 100


async def test_the_help_lists_every_command(tmp_path: Path) -> None:
    said = await command(tmp_path, "--help")
    assert said.code == 0
    for name, entry in COMMANDS.items():
        assert f"  {name:<10}  {entry.about}\n" in said.out


async def test_the_version_is_said(tmp_path: Path) -> None:
    assert (await command(tmp_path, "--version")).out == "lite-llm-chat 1.0.0\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["serch"], "there is no command 'serch': did you mean search?"),
        (["xyz"], "there is no command 'xyz': there are serve, chat"),
        (["--port", "1"], "unrecognized arguments: --port 1"),
        (["ask", "--file"], "expected one argument"),
    ],
)
async def test_a_wrong_command_line_is_one_line_and_2(
    words: list[str], sentence: str, tmp_path: Path
) -> None:
    said = await command(tmp_path, *words)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert sentence in said.err


def written(text: str) -> Iterator[list[str]]:
    """Every command line of this program in a text, as words, without pipes and redirections."""
    for line in text.splitlines():
        for _, after in re.findall(r"(^|[\s(])(?:lite-llm-chat|python main\.py) +(\S.*)", line):
            words = shlex.split(after.partition(")")[0] if "$(" in line else after, comments=True)
            ends = (n for n, word in enumerate(words) if word in ("|", ">", "<"))
            yield words[: next(ends, len(words))]


def examples() -> list[list[str]]:
    """The command lines that documents and helps show."""
    texts = [parser_of(name, load(name)).epilog or "" for name in COMMANDS]
    for place in ("README.md", "docs/cli.md"):
        blocks = code_blocks((ROOT / place).read_text("utf-8"))
        texts += [block.text for block in blocks if block.language == "console"]
    texts.append((ROOT / "docs" / "cookbook" / "sum_up.sh").read_text("utf-8"))
    return [words for text in texts for words in written(text)]


def test_every_command_line_that_is_shown_is_right() -> None:
    shown = examples()
    assert {words[0] for words in shown} == {*COMMANDS}
    for name, *rest in shown:
        parser_of(name, load(name)).parse_args(rest)


def test_the_page_has_a_section_with_an_example_for_every_command() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for name in COMMANDS:
        [section] = [part for part in page.split("\n## ") if f"`{name}`" in part.split("\n")[0]]
        assert f"lite-llm-chat {name}" in section, name


def test_the_page_lists_what_can_be_said_in_a_talk() -> None:
    section = (ROOT / "docs" / "cli.md").read_text("utf-8").partition("| in it |")[2]
    listed = set(re.findall(r"`/([a-z]+)", section.partition("\n\n")[0]))
    assert listed == {*SLASHES}


@pytest.mark.parametrize("name", ["chat", "ask", "search", "sessions", "usage", "import"])
def test_commands_that_scripts_read_speak_json(name: str) -> None:
    options = parser_of(name, load(name)).format_help()
    assert ("--json" in options) == (name != "chat")


def loaded(words: str) -> set[str]:
    """The packages that are loaded once a command is ready to run."""
    code = f"import sys, lite_llm_chat.cli as c; c.prepare({words!r}.split()); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_serving_loads_no_library_that_draws() -> None:
    found = loaded("serve")
    assert "lite_llm_chat.app" in found
    assert not {"rich", "readline"} & found


def test_asking_loads_no_server_and_no_library_that_draws() -> None:
    found = loaded("ask Hi")
    assert "lite_llm_chat.cli.ask" in found
    assert not {"lite_llm_chat.app", "rich", "uvicorn", "fastapi", "sqlalchemy"} & found


# ── completion ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def scripts() -> dict[str, str]:
    """The script of every shell."""
    found = {}
    for shell in ("bash", "zsh", "fish"):
        run = [sys.executable, str(ROOT / "main.py"), "completion", shell]
        found[shell] = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    return found


def completed(script: str, *words: str) -> list[str]:
    """What bash completes the last of these words to."""
    typed = " ".join(f"'{word}'" for word in ("lite-llm-chat", *words))
    code = (
        f"{script}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words)}; _lite_llm_chat;"
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    run = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return run.stdout.split()


def test_bash_completes_commands_options_and_values(scripts: dict[str, str]) -> None:
    script = scripts["bash"]
    assert completed(script, "") == [*COMMANDS, "--help", "--version"]
    assert completed(script, "se") == ["serve", "search", "sessions"]
    assert completed(script, "ask", "--s") == ["--session", "--system", "--schema"]
    assert completed(script, "usage", "--by", "") == ["day", "model", "provider", "session", "key"]
    assert "restore" in completed(script, "sessions", "re")
    assert completed(script, "completion", "") == ["bash", "zsh", "fish", "-h", "--help"]
    assert completed(script, "ask", "--file", "") == []  # bash's own: files


def test_bash_knows_whose_completion_it_is(scripts: dict[str, str]) -> None:
    code = f"{scripts['bash']}\ncomplete -p lite-llm-chat"
    run = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "complete -o default -F _lite_llm_chat lite-llm-chat\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_know_every_command_and_option(
    scripts: dict[str, str], shell: str
) -> None:
    script = scripts[shell]
    for name in COMMANDS:
        assert name in script
    for option in ("continue-last", "no-stream", "permanent", "dry-run", "offline"):
        assert option in script
    assert "child" not in script  # what is not for people
