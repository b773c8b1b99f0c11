"""Which sessions a list is of: the query of `GET /sessions`, parsed once."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ..errors import Invalid
from ..store.listing import Wanted
from .deps import LARGEST_ID
from .fields import tag_of

_KEY = re.compile(r"([0-9T:.\-]{19,26})Z,([0-9]{1,18})")


class ListIn(BaseModel):
    """The query. `before` is where the page before ended: its last session's `updated_at` (in the
    trash `deleted_at`), a comma, and its `id`."""

    skip: Annotated[int, Field(ge=0, le=LARGEST_ID)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: str | None = Field(
        None,
        max_length=64,
        description="The updated_at and the id of the last session of the page before, by a comma",
    )
    trashed: bool = Field(False, description="What is in the trash instead")
    archived: Literal["true", "false", "any"] | None = Field(
        None, description="Usually false, and any of the trash"
    )
    pinned: bool | None = None
    unread: bool | None = None
    folder_id: Annotated[int, Field(ge=1, le=LARGEST_ID)] | Literal["none"] | None = Field(
        None, description="Those in a folder, or in none"
    )
    tag: list[str] = Field([], max_length=32, description="Those with all of these tags")

    def wanted(self) -> Wanted:
        """What is asked for. Raises Invalid `invalid_cursor`."""
        usual = "any" if self.trashed else "false"
        archived = self.archived or usual
        return Wanted(
            self.trashed,
            None if archived == "any" else archived == "true",
            self.pinned,
            self.unread,
            0 if self.folder_id == "none" else self.folder_id,
            tuple(tag_of(one) for one in self.tag),
            None if self.before is None else _cursor(self.before),
            self.skip,
            self.limit,
        )


def _cursor(text: str) -> tuple[datetime, int]:
    found = _KEY.fullmatch(text)
    try:
        if found:
            return datetime.fromisoformat(f"{found[1]}+00:00"), int(found[2])
    except ValueError:
        pass
    raise Invalid(
        "before must be the updated_at and the id of a session, by a comma, such as"
        " 2026-11-03T12:00:00.000000Z,17",
        code="invalid_cursor",
    )
