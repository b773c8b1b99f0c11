"""`completion`: a script that lets a shell complete commands and options with Tab.

    the parsers of all commands ─▶ [Shape] ─▶ bash · zsh · fish

The script is made of what the parsers say and asks nobody when it completes: Tab starts no Python.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .commands import COMMANDS, PROGRAM, load, parser_of
from .trouble import Exit


class Option(NamedTuple):
    """An option: its names, whether a value follows, which values there are, what it is for."""

    names: tuple[str, ...]
    takes: bool
    values: tuple[str, ...]
    about: str


class Shape(NamedTuple):
    """A command: its options, and the words that may stand without one."""

    name: str
    about: str
    options: tuple[Option, ...]
    words: tuple[str, ...]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which shell."""
    parser.description = "Print a script that completes commands and options with Tab."
    parser.epilog = (
        "examples:\n"
        '  eval "$(lite-llm-chat completion bash)"      # in ~/.bashrc\n'
        "  lite-llm-chat completion zsh > ~/.zfunc/_lite-llm-chat   # a folder of fpath\n"
        "  lite-llm-chat completion fish > ~/.config/fish/completions/lite-llm-chat.fish"
    )
    parser.add_argument("shell", choices=tuple(SHELLS), help="whose script")


def run(wanted: argparse.Namespace) -> int:
    """Print the script."""
    print(SHELLS[wanted.shell]([_shape(name) for name in COMMANDS]))
    return Exit.WHOLE


def _shape(name: str) -> Shape:
    options: dict[tuple[str, ...], Option] = {}
    words: list[str] = []
    for parser in _parsers(parser_of(name, load(name)), words):
        for action in parser._actions:  # noqa: SLF001 - argparse has no other way to look
            if action.help == argparse.SUPPRESS or isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                continue
            values = tuple(map(str, action.choices or ()))
            if action.option_strings:
                names = tuple(action.option_strings)
                options[names] = Option(names, action.nargs != 0, values, action.help or "")
            else:
                words += values
    return Shape(name, COMMANDS[name].about, tuple(options.values()), tuple(words))


def _parsers(
    parser: argparse.ArgumentParser, words: list[str]
) -> Iterator[argparse.ArgumentParser]:
    """A parser, and those of the words that may follow, which are noted."""
    yield parser
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            words += action.choices
            for each in action.choices.values():
                yield from _parsers(each, words)


# ── the shells ────────────────────────────────────────────────────────────────────────────────


def _bash(shapes: list[Shape]) -> str:
    return f"""\
_lite_llm_chat() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{" ".join(COMMANDS)} --help --version"
    else
        case "${{COMP_WORDS[1]}} $prev" in
{"".join(_bash_values(shapes))}        *) case "${{COMP_WORDS[1]}}" in
{"".join(_bash_words(shapes))}            esac ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _lite_llm_chat {PROGRAM}"""


def _bash_values(shapes: list[Shape]) -> Iterator[str]:
    """What may follow an option that takes a value; nothing means: a file, perhaps."""
    for shape in shapes:
        for option in shape.options:
            if option.takes:
                cases = "|".join(f'"{shape.name} {name}"' for name in option.names)
                yield f"        {cases}) words={shlex.quote(' '.join(option.values))} ;;\n"


def _bash_words(shapes: list[Shape]) -> Iterator[str]:
    for shape in shapes:
        names = [name for option in shape.options for name in option.names]
        words = shlex.quote(" ".join([*shape.words, *names]))
        yield f"            {shape.name}) words={words} ;;\n"


def _zsh(shapes: list[Shape]) -> str:
    listed = "\n".join(f"        {_zsh_pair(shape.name, shape.about)}" for shape in shapes)
    cases = "\n".join(_zsh_case(shape) for shape in shapes)
    return f"""\
#compdef {PROGRAM}
_lite_llm_chat() {{
    local -a commands=(
{listed}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local name=$words[2]
    shift words; (( CURRENT-- ))
    case $name in
{cases}
    esac
}}
compdef _lite_llm_chat {PROGRAM}"""


def _zsh_pair(name: str, about: str) -> str:
    return shlex.quote(f"{name}:{about}")


def _zsh_case(shape: Shape) -> str:
    specs = []
    for option in shape.options:
        about = option.about.replace("[", "(").replace("]", ")").replace(":", " -")
        action = f"({' '.join(option.values)})" if option.values else "_files"
        value = f":value:{action}" if option.takes else ""
        specs += [shlex.quote(f"{name}[{about}]{value}") for name in option.names]
    words = f"'1:what:({' '.join(shape.words)})'" if shape.words else "'*:file:_files'"
    return f"    {shape.name}) _arguments {' '.join([*specs, words])} ;;"


def _fish(shapes: list[Shape]) -> str:
    lines = []
    for shape in shapes:
        told = shlex.quote(shape.about)
        lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -f -a {shape.name} -d {told}")
        seen = f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from {shape.name}'"
        if shape.words:
            lines.append(f"{seen} -f -a {shlex.quote(' '.join(shape.words))}")
        for option in shape.options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            )
            values = f" -f -a {shlex.quote(' '.join(option.values))}" if option.values else ""
            takes = " -r" if option.takes else ""
            lines.append(f"{seen} {names}{takes}{values} -d {shlex.quote(option.about)}")
    return "\n".join(lines)


SHELLS: dict[str, Callable[[list[Shape]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
