"""Errors as RFC 9457 problem bodies: what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway.model.errors import StoreError, WishRefused

MEDIA_TYPE = "application/problem+json"
REMEDIES = {
    401: "Log in at /login and try again.",
    404: "GET /api/v1/openapi.json lists every path; GET /api/v1/devices every device.",
    405: "See /api/v1/openapi.json for the methods of this path.",
    413: "Send at most 64 kB.",
}


class Problem(Exception):
    """An error with its HTTP status; `detail` says what, where and how to mend it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def problem(status: int, detail: str, instance: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The problem body and its response."""
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {
        "type": f"/problems/{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
    }
    return JSONResponse(body, status, dict(headers or {}), MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the application with a problem body."""

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return problem(error.status, error.detail, request.url.path, error.headers)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        said = str(error.detail)
        what = f"{request.method} {request.url.path}: {said[:1].lower()}{said[1:]}."
        remedy = REMEDIES.get(error.status_code, "")
        return problem(error.status_code, f"{what} {remedy}".strip(), request.url.path, error.headers)

    async def on_invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        found = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5])
        return problem(422, f"{found}. Mend the values named and send again.", request.url.path)

    async def on_refused(request: Request, error: Exception) -> JSONResponse:
        return problem(409, str(error), request.url.path)

    async def on_store(request: Request, error: Exception) -> JSONResponse:
        detail = f"The database failed: {error}. Nothing was changed; try again, and look at the disk if it stays."
        return problem(503, detail, request.url.path, {"Retry-After": "5"})

    async def on_anything(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "Hearth failed to answer; the log has the cause. Try again.", request.url.path)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(WishRefused, on_refused)
    app.add_exception_handler(StoreError, on_store)
    app.add_exception_handler(Exception, on_anything)
