"""Going on from a cut answer with a vendor that has no way to: it is asked to, in words.

    turns + prefix ─▶ turns · assistant: the text so far · user: GO_ON

A vendor that can go on from a last message of the assistant does not need this.
"""

from __future__ import annotations

from ..domain import Prompt, Turn

GO_ON = (
    "Your last message was cut off. Go on from its last character: write only what comes next,"
    " repeat nothing of it and say nothing about the cut."
)


def asked_to_go_on(prompt: Prompt) -> tuple[Turn, ...]:
    """The turns of a prompt; where it has a prefix, the request to go on from it comes last."""
    if prompt.prefix is None:
        return prompt.turns
    return (*prompt.turns, Turn("assistant", prompt.prefix.text), Turn("user", GO_ON))
