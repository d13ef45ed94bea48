"""For machines that look after machines: health, readiness, metrics."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from gateway.web.problems import problem
from gateway.web.view import HomeView


def ops_routes(home: HomeView) -> APIRouter:
    """/healthz, /readyz and /metrics."""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        """The home is fully in control; 503 with the reasons when not."""
        health = home.health()
        if health.ready:
            return JSONResponse({"status": "ready", "reasons": []})
        return problem(503, "; ".join(health.reasons), "/readyz")

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """Prometheus text format 0.0.4."""
        return PlainTextResponse(exposition(home.metrics()), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def exposition(rows: list[tuple[str, str, str, dict[str, str], float]]) -> str:
    """Metric rows as Prometheus text, HELP and TYPE once per name, all samples of a name together."""
    lines: list[str] = []
    for name in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == name]
        lines += [f"# HELP {name} {mine[0][1]}", f"# TYPE {name} {mine[0][2]}"]
        lines += [f"{name}{_labels(labels)} {value:.15g}" for _, _, _, labels, value in mine]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{key}="{_escape(value)}"' for key, value in labels.items())
    return f"{{{pairs}}}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
