"""The yardstick for a page: the same rows, the usual way. FastAPI, SQLAlchemy's ORM on aiosqlite,
Pydantic models, one route.

    GET /api/v1/sessions/{id} ─▶ AsyncSession ─▶ Session, its Messages, their Generations ─▶ JSON

`python -m bench.orm PORT FILE` serves a database file of the product until it is ended. It answers
what the product answers; it takes a session's messages by one index where the product walks a
branch.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field, computed_field
from sqlalchemy import JSON, ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    selectinload,
)


class Base(DeclarativeBase):
    """The tables as classes, as far as a page needs them."""


class Generation(Base):
    """An answer's making."""

    __tablename__ = "generations"
    id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    ended: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Message(Base):
    """A message, with its generation if it is an answer."""

    __tablename__ = "chat_messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("chat_sessions.id"), index=True)
    role: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime]
    parent_id: Mapped[int | None]
    depth: Mapped[int]
    reasoning: Mapped[str | None]
    generation_id: Mapped[str | None] = mapped_column(ForeignKey("generations.id"))
    generation: Mapped[Generation | None] = relationship()

    @property
    def status(self) -> str:
        return self.generation.status if self.generation else "completed"

    @property
    def provider(self) -> str | None:
        return self.generation.provider if self.generation else None

    @property
    def model(self) -> str | None:
        return self.generation.model if self.generation else None

    @property
    def finish_reason(self) -> str | None:
        return self._end.get("finish_reason")

    @property
    def usage(self) -> dict[str, int] | None:
        return self._end.get("usage")

    @property
    def cost_microusd(self) -> int | None:
        """At the one price of the answers that the bench makes: nanodollars a token."""
        if (usage := self.usage) is None:
            return None
        fresh = usage["input"] - usage["cached"]
        return round((150 * fresh + 3 * usage["cached"] + 600 * usage["output"]) / 1000)

    @property
    def error(self) -> dict[str, str] | None:
        return self._end.get("fault")

    @property
    def _end(self) -> dict[str, Any]:
        return (self.generation.ended if self.generation else None) or {}


class Session(Base):
    """A conversation."""

    __tablename__ = "chat_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    leaf_id: Mapped[int | None]
    forked_from: Mapped[int | None]
    title_by: Mapped[str]
    pinned: Mapped[bool]
    unread: Mapped[bool]
    archived_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    folder_id: Mapped[int | None]
    source: Mapped[str | None]
    system_prompt: Mapped[str | None]
    messages: Mapped[list[Message]] = relationship(order_by=Message.depth)

    @property
    def message_count(self) -> int:
        return len(self.messages)


class UsageOut(BaseModel):
    """Tokens as the vendor counted them."""

    input_tokens: int = Field(validation_alias="input")
    cached_tokens: int = Field(validation_alias="cached")
    output_tokens: int = Field(validation_alias="output")
    reasoning_tokens: int = Field(validation_alias="reasoning")

    estimated: bool = False

    @computed_field
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class MessageOut(BaseModel):
    """A message of the page."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    role: str
    content: str
    created_at: datetime
    provider: str | None
    model: str | None
    thought_process: str | None = Field(validation_alias="reasoning")
    images: list[Any] | None = None
    videos: list[Any] | None = None
    audios: list[Any] | None = None
    search_results: list[Any] | None = None
    parent_id: int | None
    status: str
    finish_reason: str | None
    generation_id: str | None
    usage: UsageOut | None
    cost_microusd: int | None
    error: dict[str, str] | None
    tool_calls: list[Any] | None = None
    tool_call_id: str | None = None
    parts: list[Any] | None = None
    attachments: list[Any] | None = None
    siblings: list[int] | None = None


class SessionOut(BaseModel):
    """A session and its messages, oldest first."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    provider: str
    model: str
    created_at: datetime
    updated_at: datetime
    message_count: int
    leaf_id: int | None
    forked_from: int | None
    title_by: str
    pinned: bool
    unread: bool
    archived_at: datetime | None
    deleted_at: datetime | None
    folder_id: int | None
    tags: list[str] = []  # the bench's sessions have none: the query for them is spared
    source: str | None
    system_prompt: str | None
    options: dict[str, Any] = {}
    preset: dict[str, int] | None = None
    temporary: bool = False
    messages: list[MessageOut]


def application(database: str) -> FastAPI:
    """The application over one file."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}")
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    page = selectinload(Session.messages).joinedload(Message.generation)
    app = FastAPI()

    async def opened() -> AsyncIterator[AsyncSession]:
        async with sessions() as db:
            yield db

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/api/v1/sessions/{session_id}", response_model=SessionOut)
    async def get_session(session_id: int, db: AsyncSession = Depends(opened)) -> Session:
        wanted = select(Session).where(Session.id == session_id).options(page)
        session = (await db.scalars(wanted)).one_or_none()
        if session is None:
            raise HTTPException(404)
        return session

    return app


if __name__ == "__main__":
    served = application(sys.argv[2])
    uvicorn.run(served, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
