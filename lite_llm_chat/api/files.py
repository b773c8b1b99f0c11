"""Uploaded files: kept under the digest of their bytes, served back as attachments.

    POST /upload ─▶ uploads.keep ─▶ FileOut      GET /files/{id} ─▶ the bytes, that no browser runs
                                                 GET /files · DELETE /files/{id}

A file's name is only ever shown, never used as a path, and what it is its bytes say.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, UploadFile
from fastapi.responses import FileResponse

from ..errors import WrongMediaType
from ..store import files
from .deps import PartsDep
from .errors import responses
from .fields import FILE_ID
from .messages import AttachmentOut, file_url
from .replies import Moment

router = APIRouter(tags=["files"])

FileId = Annotated[str, Path(pattern=FILE_ID)]


class FileOut(AttachmentOut):
    """An uploaded file. `kind` is what its bytes are: an image, text, a PDF, or something else,
    which no model is shown. `note` is what has to be said of that."""

    kind: str
    note: str | None
    created_at: Moment

    @classmethod
    def of(cls, file: files.StoredFile, prefix: str) -> FileOut:
        return cls(
            id=file.id,
            url=file_url(prefix, file.id),
            name=file.name,
            media_type=file.media_type,
            size_bytes=file.size_bytes,
            kind=file.kind,
            note=file.note,
            created_at=file.created_at,
        )


async def multipart_only(request: Request) -> None:
    """Raises WrongMediaType unless the body is a multipart form."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise WrongMediaType(
            "the file must come as multipart/form-data in a field named `file`",
            code="unsupported_media_type",
        )


@router.post(
    "/upload",
    dependencies=[Depends(multipart_only)],
    responses=responses(413, 415, 422, 503),
)
async def upload(parts: PartsDep, file: UploadFile) -> FileOut:
    """Keep a file, at most MAX_UPLOAD_BYTES long."""
    kept = await parts.uploads.keep(file.file, file.filename or "")
    return FileOut.of(kept, parts.api_prefix)


@router.get("/files", responses=responses(404, 422, 503))
async def list_files(
    parts: PartsDep,
    after: Annotated[
        str | None, Query(pattern=FILE_ID, description="The last id of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[FileOut]:
    """The uploaded files, newest first."""
    page = await parts.database.read(lambda conn: files.page(conn, after, limit))
    return [FileOut.of(file, parts.api_prefix) for file in page]


@router.get("/files/{file_id}", response_class=FileResponse, responses=responses(404, 422, 503))
async def download(parts: PartsDep, file_id: FileId) -> FileResponse:
    """The bytes of an uploaded file, as an attachment that no browser runs."""
    row, path = await parts.uploads.find(file_id)
    headers = {
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
    }
    return FileResponse(path, media_type=row.media_type, filename=row.name, headers=headers)


@router.delete("/files/{file_id}", status_code=204, responses=responses(404, 409, 422, 503))
async def delete_file(parts: PartsDep, file_id: FileId) -> None:
    """Delete a file that no message refers to."""
    await parts.uploads.forget(file_id)
