"""Every error as an RFC 9457 problem: `detail` for a person, `code` for a program.

LiteError            its own status and code
validation           422, FastAPI's list under `detail` (without the input it quotes)
Starlette's own      404, 405, 413 …
anything else        500 `internal_error`, and the log has the rest
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ..errors import LiteError, Unavailable
from .deps import LARGEST_ID

MEDIA_TYPE = "application/problem+json"
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST")
PLAIN = {  # what the framework refuses by itself: code and sentence
    404: ("not_found", "there is nothing at this address: /docs shows what there is"),
    405: ("method_not_allowed", "this address does not take that method: see the Allow header"),
    413: ("body_too_large", "the body is larger than this server takes: send less at once"),
}

UNREADABLE = {
    "type": "json_invalid",
    "loc": ["body"],
    "msg": "the body cannot be read: it must be JSON in UTF-8, not too deep, with usual numbers",
}

_TYPE_NAMES = ("function-after[", "list[")  # pydantic's words for the members of a union

log = logging.getLogger("lite_llm_chat")


class Problem(BaseModel):
    """The body of every error but a validation error."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str


class Finding(BaseModel):
    """One thing that is wrong with a request."""

    type: str
    loc: list[str | int]
    msg: str


class ValidationProblem(BaseModel):
    """The body of a 422: a list of findings, or one sentence."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: list[Finding] | str
    code: str


DESCRIPTIONS = {
    404: "Unknown",
    409: "Conflict with the present state",
    413: "The body is too large",
    415: "The body is of another media type",
    422: "Validation error",
    502: "The provider failed",
    503: "Not now: the provider, the disk or this server",
    504: "The provider took too long",
}
_SCHEMAS = "#/components/schemas/{model}"  # where a description has its shapes


def responses(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The OpenAPI entries of some error statuses. They name their shapes, which `_described` adds:
    the framework would build each of them anew for every status of every route."""
    return {status: _refusal(status) for status in statuses}


def _refusal(status: int) -> dict[str, object]:
    shape = ValidationProblem if status == HTTPStatus.UNPROCESSABLE_ENTITY else Problem
    schema = {"$ref": _SCHEMAS.format(model=shape.__name__)}
    return {"description": DESCRIPTIONS[status], "content": {MEDIA_TYPE: {"schema": schema}}}


def problem(
    status: int, detail: object, code: str, extra: dict[str, object] | None = None
) -> JSONResponse:
    """The response that says what is wrong."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **(extra or {}),
    }
    return JSONResponse(body, status, media_type=MEDIA_TYPE)


def of(error: LiteError) -> JSONResponse:
    """The response of one of our own errors."""
    response = problem(error.status, error.detail, error.code, error.extra)
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


def _finding(found: Mapping[str, Any]) -> dict[str, object]:
    """What is wrong and where, without the input and without the names of our own types."""
    place = [part for part in found["loc"] if not str(part).startswith(_TYPE_NAMES)]
    reason = found["ctx"]["error"] if found["type"] == "json_invalid" else None
    message = f"{found['msg']}: {reason}" if reason else found["msg"]
    return {"type": found["type"], "loc": place, "msg": message}


def _make_bounds_exact(node: object) -> None:
    """Bounds as integers: the framework writes floats, and no float is 2**63 - 1."""
    if isinstance(node, dict):
        for name in ("minimum", "maximum"):
            bound = node.get(name)
            if isinstance(bound, float) and bound.is_integer():
                node[name] = min(int(bound), LARGEST_ID)
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            _make_bounds_exact(part)


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description, with the shapes of errors and with bounds that are true."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        _, said = models_json_schema(
            [(Problem, "serialization"), (ValidationProblem, "serialization")],
            ref_template=_SCHEMAS,
        )
        schema["components"]["schemas"] |= said["$defs"]
        _make_bounds_exact(schema)
    return app.openapi_schema or {}


def _allowed(app: FastAPI, request: Request) -> str:
    """The methods that this address takes; the framework names those of its first route only."""
    asked = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    return ", ".join(
        method
        for method in METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in app.routes)
    )


def install(app: FastAPI, complete: Callable[[], None]) -> None:
    """Answer every error of the app this way. `complete` sees to it that all routes are there, for
    their description."""

    def openapi() -> dict[str, Any]:
        complete()
        return _described(app)

    app.openapi = openapi  # type: ignore[method-assign]

    @app.exception_handler(LiteError)
    async def _ours(_request: Request, error: LiteError) -> JSONResponse:
        return of(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, [_finding(one) for one in error.errors()], "validation_error")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework's word for some bad JSON
            return problem(422, [UNREADABLE], "validation_error")
        code, sentence = PLAIN.get(error.status_code, ("http_error", str(error.detail)))
        response = problem(error.status_code, sentence, code)
        response.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["allow"] = _allowed(app, request)
        return response

    @app.exception_handler(Exception)
    async def _defect(request: Request, _error: Exception) -> JSONResponse:
        request_id = request.state.request_id
        log.error("request %s failed by a defect", request_id)
        sentence = f"the server failed at this request: its log says why, beside {request_id}"
        return problem(500, sentence, "internal_error")
