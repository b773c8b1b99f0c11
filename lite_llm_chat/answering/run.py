"""One running generation, as far as asking for it goes.

    Run: who is asked now, who after that, what was said so far ─▶ attempts.py changes it
                    └─ Draft of a text that must have a form

Nothing here does anything: it is the state that those share who make an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..domain import Generation, Part, Prompt, Rerouted, ResponseFormat, Usage
from ..domain.tally import tokens
from ..providers.base import Provider
from .drafts import Draft


@dataclass(frozen=True, slots=True)
class Other:
    """Somebody who may answer. `model` is the name that is shown; `ask` makes what is asked of it,
    and what has to be said of that in warnings. `first`: it is the one that was chosen."""

    provider: Provider
    model: str
    ask: Callable[[], tuple[Prompt, tuple[str, ...]]]
    first: bool = False


@dataclass(slots=True, eq=False)
class Run:
    """One running generation, as far as asking for it goes. `provider` and `prompt` are of who is
    asked now; `others` are asked after that, while nothing was said."""

    generation: Generation
    prompt: Prompt
    provider: Provider
    started_at: float
    others: tuple[Other, ...] = ()
    said: int = 0  # bytes of text, reasoning and arguments so far
    prompt_quarters: int = 0  # of tokens, by our count: of the prompts that got an answer …
    said_quarters: int = 0  # … and of all that came for them
    spoken: bool = False  # True once a piece of what runs now went to the log
    begun: bool = False  # True once the request that runs now has brought a piece
    keeps_prompt: bool = False  # whoever asks in rounds needs to know what was asked
    first_piece_at: float | None = None
    attempts: int = 0
    draft: Draft | None = None  # of a text that must have a form
    rerouted: Rerouted | None = None  # who is asked instead …
    announced: bool = False  # … and whether the log says so
    warnings: list[str] = field(default_factory=list)  # that the making brings
    heard: list[Part] | None = None  # what is said, where somebody needs it in the end
    waited_s: float = 0.0  # for a person, which counts for no limit
    reported: Callable[[], Usage | None] | None = None  # of the request that runs now, so far
    spent: Usage | None = None  # of all requests for a text that had not its form

    @property
    def model(self) -> str:
        """The name of who is asked now."""
        return self.rerouted.model if self.rerouted else self.generation.model

    def estimate(self) -> Usage | None:
        """What this took, of an answer whose vendor did not say it in the end: what it said before,
        and the rest by our count. None if no request got an answer: what such a one costs is not
        known."""
        if not self.prompt_quarters:
            return None
        output = tokens(self.said_quarters)
        said = self.reported() if self.reported and self.heard is None else None
        if said is None:
            return Usage(tokens(self.prompt_quarters), output=output, estimated=True)
        more = output > said.output
        return replace(said, output=max(output, said.output), estimated=more)

    @property
    def wanted(self) -> ResponseFormat | None:
        """The form that the text must have."""
        return self.generation.options.response_format

    def fresh_draft(self) -> Draft | None:
        """Of the request that is about to be sent. Held back is what the vendor does not see to
        itself, unless its beginning is seen already."""
        if self.wanted is None:
            return None
        passed_on = self.prompt.options.response_format == self.wanted
        return Draft(held=not passed_on and self.prompt.prefix is None)
