"""The messages of a request: one shape for each role, parsed strictly and once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self, assert_never

from pydantic import BaseModel, ConfigDict, Field, StrictStr, StringConstraints, model_validator

from ..domain import Said, ToolCall
from .fields import FILE_ID, Name, Str

MOST_FILES = 20  # of a message

FileId = Annotated[StrictStr, StringConstraints(min_length=64, max_length=64, pattern=FILE_ID)]


class TextPart(BaseModel):
    """A part of a message's content: text."""

    type: Literal["text"]
    text: Str


class ImageUrl(BaseModel):
    """Where an image is."""

    url: Str = Field(description="A data URL, or the `url` of an uploaded file")
    detail: Literal["auto", "low", "high"] | None = Field(None, description="Taken, not used")


class ImagePart(BaseModel):
    """A part of a user's content: an image."""

    type: Literal["image_url"]
    image_url: ImageUrl


class FileNamed(BaseModel):
    """Which file."""

    file_id: FileId


class FilePart(BaseModel):
    """A part of a user's content: an uploaded file."""

    type: Literal["file"]
    file: FileNamed


UserPart = Annotated[TextPart | ImagePart | FilePart, Field(discriminator="type")]


def _joined(content: str | Sequence[TextPart | ImagePart | FilePart]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content if isinstance(part, TextPart))


Content = Str | list[TextPart]


class _Said(BaseModel):
    model_config = ConfigDict(extra="allow")


class WordsIn(_Said):
    """A person's words and the files beside them."""

    content: Str | list[UserPart]
    images: list[Str] | None = Field(
        None, description="URLs of images, each as in an `image_url` part"
    )
    files: list[FileId] | None = Field(None, description="Ids of uploaded files")

    def said(self) -> Said:
        """With whatever names its files: ids and URLs."""
        return Said("user", _joined(self.content), files=self._names())

    @property
    def names_files(self) -> bool:
        """Whether it says which files there are, be it none."""
        return bool(self._names()) or self.files is not None or self.images is not None

    def _names(self) -> tuple[str, ...]:
        """What names its files, in their order."""
        names: list[str] = []
        for part in () if isinstance(self.content, str) else self.content:
            match part:
                case ImagePart():
                    names.append(part.image_url.url)
                case FilePart():
                    names.append(part.file.file_id)
                case TextPart():
                    pass
                case _:
                    assert_never(part)
        return (*names, *(self.images or ()), *(self.files or ()))


class UserIn(WordsIn):
    """What a person says."""

    role: Literal["user"]

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not _joined(self.content).strip() and not self._names():
            raise ValueError("it is empty: there is nothing to answer")
        return self


class SystemIn(_Said):
    """What the model is told."""

    role: Literal["system"]
    content: Content

    def said(self) -> Said:
        return Said("system", _joined(self.content))


class CallFunction(BaseModel):
    """What is called, with its arguments as JSON text."""

    name: Name
    arguments: Str


class CallIn(BaseModel):
    """A call of an earlier answer, as it came."""

    id: Name
    type: Literal["function"] = "function"
    function: CallFunction


class AssistantIn(_Said):
    """What an earlier answer said, to be found among the stored ones."""

    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: Annotated[list[CallIn], Field(max_length=128)] | None = None

    def said(self) -> Said:
        calls = tuple(
            ToolCall(one.id, one.function.name, one.function.arguments)
            for one in self.tool_calls or ()
        )
        return Said("assistant", _joined(self.content or ""), calls)


class ToolResultIn(_Said):
    """What a tool of the caller's gave for a call of the last answer."""

    role: Literal["tool"]
    content: Content
    tool_call_id: Name = Field(description="The call's id")

    def said(self) -> Said:
        return Said("tool", _joined(self.content), call_id=self.tool_call_id)


SaidIn = Annotated[UserIn | AssistantIn | SystemIn | ToolResultIn, Field(discriminator="role")]
