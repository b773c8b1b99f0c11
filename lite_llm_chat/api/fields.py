"""The kinds of values that requests are made of."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from fastapi import Path
from pydantic import AfterValidator, BeforeValidator, Field, StrictStr, StringConstraints

LONGEST_TAG = 64
LONGEST_TITLE = 255
_SEEN = r"[^\u0000-\u001f\u007f-\u009f]"
_IN_A_TAG = rf"^{_SEEN}*[^\s\u0000-\u001f\u007f-\u009f]{_SEEN}*$"


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which is not text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is not text") from None
    return text


def tag_of(text: str) -> str:
    """A tag as it is stored, of what was typed: trimmed, and in one form of Unicode."""
    return unicodedata.normalize("NFC", text.strip())


def _tag(text: str) -> str:
    text = tag_of(text)
    if any(unicodedata.category(one) == "Cc" for one in text):
        raise ValueError("a tag has no control characters")
    if not 1 <= len(text) <= LONGEST_TAG:
        raise ValueError(f"a tag has 1 to {LONGEST_TAG} characters")
    return text


def _short(value: object) -> object:
    """As it is sent: blanks around it count, or one could be longer than the description says."""
    if isinstance(value, str) and len(value) > LONGEST_TITLE:
        raise ValueError(f"it has at most {LONGEST_TITLE} characters, blanks around it too")
    return value


def _whole(value: object) -> object:
    """In JSON 5.0 is the integer 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Str = Annotated[
    StrictStr, AfterValidator(_text), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
Whole = BeforeValidator(_whole)
Name = Annotated[Str, Field(min_length=1, max_length=255)]
ModelPath = Annotated[
    StrictStr,
    StringConstraints(pattern=r"^[^/\u0000]+/[^\u0000]+$", max_length=511),
    AfterValidator(_text),
]
ModelName = Annotated[
    StrictStr,
    StringConstraints(pattern=r"^[^/\u0000]+(/[^\u0000]+)?$", max_length=511),
    AfterValidator(_text),
]
Title = Annotated[
    StrictStr,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_TITLE),
    BeforeValidator(_short),
    AfterValidator(_text),
    Field(json_schema_extra={"pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"}),
]
Tag = Annotated[
    StrictStr,
    StringConstraints(min_length=1, max_length=LONGEST_TAG),
    AfterValidator(_text),
    AfterValidator(_tag),
    Field(json_schema_extra={"pattern": _IN_A_TAG}),
]
TagName = Annotated[str, Path(min_length=1, max_length=255, pattern=_IN_A_TAG)]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Penalty = Annotated[Float, Field(ge=-2, le=2)]
FILE_ID = r"^[0-9a-f]{64}$"
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]
