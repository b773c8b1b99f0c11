"""Settings: the only file that reads the environment and `.env`.

    environment, else .env ─┬─▶ Settings                what this server is
                            └─▶ read_variables(names)   keys and addresses of vendors

Which variables vendors have, their rows say: a new vendor needs no field here. Every field has one
line in `.env.example` and one row in the README's table; a test holds the three equal. Names carry
their unit. An empty value means: not set.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, create_model, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .errors import StartupError

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Sources(BaseSettings):
    """Where values come from: the environment, else `.env`; an empty one is not set."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore"
    )


class Settings(_Sources):
    """What the operator decides. Read once, by the assembler, and handed out as plain values."""

    deepseek_api_key: SecretStr | None = Field(None, description="Your DeepSeek API key")
    deepseek_base_url: str = Field("https://api.deepseek.com", description="DeepSeek API base URL")
    database_url: str = Field("sqlite:///./chat_history.db", description="SQLite database path")
    app_name: str = Field("Lite-LLM-Chat Backend", description="Application name")
    app_version: str = Field("1.0.0", description="Application version")

    host: str = Field("127.0.0.1", description="Address that `python main.py` listens on")
    port: int = Field(8000, ge=0, le=65_535, description="Port that `python main.py` listens on")
    api_prefix: str = Field("/api/v1", description="Path in front of every API route")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Web origins that may call the API from a browser, separated by commas"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged: debug, info, warning or error"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Shape of a log line: text or json"
    )

    endpoints_file: str = Field(
        "./endpoints.toml", description="Endpoints of your own: a TOML file, which may be absent"
    )
    prices_file: str = Field(
        "./prices.toml", description="Prices of your own: a TOML file, which may be absent"
    )
    default_provider: str | None = Field(
        None,
        description="Who answers by default; if not set, deepseek with a key and local without",
    )
    fallback_models: str | None = Field(
        None, description="Who answers if the asked one cannot: provider/model, …"
    )
    model_list_minutes: float = Field(
        60,
        ge=0,
        le=525_600,
        description="How long a vendor's own list of models is used, minutes; 0: never asked for",
    )
    local_model: Literal["auto", "off"] = Field(
        "auto",
        description="auto: loads at start where it is the default or has a path; off: never",
    )
    local_model_path: str | None = Field(
        None, description="Any GGUF file to load instead of the demonstration model"
    )
    local_context_tokens: int = Field(
        2048, ge=512, le=1_048_576, description="Context window of each local chat, tokens"
    )
    local_slots: int = Field(4, ge=1, le=64, description="Local chats answered at the same time")

    summarize_dropped: bool = Field(
        False,
        description="What no longer fits a model's window is summed up by that model for the next"
        " turns",
    )
    titles: Literal["auto", "off"] = Field(
        "auto",
        description="auto: the model that gave a conversation's first answer names it, but not the"
        " model on board; off: the question's words stay",
    )
    title_model: str | None = Field(
        None, description="Who names conversations instead: provider/model"
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Sessions unused for so long go to the trash, days; if not set they are kept",
    )
    trash_days: int = Field(
        30,
        ge=0,
        le=36_500,
        description="How long deleted sessions can be restored, days; 0: not at all",
    )
    tools_file: str = Field(
        "./tools.toml",
        description="MCP servers whose tools models may use: a TOML file, which may be absent",
    )
    max_tool_rounds: int = Field(
        8, ge=1, le=100, description="How often tools of this server are run for one answer"
    )

    max_body_bytes: int = Field(1_048_576, ge=1024, description="Largest JSON request body, bytes")
    max_chat_bytes: int = Field(
        16_777_216,
        ge=1024,
        description="Largest body of a question, with the images in it, bytes",
    )
    max_upload_bytes: int = Field(20_971_520, ge=1, description="Largest uploaded file, bytes")
    upload_dir: str = Field("./uploads", description="Folder that keeps uploaded files")
    max_answer_bytes: int = Field(
        2_097_152, ge=1024, description="An answer longer than this is cut and marked, bytes"
    )

    max_live_answers: int = Field(
        2000, ge=1, description="More answers than this at the same time are refused for a moment"
    )

    temporary_minutes: float = Field(
        60, gt=0, le=10_080, description="How long a temporary chat is kept unused, minutes"
    )
    max_temporary_chats: int = Field(
        100, ge=1, le=100_000, description="More temporary chats than this are refused"
    )
    max_temporary_bytes: int = Field(
        67_108_864,
        ge=1_048_576,
        description="Memory that all temporary chats may take together, bytes",
    )

    durability: Literal["full", "relaxed"] = Field(
        "full", description="full survives a power cut, relaxed survives a killed process only"
    )
    flush_ms: int = Field(
        50, ge=1, le=250, description="How often the running answers are committed, milliseconds"
    )
    event_retention_hours: float = Field(
        168, gt=0, description="How long an ended answer's events can be replayed one by one, hours"
    )
    drain_seconds: float = Field(
        10, ge=0, le=3600, description="How long running answers may go on after SIGTERM, seconds"
    )
    keep_alive_seconds: Seconds = Field(
        15, description="A quiet stream carries a comment this often, seconds"
    )
    slow_reader_seconds: Seconds = Field(
        30, description="A client that takes nothing for so long is disconnected, seconds"
    )
    allow_network_filesystem: bool = Field(
        False, description="Accept a database file on a network filesystem (it may corrupt)"
    )

    connect_timeout_seconds: Seconds = Field(
        10, description="Longest wait for a connection to a provider, seconds"
    )
    headers_timeout_seconds: Seconds = Field(
        60, description="Longest wait for a provider's response headers, seconds"
    )
    first_piece_timeout_seconds: Seconds | None = Field(
        None,
        description="Longest wait for the first words, seconds; if not set 120, more for slow"
        " vendors",
    )
    idle_timeout_seconds: Seconds = Field(
        60, description="Longest silence in the middle of an answer, seconds"
    )
    total_timeout_seconds: Seconds = Field(1800, description="Longest answer in all, seconds")
    upstream_retries: int = Field(
        2,
        ge=0,
        le=10,
        description="Tries after a failed first one, while nothing has been answered",
    )
    upstream_retry_seconds: Seconds = Field(
        30, description="All tries together start within this time, seconds"
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_prefix")
    @classmethod
    def _prefix(cls, value: str) -> str:
        if not value.startswith("/") or value.endswith("/"):
            raise ValueError("it starts with a slash and does not end with one, such as /api/v1")
        return value


def load_settings() -> Settings:
    """The settings of the environment and `.env`. Raises StartupError that names each wrong
    variable, what it was not, and never its value."""
    try:
        return Settings()
    except UnicodeDecodeError:
        raise StartupError(".env is not a text in UTF-8: save it as one") from None
    except ValidationError as cause:
        wrong = [
            f"{str(one['loc'][0]).upper()}: {one['msg'][:1].lower()}{one['msg'][1:]}"
            for one in cause.errors()
        ]
        raise StartupError(
            "check these settings in .env or in the environment: " + "; ".join(wrong)
        ) from None


def read_variables(names: Iterable[str]) -> dict[str, str]:
    """The values of those of these variables that are set, by the rules of Settings."""
    fields: dict[str, Any] = {
        f"v{number}": (str | None, Field(None, validation_alias=name, repr=False))
        for number, name in enumerate(names)
    }
    found = create_model("Variables", __base__=_Sources, **fields)()
    values = (
        (field.validation_alias, getattr(found, at))
        for at, field in type(found).model_fields.items()
    )
    return {str(name): value for name, value in values if value is not None}
