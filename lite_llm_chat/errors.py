"""Every way a request or an answer can go wrong, as one small tree.

    LiteError ─┬─ NotFound            404
               ├─ Conflict            409   └─ RuleBroken: the rows refuse
               ├─ TooLarge            413
               ├─ WrongMediaType      415
               ├─ Invalid             422
               ├─ Unavailable         503   └─ StorageUnavailable: the disk refuses
               ├─ StartupError        the process cannot start; its text goes to the terminal
               └─ UpstreamError       502 / 503 / 504, the only one that may be retried
                                      └─ Crowded: too many at the same time, all else is well

Each error carries a sentence for a person (`detail`: the thing and the mend) and a stable
snake_case `code` for a program. Neither ever holds a key, a path or a stack trace.
"""

from __future__ import annotations


class LiteError(Exception):
    """The root: `detail` is a sentence, `code` is stable, `status` is the HTTP status."""

    status = 500

    def __init__(self, detail: str, *, code: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.extra = extra  # more JSON fields of the error's body, such as generation_id


class NotFound(LiteError):
    """The thing named by an id does not exist for this caller."""

    status = 404


class Conflict(LiteError):
    """The request is well formed, but the present state forbids it."""

    status = 409


class TooLarge(LiteError):
    """A body or file is over its limit."""

    status = 413


class WrongMediaType(LiteError):
    """The body is not of a type that this route reads."""

    status = 415


class Invalid(LiteError):
    """A value is wrong in a way that the shape alone does not show."""

    status = 422


class Unavailable(LiteError):
    """The server cannot do this now: the disk refuses, it drains, it is busy, or a provider is not
    set up. `retry_after_s` is when to ask again, if that is known."""

    status = 503

    def __init__(
        self, detail: str, *, code: str, retry_after_s: int | None = None, **extra: object
    ) -> None:
        super().__init__(detail, code=code, **extra)
        self.retry_after_s = retry_after_s


class StorageUnavailable(Unavailable):
    """The database refused to read or to write (disk full, I/O error, locked for too long)."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="storage_unavailable")


class IndexDamaged(StorageUnavailable):
    """The index of words cannot be read. It holds nothing that the messages do not: it can be made
    anew."""

    def __init__(self) -> None:
        super().__init__("the index of words is damaged: search again once it has been made anew")


class RuleBroken(Conflict):
    """The rows refused a write that would break one of their rules (a taken number, a second live
    generation, a missing parent)."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="rule_broken")


class StartupError(LiteError):
    """The process cannot start; `detail` tells the operator what to change."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="startup_failed")


class UpstreamError(LiteError):
    """A provider failed. `retryable` says whether the same request may be sent again as long as
    nothing of the answer has been kept; `retry_after_s` is the vendor's own wish, if it has one."""

    status = 502

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        status: int = 502,
        retryable: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class Crowded(UpstreamError):
    """The vendor is well: it only takes no more requests of this key at the same time."""
