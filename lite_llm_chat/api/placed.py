"""The shapes of where sessions are put: changes of one or of many, folders, tags.

A change names what it changes: a field that is not there is left as it is, and so is null, but for
those that may be empty, such as `folder_id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self, assert_never

from pydantic import BaseModel, Field, StrictBool, StrictInt, model_validator

from ..history.places import MOST_TAGS, Change
from ..store.folders import Folder
from .deps import LARGEST_ID
from .fields import Name, Tag, Title, Whole
from .options import MannersIn
from .replies import Moment

LONGEST_DAYS = 36_500

Id = Annotated[StrictInt, Field(ge=1, le=LARGEST_ID), Whole]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS)]
Days = Annotated[StrictInt, Field(ge=0, le=LONGEST_DAYS), Whole]

Action = Literal[
    "archive",
    "unarchive",
    "pin",
    "unpin",
    "read",
    "unread",
    "trash",
    "restore",
    "delete",
    "move",
    "tag",
    "untag",
]


class SessionPatch(MannersIn):
    """What to change of a session; null means: leave it, or clear what it says of its answers.
    `folder_id` null: into no folder."""

    title: Title | None = None
    provider: Name | None = None
    model: Name | None = None
    pinned: StrictBool | None = None
    archived: StrictBool | None = None
    unread: StrictBool | None = None
    folder_id: Id | None = None
    tags: Tags | None = Field(None, description="The whole list")

    def placing(self, at: datetime) -> dict[str, Any]:
        """Where it is put: columns, and `tags`."""
        values: dict[str, Any] = {}
        for name in ("pinned", "unread"):
            if (value := getattr(self, name)) is not None:
                values[name] = value
        if self.archived is not None:
            values["archived_at"] = at if self.archived else None
        if "folder_id" in self.model_fields_set:
            values["folder_id"] = self.folder_id
        if self.tags is not None:
            values["tags"] = self.tags
        return values


class BulkIn(BaseModel):
    """One action on many sessions. `folder_id` is for `move` (null: into no folder), `tags` are
    for `tag` and `untag`."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    action: Action
    folder_id: Id | None = None
    tags: Annotated[list[Tag], Field(min_length=1, max_length=MOST_TAGS)] | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.action == "move" and "folder_id" not in self.model_fields_set:
            raise ValueError("move needs folder_id: the id of a folder, or null for none")
        if self.action in ("tag", "untag") and not self.tags:
            raise ValueError(f"{self.action} needs tags")
        return self

    def sessions(self) -> list[int]:
        """The ids, each once."""
        return list(dict.fromkeys(self.ids))

    def change(self, at: datetime) -> Change | None:
        """What is changed of each; None: they are deleted or restored."""
        match self.action:
            case "archive":
                return Change({"archived_at": at})
            case "unarchive":
                return Change({"archived_at": None})
            case "pin" | "unpin":
                return Change({"pinned": self.action == "pin"})
            case "read" | "unread":
                return Change({"unread": self.action == "unread"})
            case "move":
                return Change({"folder_id": self.folder_id})
            case "tag":
                return Change({}, more_tags=tuple(self.tags or ()))
            case "untag":
                return Change({}, less_tags=tuple(self.tags or ()))
            case "trash" | "restore" | "delete":
                return None
            case _:
                assert_never(self.action)


class BulkOut(BaseModel):
    """How many sessions are another now than before, and which are not there."""

    changed: int
    missing: list[int]


class FolderIn(BaseModel):
    """A new folder. `parent_id` is the folder that it lies in; `retention_days`: how long its
    sessions are kept unused, 0 for ever, null as around it."""

    name: Title
    parent_id: Id | None = None
    retention_days: Days | None = None


class FolderPatch(BaseModel):
    """What to change of a folder; what is not there is left. `parent_id` null: into no folder;
    `retention_days` null: as around it."""

    name: Title | None = None
    parent_id: Id | None = None
    retention_days: Days | None = None

    def values(self) -> Mapping[str, Any]:
        """The columns that were given."""
        given = self.model_dump(exclude_unset=True)
        return {name: new for name, new in given.items() if name != "name" or new is not None}


class FolderOut(BaseModel):
    """A folder; `session_count` counts those right in it, the trash left out."""

    id: int
    name: str
    parent_id: int | None
    retention_days: int | None
    created_at: Moment
    session_count: int

    @classmethod
    def of(cls, folder: Folder, session_count: int) -> FolderOut:
        return cls(
            id=folder.id,
            name=folder.name,
            parent_id=folder.parent_id,
            retention_days=folder.retention_days,
            created_at=folder.created_at,
            session_count=session_count,
        )


class TagIn(BaseModel):
    """Another name for a tag."""

    name: Tag


class TagOut(BaseModel):
    """A tag, and on how many sessions it is, the trash left out."""

    name: str
    session_count: int
