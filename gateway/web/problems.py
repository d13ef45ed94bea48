"""Errors as RFC 9457 problem bodies: what is wrong, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
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


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="/static/hearth.css"></head>
<body><main id="main"><section class="card login"><h1>{title}</h1><p>{detail}</p>
<p><a class="button" href="/">To the page Now</a></p></section></main></body></html>
"""


def refusal(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a small page for a browser, as a problem body for everything else."""
    path = request.url.path
    if "text/html" not in request.headers.get("accept", "") or path.startswith("/api/"):
        return problem(status, detail, path, headers)
    title = "There is no such page" if status == 404 else HTTPStatus(status).phrase
    said = "The address may be mistyped or old." if status == 404 else detail
    return HTMLResponse(PAGE.format(title=escape(title), detail=escape(said)), status, dict(headers or {}))


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
    """Answer every expected error of the application; what nobody expected is the guard's."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return refusal(request, error.status, error.detail, error.headers)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = str(error.detail)
        what = f"{request.method} {request.url.path}: {said[:1].lower()}{said[1:]}."
        remedy = REMEDIES.get(error.status_code, "")
        return refusal(request, error.status_code, f"{what} {remedy}".strip(), error.headers)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5])
        return refusal(request, 422, f"{found}. Mend the values named and send again.")

    async def on_refused(request: Request, error: Exception) -> Response:
        return refusal(request, 409, str(error))

    async def on_store(request: Request, error: Exception) -> Response:
        detail = f"The database failed: {error}. Nothing was changed; try again, and look at the disk if it stays."
        return refusal(request, 503, detail, {"Retry-After": "5"})

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(WishRefused, on_refused)
    app.add_exception_handler(StoreError, on_store)
