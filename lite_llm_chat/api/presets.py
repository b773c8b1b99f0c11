"""Presets: a named model, system prompt and options, in versions.

POST /presets ─▶ version 1     PATCH ─▶ version 2, 3 …     sessions hold copies of one of them
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from ..domain import Options, Preset, PresetVersion
from ..store import presets
from ..store.database import Connection
from .deps import LARGEST_ID, Parts, PartsDep, json_only
from .errors import responses
from .fields import Name, Str, Title
from .options import KeptOptionsIn
from .replies import Fields, Moment, options_fields

router = APIRouter(tags=["presets"], dependencies=[Depends(json_only)])

PresetId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Most = Annotated[int, Query(ge=1, le=1000)]


class PresetPatch(BaseModel):
    """What to change of a preset. A name of null means: leave it; null clears the rest."""

    name: Title | None = None
    provider: Name | None = Field(None, description="Who answers; null: left open")
    model: Name | None = Field(None, description="Which model; null: left open")
    system_prompt: Str | None = None
    options: KeptOptionsIn | None = Field(None, description="Replaced as a whole")


class PresetIn(PresetPatch):
    """A new preset."""

    name: Title


class VersionOut(BaseModel):
    """What a preset says in one version."""

    version: int
    provider: str | None
    model: str | None
    system_prompt: str | None
    options: Fields
    created_at: Moment

    @classmethod
    def of(cls, says: PresetVersion) -> VersionOut:
        return cls(**_says(says), created_at=says.created_at)


class PresetOut(BaseModel):
    """A preset in its newest version."""

    id: int
    name: str
    version: int
    provider: str | None
    model: str | None
    system_prompt: str | None
    options: Fields
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, preset: Preset) -> PresetOut:
        when: Fields = {"created_at": preset.created_at, "updated_at": preset.updated_at}
        return cls(id=preset.id, name=preset.name, **_says(preset.newest), **when)


def _says(says: PresetVersion) -> Fields:
    return {
        "version": says.version,
        "provider": says.provider,
        "model": says.model,
        "system_prompt": says.system_prompt,
        "options": options_fields(says.options),
    }


@router.get("/presets", responses=responses(422, 503))
async def list_presets(
    parts: PartsDep,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID, description="The last id seen")] = 0,
    limit: Most = 100,
) -> list[PresetOut]:
    """All presets, oldest first."""
    page = await parts.database.read(lambda conn: presets.page(conn, after, limit))
    return [PresetOut.of(preset) for preset in page]


@router.get("/presets/{preset_id}", responses=responses(404, 422, 503))
async def get_preset(parts: PartsDep, preset_id: PresetId) -> PresetOut:
    """A preset in its newest version."""
    return PresetOut.of(await parts.database.read(lambda conn: presets.get(conn, preset_id)))


@router.get("/presets/{preset_id}/versions", responses=responses(404, 422, 503))
async def list_versions(
    parts: PartsDep,
    preset_id: PresetId,
    before: Annotated[
        int, Query(ge=1, le=LARGEST_ID, description="The last version seen")
    ] = LARGEST_ID,
    limit: Most = 100,
) -> list[VersionOut]:
    """Everything that a preset has ever said, newest first."""
    found = await parts.database.read(lambda conn: presets.versions(conn, preset_id, before, limit))
    return [VersionOut.of(says) for says in found]


@router.post("/presets", status_code=201, responses=responses(409, 413, 415, 422, 503))
async def create_preset(parts: PartsDep, wanted: PresetIn) -> PresetOut:
    """A new preset, in version 1."""
    nothing = PresetVersion(0, 0, None, None, None, Options(), parts.now())
    says = _changed(parts, nothing, wanted)
    return PresetOut.of(
        await parts.database.write(lambda conn: presets.create(conn, wanted.name, says))
    )


@router.patch("/presets/{preset_id}", responses=responses(404, 409, 413, 415, 422, 503))
async def update_preset(parts: PartsDep, preset_id: PresetId, wanted: PresetPatch) -> PresetOut:
    """Change a preset: a new version, unless only its name is new. Sessions that were set up from
    it stay as they are."""
    at = parts.now()

    def work(conn: Connection) -> Preset:
        newest = presets.get(conn, preset_id).newest
        says = _changed(parts, msgspec.structs.replace(newest, created_at=at), wanted)
        return presets.change(conn, preset_id, wanted.name, says)

    return PresetOut.of(await parts.database.write(work))


@router.delete("/presets/{preset_id}", status_code=204, responses=responses(404, 422, 503))
async def delete_preset(parts: PartsDep, preset_id: PresetId) -> None:
    """Delete a preset with its versions. Sessions keep what they copied of it."""
    await parts.database.write(lambda conn: presets.remove(conn, preset_id))


def _changed(parts: Parts, says: PresetVersion, wanted: PresetPatch) -> PresetVersion:
    """What a preset says once a request's fields are put into it. Raises Invalid if nobody serves
    the model that it names then."""
    said = wanted.model_fields_set - {"name"}
    values = {name: getattr(wanted, name) or None for name in said}
    if "options" in said:
        values["options"] = Options() if wanted.options is None else wanted.options.options()
    if "provider" in said and "model" not in said and wanted.provider != says.provider:
        values["model"] = None  # that of another provider
    says = msgspec.structs.replace(says, **values)
    if says.provider is None and says.model is None:
        return says
    if said.isdisjoint({"provider", "model"}):
        return says
    choice = parts.chat.choose(says.provider, says.model)
    return msgspec.structs.replace(says, provider=choice.provider, model=choice.model)
