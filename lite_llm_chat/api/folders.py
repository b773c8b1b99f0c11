"""Folders and tags: list, make, change, remove."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.convertors import StringConvertor, register_url_convertor

from ..history import places
from ..store import folders, tags
from ..store.database import Connection
from .deps import LARGEST_ID, PartsDep, json_only
from .errors import responses
from .fields import TagName, tag_of
from .placed import FolderIn, FolderOut, FolderPatch, TagIn, TagOut

router = APIRouter(tags=["folders"], dependencies=[Depends(json_only)])

FolderId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class _Tag(StringConvertor):
    """All the rest of a path, slashes and line ends too: `/tags/a%0A` is not the tag a."""

    regex = "(?s:.*)"


register_url_convertor("tag", _Tag())


@router.get("/folders", responses=responses(503))
async def list_folders(parts: PartsDep) -> list[FolderOut]:
    """All folders, by name."""

    def work(conn: Connection) -> list[FolderOut]:
        counts = folders.counts(conn)
        everyone = folders.all_of(conn).values()
        return [FolderOut.of(one, counts.get(one.id, 0)) for one in everyone]

    return await parts.database.read(work)


@router.post("/folders", status_code=201, responses=responses(404, 409, 413, 415, 422, 503))
async def create_folder(parts: PartsDep, wanted: FolderIn) -> FolderOut:
    """A new folder, empty."""
    values: dict[str, Any] = wanted.model_dump()
    at = parts.now()
    made = await parts.database.write(lambda conn: places.make_folder(conn, values, at))
    return FolderOut.of(made, 0)


@router.patch("/folders/{folder_id}", responses=responses(404, 409, 413, 415, 422, 503))
async def update_folder(parts: PartsDep, folder_id: FolderId, wanted: FolderPatch) -> FolderOut:
    """Rename a folder, put it into another one, or keep its sessions longer."""

    def work(conn: Connection) -> FolderOut:
        folder = places.change_folder(conn, folder_id, wanted.values())
        return FolderOut.of(folder, folders.counts(conn).get(folder_id, 0))

    return await parts.database.write(work)


@router.delete("/folders/{folder_id}", status_code=204, responses=responses(404, 422, 503))
async def delete_folder(
    parts: PartsDep,
    folder_id: FolderId,
    with_sessions: Annotated[bool, Query(description="Its sessions go into the trash")] = False,
) -> None:
    """Delete a folder and those in it. Their sessions stay, in no folder."""
    await parts.trash.delete_folder(folder_id, with_sessions=with_sessions)


@router.get("/tags", responses=responses(503))
async def list_tags(parts: PartsDep) -> list[TagOut]:
    """All tags, by name."""
    found = await parts.database.read(tags.counts)
    return [TagOut(name=name, session_count=count) for name, count in found]


@router.patch("/tags/{tag:tag}", status_code=204, responses=responses(404, 413, 415, 422, 503))
async def rename_tag(parts: PartsDep, tag: TagName, wanted: TagIn) -> None:
    """Rename a tag on every session; where the other one is already, they become one."""
    await places.retag(parts.database, tag_of(tag), wanted.name)


@router.delete("/tags/{tag:tag}", status_code=204, responses=responses(404, 422, 503))
async def delete_tag(parts: PartsDep, tag: TagName) -> None:
    """Take a tag off every session."""
    await places.retag(parts.database, tag_of(tag), None)
