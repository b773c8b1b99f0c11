"""How a command ends: a number for scripts, and one sentence for a person.

Trouble(sentence, exit) ──raised anywhere in a command──▶ standard error, exit code
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of all commands; scripts may rely on them."""

    WHOLE = 0  # done; of an answer: it is whole
    TROUBLE = 1  # anything that no other code says
    USAGE = 2  # the command line was wrong
    UNREACHABLE = 3  # no server was reached, and none could be started
    REFUSED = 4  # the server refused the request, before any answer
    VENDOR = 5  # the answer failed
    CUT = 6  # the answer ended early: a limit, a filter, a stop of the server
    STOPPED = 130  # Ctrl-C
    PIPE = 141  # whoever read the output left


class Trouble(Exception):
    """A command cannot do what it should; `sentence` names the thing and the mend."""

    def __init__(self, sentence: str, exit_code: Exit = Exit.TROUBLE) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.exit_code = exit_code
