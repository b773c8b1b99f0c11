"""What a request says of tools and of the form of the text."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from ..domain import ResponseFormat, Tool
from .fields import Name, Str


class FunctionIn(BaseModel):
    """A function that the model may call."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Str = ""
    parameters: dict[str, Any] | None = Field(None, description="A JSON schema of its arguments")
    strict: StrictBool | None = None


class ToolIn(BaseModel):
    """A tool of the caller's: calls of it end the answer, and results come back as messages."""

    type: Literal["function"]
    function: FunctionIn

    def tool(self) -> Tool:
        one = self.function
        schema = one.parameters or {"type": "object", "properties": {}}
        return Tool(one.name, one.description, schema, one.strict)


class ChosenFunction(BaseModel):
    """By its name."""

    name: Name


class ChosenTool(BaseModel):
    """The one tool that has to be called."""

    type: Literal["function"]
    function: ChosenFunction


class JsonSchemaIn(BaseModel):
    """A schema for the whole text."""

    name: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "answer"
    schema_: dict[str, Any] = Field(alias="schema")
    strict: StrictBool | None = None


class TextFormat(BaseModel):
    """Any text, as always."""

    type: Literal["text"]

    def format(self) -> ResponseFormat | None:
        return None


class ObjectFormat(BaseModel):
    """A JSON object of any kind."""

    type: Literal["json_object"]

    def format(self) -> ResponseFormat | None:
        return ResponseFormat("json_object")


class SchemaFormat(BaseModel):
    """JSON by a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchemaIn

    def format(self) -> ResponseFormat | None:
        one = self.json_schema
        return ResponseFormat("json_schema", one.name, one.schema_, one.strict)


FormatIn = Annotated[TextFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]
