"""Uploaded files: kept under the digest of their bytes, served back as attachments.

A file's name is only ever shown, never used as a path; the stored name is the SHA-256 of the
bytes, so the same file is kept once.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path as FilePath
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Depends, Path, Request, UploadFile
from fastapi.responses import FileResponse

from ..errors import NotFound, TooLarge, WrongMediaType
from ..store import files
from .deps import PartsDep
from .errors import responses
from .replies import FileOut

router = APIRouter(tags=["files"])

FileId = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
CHUNK_BYTES = 256 * 1024


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
    at = parts.now()
    digest, size = await asyncio.to_thread(
        _store, file.file, parts.upload_dir, parts.max_upload_bytes
    )
    name = _shown_name(file.filename or "")
    media_type = (file.content_type or "application/octet-stream")[:255]
    record = files.StoredFile(digest, name, media_type, size, at)
    kept = await parts.database.write(lambda conn: files.keep(conn, record))
    return FileOut(
        id=kept.id,
        url=f"{parts.api_prefix}/files/{kept.id}",
        name=kept.name,
        media_type=kept.media_type,
        size_bytes=kept.size_bytes,
    )


@router.get("/files/{file_id}", response_class=FileResponse, responses=responses(404, 422, 503))
async def download(parts: PartsDep, file_id: FileId) -> FileResponse:
    """The bytes of an uploaded file, as an attachment that no browser runs."""
    record = await parts.database.read(lambda conn: files.get(conn, file_id))
    path = parts.upload_dir / record.id
    if not path.is_file():
        raise NotFound("the file's bytes are gone from the upload folder", code="file_not_found")
    headers = {
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
    }
    return FileResponse(path, media_type=record.media_type, filename=record.name, headers=headers)


def _shown_name(given: str) -> str:
    """The last part of a path, whichever way its slashes lean, without control characters."""
    last = given.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(char for char in last if char.isprintable())[:255].strip()
    return name if name.strip(".") else "file"


def _store(source: BinaryIO, folder: FilePath, limit: int) -> tuple[str, int]:
    """Copy to disk aside, sync, then name by digest; the digest and the size in bytes."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    handle, aside = tempfile.mkstemp(dir=folder, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as target:
            while chunk := source.read(CHUNK_BYTES):
                size += len(chunk)
                if size > limit:
                    raise TooLarge(
                        f"the file is over {limit} bytes: send a smaller one, or raise"
                        " MAX_UPLOAD_BYTES",
                        code="file_too_large",
                    )
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        FilePath(aside).replace(folder / digest.hexdigest())
    except BaseException:
        FilePath(aside).unlink(missing_ok=True)
        raise
    return digest.hexdigest(), size
