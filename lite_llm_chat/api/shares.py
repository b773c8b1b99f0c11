"""Links to snapshots, for their makers: make one, list them, take one back."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, model_validator

from ..errors import Invalid
from ..exporters import snapshots
from ..exporters.shown import What
from ..store import shares
from ..store.shares import NewShare, Share
from .deps import LARGEST_ID, PartsDep, SessionId, json_only
from .errors import responses
from .fields import Whole
from .replies import Moment

router = APIRouter(tags=["shares"], dependencies=[Depends(json_only)])

TOKEN_BYTES = 24  # 192 random bits
LONGEST_DAYS = 3650

ShareId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Skip = Annotated[int, Query(ge=0, le=LARGEST_ID)]
Limit = Annotated[int, Query(ge=1, le=1000)]


class ShareIn(BaseModel):
    """What a link shows, and for how long. Without an end it works until it is taken back, so a
    field that nobody knows, such as a misspelt end, is refused."""

    model_config = ConfigDict(extra="forbid")

    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=LONGEST_DAYS), Whole] | None = None
    expires_at: AwareDatetime | None = None
    with_files: StrictBool = False
    with_reasoning: StrictBool = False
    message_id: Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID), Whole] | None = Field(
        default=None, description="The last message of the branch; null: of the active one"
    )

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.expires_in_days is not None and self.expires_at is not None:
            raise ValueError("expires_in_days and expires_at: give one of them")
        return self

    def until(self, now: datetime) -> datetime | None:
        """When the link ends. Raises Invalid `invalid_expiry`."""
        if self.expires_in_days is not None:
            return now + timedelta(days=self.expires_in_days)
        if self.expires_at is not None and not (
            now < self.expires_at <= now + timedelta(days=LONGEST_DAYS)
        ):
            raise Invalid(
                f"expires_at must be a moment that is still to come, within {LONGEST_DAYS} days",
                code="invalid_expiry",
            )
        return self.expires_at


class ShareOut(BaseModel):
    """A link, without its token: that is shown once, when it is made."""

    id: int
    session_id: int
    title: str
    with_files: bool
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    open: bool

    @classmethod
    def of(cls, share: Share, now: datetime) -> Self:
        is_open = share.revoked_at is None and (share.expires_at is None or now < share.expires_at)
        return cls(**share._asdict(), open=is_open)


class NewShareOut(ShareOut):
    """A new link: `url` is its path on this server."""

    token: str = ""
    url: str = ""


@router.post(
    "/sessions/{session_id}/shares",
    status_code=201,
    responses=responses(404, 409, 413, 415, 422, 503),
)
async def share(parts: PartsDep, session_id: SessionId, wanted: ShareIn) -> NewShareOut:
    """Make a link to a branch of a session as it is now. Whoever has the link can read it."""
    if parts.writes_nothing:
        raise Invalid(
            "a link would keep what is said on disk, and nothing of a temporary chat is kept",
            code="temporary_not_shared",
        )
    now = parts.now()
    until, token = wanted.until(now), secrets.token_urlsafe(TOKEN_BYTES)
    what = What(reasoning=wanted.with_reasoning, files=wanted.with_files)
    snapshot = await parts.database.read(
        lambda conn: snapshots.taken(conn, session_id, wanted.message_id, what, now)
    )
    files = snapshots.files(snapshot) if wanted.with_files else None
    new = NewShare(session_id, token, snapshot.title, snapshots.to_text(snapshot), files, until)
    kept = await parts.database.write(lambda conn: shares.create(conn, new, now))
    shown = NewShareOut.of(kept, now)
    shown.token, shown.url = token, f"/s/{token}"
    return shown


@router.get("/sessions/{session_id}/shares", responses=responses(404, 422, 503))
async def list_session_shares(
    parts: PartsDep, session_id: SessionId, skip: Skip = 0, limit: Limit = 100
) -> list[ShareOut]:
    """The links to a session, newest first."""
    found = await parts.database.read(lambda conn: shares.of_session(conn, session_id, skip, limit))
    return _list(found, parts.now())


@router.get("/shares", responses=responses(422, 503))
async def list_shares(parts: PartsDep, skip: Skip = 0, limit: Limit = 100) -> list[ShareOut]:
    """All links, newest first."""
    found = await parts.database.read(lambda conn: shares.page(conn, skip, limit))
    return _list(found, parts.now())


def _list(found: Sequence[Share], now: datetime) -> list[ShareOut]:
    return [ShareOut.of(one, now) for one in found]


@router.delete("/shares/{share_id}", status_code=204, responses=responses(404, 422, 503))
async def revoke_share(parts: PartsDep, share_id: ShareId) -> None:
    """Take a link back: from now on it leads nowhere, and what it showed is forgotten."""
    now = parts.now()
    await parts.database.write(lambda conn: shares.revoke(conn, share_id, now))
