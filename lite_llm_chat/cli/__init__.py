"""The command `lite-llm-chat`: a server, and a client of it for people and scripts.

lite-llm-chat NAME … ─▶ prepare ─▶ commands.load(NAME) ─▶ run ─▶ exit code
                                          │                └─ Trouble ─▶ one sentence on stderr
serve ──▶ app                             │
backup · restore · doctor ──▶ the files   │
all others ──HTTP──▶ a server that runs, or one that is started for the time of the command
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from ..errors import LiteError
from .commands import COMMANDS, PROGRAM, Command, Parser, application, load, parser_of, version
from .trouble import Exit, Trouble

__all__ = ["application", "main", "prepare"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is one of `Exit`."""
    return prepare(argv)()


def prepare(argv: Sequence[str] | None = None) -> Callable[[], int]:
    """Read a command line and import what its command needs: what is returned only has to run.
    Raises SystemExit for a wrong one, and for --help."""
    words = list(sys.argv[1:] if argv is None else argv)
    name, rest = (words[0], words[1:]) if words else ("serve", [])
    if name not in COMMANDS:
        if _front(name).parse_args(words).version:
            return partial(_say, f"{PROGRAM} {version()}")
        name, rest = "serve", words
    command = load(name)
    wanted = parser_of(name, command).parse_intermixed_args(rest)  # options may stand anywhere
    return partial(_run, name, command, wanted)


def _run(name: str, command: Command, wanted: argparse.Namespace) -> int:
    try:
        code = command.run(wanted)
        sys.stdout.flush()  # here, where a reader who left is expected
        return code
    except Trouble as trouble:
        print(f"{PROGRAM} {name}: {trouble.sentence}", file=sys.stderr)
        return trouble.exit_code
    except LiteError as error:
        print(f"cannot {'start' if name == 'serve' else name}: {error.detail}", file=sys.stderr)
        return Exit.TROUBLE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at its end
        return Exit.PIPE
    except KeyboardInterrupt:
        return Exit.STOPPED


def _front(name: str) -> argparse.ArgumentParser:
    """The parser of what stands before a command: `--help`, `--version`, or a name that is none."""
    width = max(map(len, COMMANDS))
    lines = [f"  {each:<{width}}  {entry.about}" for each, entry in COMMANDS.items()]
    parser = Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [command] [-h] …",
        description="A chat backend that never loses a word.",
        epilog="commands:\n"
        + "\n".join(lines)
        + f"\n\n{PROGRAM} COMMAND --help says more about one.\n"
        + f"example: PORT=9000 {PROGRAM} serve",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    if not name.startswith("-"):
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
        parser.error(f"there is no command {name!r}: {hint}")
    return parser


def _say(line: str) -> int:
    print(line)
    return Exit.WHOLE
