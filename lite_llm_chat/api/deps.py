"""What every route may reach: the parts that the assembler built, and a few checks of the request.

Parsing happens here once; inside, values are true. Every dependency is `async`, though none waits:
the framework would send a plain function to a thread and back, for each request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Path, Request
from pydantic import BaseModel

from ..answering.approvals import Approvals
from ..chat import Chat
from ..domain import is_temporary
from ..errors import Invalid, WrongMediaType
from ..files.uploads import Uploads
from ..history.titles import Titles
from ..history.trash import Trash
from ..model_lists import ModelLists
from ..prices import Prices
from ..store.database import Database
from ..store.idempotency import Once
from ..temporary import Temporary

LARGEST_ID = 2**63 - 1  # SQLite's largest integer


@dataclass(frozen=True, slots=True)
class Parts:
    """The running server, as the edge sees it."""

    chat: Chat
    titles: Titles
    trash: Trash
    approvals: Approvals
    model_lists: ModelLists
    database: Database
    prices: Prices
    app_name: str
    app_version: str
    api_prefix: str
    keep_alive_s: float
    uploads: Uploads
    max_body_bytes: int
    now: Callable[[], datetime]
    temporary: Temporary
    lasting: Database  # `database`, or beside temporary chats the one that is a file

    async def of(self, *ids: int | str | None) -> Parts:
        """The parts that know of these ids: one id of a temporary chat, and it is the second
        heart's."""
        if any(one is not None and is_temporary(one) for one in ids):
            return await self.beside()
        return self

    async def beside(self) -> Parts:
        """The parts that answer in temporary chats."""
        heart = await self.temporary.heart()
        return replace(
            self,
            chat=heart.chat,
            trash=heart.trash,
            approvals=heart.approvals,
            database=heart.database,
        )

    @property
    def writes_nothing(self) -> bool:
        """Whether these are the parts of temporary chats."""
        return self.database is not self.lasting


async def _parts(request: Request) -> Parts:
    """What answers a request, by the ids in its path."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    path = request.path_params
    numbers = [path[name] for name in ("session_id", "message_id") if name in path]
    ids = (int(one) for one in numbers if one.isascii() and one.isdigit() and len(one) < 20)
    return await parts.of(path.get("generation_id"), *ids)


async def json_only(request: Request) -> None:
    """A body must say that it is JSON, so that no web page can post one by a plain form."""
    if request.method not in ("POST", "PATCH", "PUT"):
        return
    if request.headers.get("content-length", "0") == "0" and (
        "transfer-encoding" not in request.headers
    ):
        return
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise WrongMediaType(
            "the body must be JSON: send it with the header Content-Type: application/json",
            code="unsupported_media_type",
        )


async def idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Any 1 to 255 printable ASCII characters: the request counts once",
            json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[ -~]*$"},
        ),
    ] = None,
) -> str | None:
    """The caller's key. Raises Invalid `invalid_idempotency_key`."""
    key = idempotency_key
    if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise Invalid(
            "an Idempotency-Key is 1 to 255 printable ASCII characters",
            code="invalid_idempotency_key",
        )
    return key


def once(route: str, key: str | None, asked: BaseModel) -> Once | None:
    """The idempotency record of a request, or None if it has no key."""
    if key is None:
        return None
    body = asked.model_dump(mode="json")
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return Once(route, key, hashlib.sha256(canonical.encode()).hexdigest())


PartsDep = Annotated[Parts, Depends(_parts)]
KeyDep = Annotated[str | None, Depends(idempotency_key)]
SessionId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
MessageId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
GenerationId = Annotated[str, Path(min_length=1, max_length=64)]
