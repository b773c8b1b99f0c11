"""What a vendor says instead of an answer, made fit to be shown.

    HTTP status + body ──┐
                         ├─▶ Refusal (redacted, bounded, one line) ─▶ explain ─▶ UpstreamError
    an error in a stream ┘

The words of a vendor are quoted for people and never trusted: keys and what looks like one are
taken out, control characters and markup never pass. `explain` classifies by status, because the
types and codes in the bodies follow no common vocabulary; a vendor that has more to say about a
status wraps it (see deepseek.py).

    status        code                     HTTP  retryable
    401 403       provider_auth            502   no
    402           provider_balance         502   no     (also 429 of kind insufficient_quota)
    404 3xx       provider_not_found       502   no     (provider_unknown_model if it says so)
    408           upstream_timeout         504   yes
    429           provider_rate_limited    503   yes
    503 529       provider_overloaded      503   yes    (also Groq's 498 and 499)
    other 4xx     provider_bad_request     502   no
    all else      provider_error           502   yes
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import UpstreamError

MAX_COMPLAINT_CHARS = 300
_FRAGMENT_CHARS = 6  # a piece of the configured key this long is already taken out
_REDACTED = "[redacted]"

_LIKE_A_KEY = re.compile(
    r"(?i:bearer)\s+[^\s\"',;]+"  # a whole Authorization value
    r"|\b(?:(?:sk|pk|rk|gsk|xai)[-_*]|AIza)[^\s\"',;]*"  # the usual prefixes
    r"|[^\s\"',;]*\*{2,}[^\s\"',;]*"  # ****abcd, sk-12****90
    r"|[A-Za-z0-9+]{24,}={0,2}"  # a long run without a break
)
_NO_SUCH_MODEL = re.compile(
    r"model_not_found|\bmodel\b.{0,80}\b(?:not found|does not exist|not exist)", re.IGNORECASE
)
_GUESSES = (
    ("rate_limit", 429),
    ("overloaded", 503),
    ("unavailable", 503),
    ("authentication", 401),
    ("permission", 403),
    ("invalid_request", 400),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`status` is the HTTP status, or the best guess for an error inside a stream; `message` may
    be ""; `kind` holds the vendor's own type and code in lower case."""

    status: int
    message: str = ""
    kind: str = ""
    retry_after_s: float | None = None
    error: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def quoted(self) -> str:
        """The vendor's words as the end of a sentence, or nothing."""
        return f"; it said: {self.message}" if self.message else ""


@dataclass(frozen=True, slots=True)
class Mend:
    """Where the operator mends what only he can, for sentences: the settings' names, and the
    file that holds the key."""

    key_setting: str
    url_setting: str
    place: str = ".env"


def read_refusal(
    body: bytes, status: int | None, secret: str = "", retry_after_s: float | None = None
) -> Refusal:
    """The refusal in an error body. JSON is recognised by trying, because the content type of an
    error is often wrong; a web page says nothing that helps and is left out."""
    text = body.decode("utf-8", "replace").strip()
    try:
        said: object = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        said = "" if text.startswith("<") else text
    return refusal(said, status, secret, retry_after_s)


def refusal(
    said: object, status: int | None, secret: str = "", retry_after_s: float | None = None
) -> Refusal:
    """The refusal in an error of any shape: a string, `{"error": …}` nested or flat, a list.
    Without a status it is guessed from the error's own code and type, else it is 500."""
    error = said[0] if isinstance(said, list) and said else said
    if isinstance(error, dict) and error.get("error"):
        error = error["error"]
    message, words, code = error, "", None
    given = error if isinstance(error, dict) else {}
    if given:
        names = ("message", "detail", "error_msg", "msg")
        message = next((given[name] for name in names if given.get(name)), "")
        if isinstance(message, list) and message and isinstance(message[0], dict):
            message = message[0].get("msg")  # Mistral's 422: a list of what is wrong
        code = given.get("code")
        words = f"{given.get('type') or ''} {code or ''}".strip().lower()
    shown = presentable(message, secret) if isinstance(message, str) else ""
    return Refusal(status or _guess(code, words), shown, words, retry_after_s, given)


def explain(who: str, said: Refusal, mend: Mend) -> UpstreamError:
    """The error of a refusal, by the table above."""
    retryable, http, wait_s = False, 502, None
    status = said.status
    match status:
        case 401 | 403:
            code = "provider_auth"
            detail = f"{who} refused the key: check {mend.key_setting} in {mend.place}"
        case 402 | 429 if status == 402 or "insufficient_quota" in said.kind:
            code = "provider_balance"
            detail = f"the balance at {who} is used up: top it up with the vendor"
        case 429:
            code, http, retryable, wait_s = "provider_rate_limited", 503, True, said.retry_after_s
            detail = f"{who} limits how often it may be asked: try again in a moment{said.quoted}"
        case 498 | 499 | 503 | 529:
            code, http, retryable, wait_s = "provider_overloaded", 503, True, said.retry_after_s
            detail = f"{who} is overloaded: try again in a moment{said.quoted}"
        case 408:
            code, http, retryable, wait_s = "upstream_timeout", 504, True, said.retry_after_s
            detail = f"{who} did not get the request in time: try again"
        case _ if 400 <= status < 500 and _NO_SUCH_MODEL.search(f"{said.kind} {said.message}"):
            code = "provider_unknown_model"
            detail = f"{who} does not have this model: choose another{said.quoted}"
        case _ if status == 404 or 300 <= status < 400:
            code = "provider_not_found"
            detail = f"{who} has nothing at this address ({status}): check {mend.url_setting}"
        case _ if 400 <= status < 500:
            code = "provider_bad_request"
            detail = f"{who} did not accept the request ({status}){said.quoted}"
        case _:
            code, retryable, wait_s = "provider_error", True, said.retry_after_s
            detail = f"{who} failed ({status}): try again{said.quoted}"
    return UpstreamError(detail, code=code, status=http, retryable=retryable, retry_after_s=wait_s)


def too_long(said: Refusal) -> UpstreamError:
    """The error of a conversation that does not fit the model's window."""
    return UpstreamError(
        "the conversation is longer than this model can read: start a new session or ask for a"
        f" shorter answer{said.quoted}",
        code="provider_bad_request",
    )


def presentable(text: str, secret: str = "") -> str:
    """A vendor's sentence on one line, at most `MAX_COMPLAINT_CHARS`, without anything that is,
    is part of, or looks like a key."""
    text = text[: 8 * MAX_COMPLAINT_CHARS]
    text = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(text.split())  # before the search: blanks may join what was apart
    text = _LIKE_A_KEY.sub(_REDACTED, _without(secret.strip(), text))
    if len(text) > MAX_COMPLAINT_CHARS:
        text = text[: MAX_COMPLAINT_CHARS - 1] + "…"
    return text


def _without(secret: str, text: str) -> str:
    """`text` without the secret, its longer fragments, and its last four characters alone."""
    if len(secret) < 2 * _FRAGMENT_CHARS:
        return text.replace(secret, _REDACTED) if secret else text
    start = 0
    while start + _FRAGMENT_CHARS <= len(secret):
        end = start + _FRAGMENT_CHARS
        if secret[start:end] not in text:
            start += 1
            continue
        while end < len(secret) and secret[start : end + 1] in text:
            end += 1
        text = text.replace(secret[start:end], _REDACTED)
    tail = re.escape(secret[-4:])
    return re.sub(rf"(?<![A-Za-z0-9]){tail}(?![A-Za-z0-9])", _REDACTED, text)


def _guess(code: object, words: str) -> int:
    if isinstance(code, (int, str)) and re.fullmatch(r"[45]\d\d", str(code)):
        return int(code)
    return next((status for word, status in _GUESSES if word in words), 500)
