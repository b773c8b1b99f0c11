"""What a refusal of Gemini's means, and its mend.

    {code, message, status, details[]} ─▶ explained ─▶ UpstreamError

    seen  a wrong key is 400 API_KEY_INVALID; a retired model 404; too long a conversation 400,
          sometimes 500 or 504; a 429 says in its details when to come back, and "prepayment
          credits are depleted" is a 429 as well (dyad 3626, June 2026)

What the sources are called stands in gemini.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..errors import UpstreamError
from .refusal import Mend, Refusal, explain, too_long

_MEND = Mend(key_setting="GEMINI_API_KEY", url_setting="GEMINI_BASE_URL")

_BAD_KEY = re.compile(r"API key (?:not valid|expired|not found)", re.IGNORECASE)
_TOO_LONG = re.compile(r"input token count.{0,40}exceeds the maximum", re.IGNORECASE)
_NO_MODEL = re.compile(r"\bmodels?/\S+ is (?:not found|no longer)", re.IGNORECASE)
_NO_CREDIT = re.compile(r"credits are depleted", re.IGNORECASE)
_DELAY = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s", re.ASCII)


def explained(said: Refusal) -> UpstreamError:
    """Gemini's errors: `{code, message, status, details[]}`, each detail with an @type."""
    details = list(_details(said.error))
    match said.status:
        case 400 if _BAD_KEY.search(said.message) or _reason(details) == "API_KEY_INVALID":
            return explain("gemini", Refusal(401), _MEND)
        case 400 if _TOO_LONG.search(said.message):
            return too_long(said)
        case 403:
            return UpstreamError(
                f"gemini refused the key or its project: check GEMINI_API_KEY in .env{said.quoted}",
                code="provider_auth",
            )
        case 404 if _NO_MODEL.search(said.message):
            return UpstreamError(
                f"gemini does not serve this model any more, or never did{said.quoted}",
                code="provider_unknown_model",
            )
        case 429:
            return _limited(said, details)
        case 500:
            return UpstreamError(
                "gemini failed (500): try again, or with a shorter conversation if it stays so"
                f"{said.quoted}",
                code="provider_error",
                retryable=True,
                retry_after_s=said.retry_after_s,
            )
        case 504:
            return UpstreamError(
                f"gemini did not finish in time: try again, or with less to read{said.quoted}",
                code="upstream_timeout",
                status=504,
                retryable=True,
                retry_after_s=said.retry_after_s,
            )
    return explain("gemini", said, _MEND)


def _limited(said: Refusal, details: list[Mapping[str, object]]) -> UpstreamError:
    """A 429: money, the day's quota, or too many requests at the moment."""
    if _NO_CREDIT.search(said.message):
        return explain("gemini", Refusal(402), _MEND)
    if any("PerDay" in str(detail.get("violations")) for detail in details):
        return UpstreamError(
            f"the key's quota of this day at gemini is used up: wait or raise it{said.quoted}",
            code="provider_rate_limited",
            status=503,
        )
    waits = (_DELAY.fullmatch(str(detail.get("retryDelay"))) for detail in details)
    wait_s = next((float(wait[1]) for wait in waits if wait), said.retry_after_s)
    return explain("gemini", Refusal(429, said.message, said.kind, wait_s), _MEND)


def _details(error: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    given = error.get("details")
    for detail in given if isinstance(given, list) else ():
        if isinstance(detail, dict):
            yield detail


def _reason(details: list[Mapping[str, object]]) -> object:
    return next((detail["reason"] for detail in details if "reason" in detail), None)
