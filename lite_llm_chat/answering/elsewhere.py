"""Which failures another vendor could mend, and what is said of them. Pure.

error ─▶ goes_elsewhere ─┬─ the vendor's state: its key, its money, its models, its health
                         └─ the question's own: nobody else is asked

failures ─▶ reason       one sentence, when somebody else answers
         └▶ all_failed   one error, when nobody does
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import UpstreamError
from ..providers.base import Readiness

OTHERS_CHARS = 160  # of what each but the first of those who failed has said

# A retry would mend none of these, but another vendor has a key, money, models and windows of its
# own.
# Not among them: `provider_bad_request`, for the same question would be refused again, and
# `provider_blocked`, for nobody looks for the vendor that minds a question least.
_STATE = frozenset(
    {
        "model_cannot_see",
        "prompt_too_long",
        "provider_auth",
        "provider_balance",
        "provider_not_configured",
        "provider_not_found",
        "provider_rate_limited",
        "provider_unknown_model",
        "upstream_garbage",
        "upstream_unreachable",
    }
)


class Failure(NamedTuple):
    """Who did not answer, and why. The error itself would hold on to all that was sent."""

    provider: str
    model: str
    code: str
    detail: str
    status: int


def failure(provider: str, model: str, error: UpstreamError) -> Failure:
    """The failure of one that was asked."""
    return Failure(provider, model, error.code, error.detail, error.status)


def goes_elsewhere(error: UpstreamError) -> bool:
    """Whether somebody else is asked after this, as long as nothing of the answer was kept."""
    return error.retryable or error.code in _STATE


def passed_over(provider: str, readiness: Readiness) -> str:
    """Why one was not asked in its turn."""
    if readiness.ready:
        return f"{provider} has failed again and again and is rested"
    return f"{provider} cannot answer: {readiness.note}"


def reason(provider: str, model: str, why: Sequence[str]) -> str:
    """That somebody else answers, as a sentence."""
    return f"{model} of {provider} answers instead: {'; '.join(map(_short, why))}"


def all_failed(failures: Sequence[Failure]) -> UpstreamError:
    """The first one's error, with what the others said behind its sentence."""
    first, *others = failures
    said = "".join(
        f"; {one.model} of {one.provider} did not answer either: {_short(one.detail)}"
        for one in others
    )
    return UpstreamError(first.detail + said, code=first.code, status=first.status)


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= OTHERS_CHARS else f"{sentence[: OTHERS_CHARS - 1]}…"
