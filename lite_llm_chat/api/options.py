"""How to answer, as it is asked for: by one request, for a session, in a preset.

OptionsIn ─┬─▶ AnswerIn       this turn; what nobody knows is a warning
           └─▶ KeptOptionsIn  a session, a preset; what nobody knows is an error
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from ..asking.manners import Manners
from ..domain import Options, PresetRef, PresetVersion
from ..store import presets
from .deps import LARGEST_ID, Parts
from .fields import Effort, Float, Penalty, Str, Whole

Limit = Annotated[StrictInt, Field(ge=1, le=10_000_000), Whole]
RowId = Annotated[StrictInt, Field(ge=1, le=LARGEST_ID), Whole]


class Thinking(BaseModel):
    """DeepSeek's own way to switch thinking."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["enabled", "disabled", "auto"]


class OptionsIn(BaseModel):
    """Options that a request, a session or a preset may have."""

    temperature: Annotated[Float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[StrictInt, Field(ge=0, le=1_000_000), Whole] | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stop: Str | Annotated[list[Str], Field(max_length=16)] | None = None
    seed: Annotated[StrictInt, Field(ge=-(2**63), le=LARGEST_ID), Whole] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    thinking: StrictBool | Thinking | None = None
    enable_thinking: StrictBool | None = None
    reasoning_effort: Effort | None = None

    def options(self) -> Options:
        """The options that were given."""
        stop = (self.stop,) if isinstance(self.stop, str) else self.stop
        return Options(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens or self.max_completion_tokens,
            stop=None if stop is None else tuple(stop),
            seed=self.seed,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            thinking=self._thinking(),
            effort=self.reasoning_effort,
        )

    def _thinking(self) -> bool | None:
        match self.thinking:
            case Thinking(type="auto") | None:
                return self.enable_thinking
            case Thinking(type=kind):
                return kind == "enabled"
            case bool(value):
                return value


class KeptOptionsIn(OptionsIn):
    """Options that are kept: one that nobody knows would be wrong every time."""

    model_config = ConfigDict(extra="forbid")


class PresetRefIn(BaseModel):
    """A preset, of one version or of its newest."""

    model_config = ConfigDict(extra="forbid")

    id: RowId
    version: RowId | None = None


class PresetField(BaseModel):
    """Which preset a session begins with, or moves to."""

    preset: RowId | PresetRefIn | None = Field(
        None, description="Its id, or id and version: what it says is copied into the session"
    )

    def preset_wanted(self) -> PresetRef | None:
        match self.preset:
            case PresetRefIn(id=id_, version=version):
                return PresetRef(id_, version)
            case int(id_):
                return PresetRef(id_)
            case None:
                return None


class MannersIn(PresetField):
    """What a session says of its answers; null clears a field."""

    system_prompt: Str | None = Field(None, description="Put before the messages of every answer")
    options: KeptOptionsIn | None = Field(None, description="Of every answer; replaced as a whole")

    def manners(self) -> Manners:
        """What was said, and nothing else."""
        return Manners(
            frozenset(self.model_fields_set & {"system_prompt", "options", "preset"}),
            self.system_prompt or None,
            None if self.options is None else self.options.options(),
        )


async def preset_of(parts: Parts, wanted: PresetField) -> PresetVersion | None:
    """What the preset says that a request names, if it names one. Raises NotFound
    `preset_not_found`."""
    ref = wanted.preset_wanted()
    if ref is None:
        return None
    return await parts.lasting.read(lambda conn: presets.find(conn, ref))
