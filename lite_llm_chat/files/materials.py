"""Gives the pictures of a prompt their bytes, right before it is sent.

    Prompt (pictures by id) ─▶ upload folder ─▶ Prompt (pictures with data)

Until then a prompt holds no bytes: it may wait, be asked of somebody else, or not be sent at all.
"""

from __future__ import annotations

from dataclasses import replace

from ..domain import Picture, Prompt, Turn
from ..errors import NotFound, UpstreamError
from .uploads import Uploads


class Materials:
    """Fills prompts."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    async def filled(self, prompt: Prompt) -> Prompt:
        """The prompt with the bytes of its pictures. Raises UpstreamError `file_not_found`."""
        turns = [await self._turn(turn) if turn.pictures else turn for turn in prompt.turns]
        return replace(prompt, turns=tuple(turns))

    async def _turn(self, turn: Turn) -> Turn:
        pictures = [await self._picture(picture) for picture in turn.pictures]
        return replace(turn, pictures=tuple(pictures))

    async def _picture(self, picture: Picture) -> Picture:
        try:
            return replace(picture, data=await self._uploads.bytes_of(picture.id))
        except NotFound:
            raise UpstreamError(
                f"an image of this conversation, {picture.id[:12]}…, is gone from the upload"
                " folder: upload it again, or go on in a new session",
                code="file_not_found",
                status=404,
            ) from None
