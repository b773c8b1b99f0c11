"""Backups beside the running server.

POST /backups ─▶ made within two seconds: 201, the backup
                 else: 202, how far it is ─▶ GET /backups says more
GET /backups/{name} ─▶ a tar: the database, and the files that it refers to
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from ..backups import Running, Trouble
from ..errors import Unavailable
from ..store.backup_folder import Backup
from .deps import PartsDep
from .errors import responses
from .replies import Moment

PATIENCE_S = 2.0
MEDIA_TYPE = "application/x-tar"

router = APIRouter(tags=["backups"])

Name = Annotated[str, Path(min_length=1, max_length=255)]


class BackupOut(BaseModel):
    """A backup. `kind` is manual, scheduled or migration. `verified`: it was checked when it was
    made, and its size is still what it says of itself. `revision` is the version of the database,
    null if it cannot be read. `files` are the uploaded files that it refers to, `missing_files`
    those of them that it cannot give back."""

    name: str
    kind: str
    created_at: Moment
    size_bytes: int
    revision: str | None
    verified: bool
    files: int
    missing_files: int

    @classmethod
    def of(cls, backup: Backup) -> BackupOut:
        return cls(
            name=backup.name,
            kind=backup.kind,
            created_at=backup.created_at,
            size_bytes=backup.size_bytes,
            revision=backup.revision,
            verified=backup.verified,
            files=backup.files,
            missing_files=backup.missing,
        )


class BackupRunningOut(BaseModel):
    """A backup that is being made; `size_bytes` is the size of its copy so far."""

    kind: str
    started_at: Moment
    size_bytes: int

    @classmethod
    def of(cls, running: Running) -> BackupRunningOut:
        return cls(kind=running.kind, started_at=running.started_at, size_bytes=running.size_bytes)


class BackupErrorOut(BaseModel):
    """Why the last backup failed, and when."""

    kind: str
    at: Moment
    detail: str

    @classmethod
    def of(cls, trouble: Trouble) -> BackupErrorOut:
        return cls(kind=trouble.kind, at=trouble.at, detail=trouble.detail)


class BackupsOut(BaseModel):
    """All backups, the newest first; the one that is being made; and, until one is made, why the
    last one since the start of the server was not."""

    backups: list[BackupOut]
    running: BackupRunningOut | None
    last_error: BackupErrorOut | None


@router.get("/backups", responses=responses(503))
async def list_backups(parts: PartsDep) -> BackupsOut:
    """The backups that there are."""
    found = [BackupOut.of(one) for one in await parts.backups.all()]
    running, trouble = parts.backups.running, parts.backups.trouble
    return BackupsOut(
        backups=found,
        running=BackupRunningOut.of(running) if running else None,
        last_error=BackupErrorOut.of(trouble) if trouble else None,
    )


@router.post(
    "/backups",
    status_code=201,
    response_model=BackupOut,
    responses={
        202: {"model": BackupRunningOut, "description": "It takes longer: GET /backups says more"},
        **responses(409, 503),
    },
)
async def make_backup(parts: PartsDep) -> JSONResponse:
    """Make a backup of the database and the uploaded files now, while the server goes on."""
    making = parts.backups.start("manual")
    running = parts.backups.running
    await asyncio.wait({making}, timeout=PATIENCE_S)
    if not making.done():
        assert running is not None  # it was begun just now
        return JSONResponse(BackupRunningOut.of(running).model_dump(mode="json"), 202)
    match making.result():
        case Trouble(detail=detail):
            raise Unavailable(detail, code="backup_failed")
        case made:
            return JSONResponse(BackupOut.of(made).model_dump(mode="json"), 201)


@router.get(
    "/backups/{name}",
    response_class=StreamingResponse,
    responses={
        200: {"content": {MEDIA_TYPE: {}}, "description": "A tar of the backup and its files"},
        **responses(404, 409, 422, 503),
    },
)
async def download_backup(parts: PartsDep, name: Name) -> StreamingResponse:
    """A backup and the files that it refers to, as one tar that `restore` takes as it is."""
    tar = await parts.backups.packed(name)
    headers = {
        "content-length": str(tar.size_bytes),
        "content-disposition": f'attachment; filename="{_shown(name)}.tar"',
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(tar.parts(), media_type=MEDIA_TYPE, headers=headers)


@router.delete("/backups/{name}", status_code=204, responses=responses(404, 422, 503))
async def delete_backup(parts: PartsDep, name: Name) -> None:
    """Delete a backup, and the files that only it refers to."""
    await parts.backups.forget(name)


def _shown(name: str) -> str:
    """What of a name may stand in a header."""
    plain = name.removesuffix(".db")
    return "".join(char if char.isascii() and char not in '"\\\r\n' else "_" for char in plain)
