"""A text that must have a form: looked at when it is whole, asked for once more if it has not.

    Finish ─▶ is the text by response_format?
                 ├ yes ─▶ to the log, if it was held back ─▶ Finish
                 └ no ─┬ held back ─▶ asked once more, with what is wrong ─▶ looked at again
                       └ seen already, or wrong again ─▶ `format_not_met`, and the text as it came

A breach is a failure, not one more finish reason: whoever asks for a form reads the text with a
program, and that looks at the status first.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from ..asking import forms
from ..domain import Finish, together
from ..errors import UpstreamError
from .run import Run

# Ends that say by themselves that the text is not whole: it is not held against its form.
_NOT_WHOLE = ("length", "content_filter", "refusal", "tool_calls")


class Asker(Protocol):
    """Who asks vendors."""

    async def insist(self, run: Run) -> Finish:
        """Ask who is to be asked now. Raises UpstreamError."""

    def let_go(self, run: Run, text: str | None = None) -> None:
        """To the log with what was held back, as it came or with another text instead."""


async def formed(asker: Asker, run: Run, begun: str, finish: Finish) -> Finish:
    """The end of an answer whose text has its form. `begun` is what the text goes on from. Raises
    UpstreamError `format_not_met`."""
    complaint = await _complaint(asker, run, begun, finish)
    if complaint and run.draft and run.draft.held:
        finish = await _once_more(asker, run, finish, complaint)
        complaint = await _complaint(asker, run, begun, finish)
    if complaint:
        asker.let_go(run)
        run.spent = finish.usage
        raise _not_met(run, complaint)
    return finish


async def _complaint(asker: Asker, run: Run, begun: str, finish: Finish) -> str:
    """What is wrong with the text; "" once all of it is in the log. One that is not whole, or is
    not the answer, is taken as it is: its end says so."""
    draft, wanted = run.draft, run.wanted
    if draft is None or wanted is None or draft.calls or finish.reason in _NOT_WHOLE:
        asker.let_go(run)
        return ""
    text = begun + draft.text
    verdict = await asyncio.to_thread(forms.judge, wanted, text, exact=not draft.held)
    if not verdict.complaint:
        asker.let_go(run, verdict.json)
    return verdict.complaint


async def _once_more(asker: Asker, run: Run, finish: Finish, complaint: str) -> Finish:
    """The same one is asked for its text again. If that fails, the first text stays the answer."""
    first = run.draft
    assert first is not None
    turns = forms.once_more(run.prompt.turns, first.text, complaint)
    run.prompt, run.others = replace(run.prompt, turns=turns), ()
    run.warnings.append(
        f"the text of {run.model} was not what response_format asks for ({complaint}), so it was"
        " asked for it once more"
    )
    try:
        second = await asker.insist(run)
    except asyncio.CancelledError:
        run.draft = first
        raise
    except UpstreamError as error:
        run.draft, run.spent = first, finish.usage
        asker.let_go(run)
        raise _not_met(run, f"{complaint}; asked once more: {error.detail}") from error
    return replace(second, usage=together(finish.usage, second.usage))


def _not_met(run: Run, complaint: str) -> UpstreamError:
    return UpstreamError(
        f"{run.model} did not answer in the form that was asked for: {complaint}; ask again, or"
        " another model",
        code="format_not_met",
    )
