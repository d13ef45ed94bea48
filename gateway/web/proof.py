"""The signed record of an event, to keep and to check elsewhere."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from gateway.runtime.event_chain import proof_json
from gateway.web.problems import Problem
from gateway.web.view import HomeView


def proof_routes(home: HomeView) -> APIRouter:
    """GET /api/v1/dr/events/{event}/record."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/dr/events/{event:path}/record")
    async def record(event: str) -> Response:
        """Everything received, decided, commanded, confirmed, released, delivered and reported for an event, chained and signed."""
        found = next((r for r in home.event_records() if event in (r.key, r.event.id)), None)
        document: dict[str, Any] | None = await proof_json(home.chain, found.key) if found is not None else None
        if document is None:
            raise Problem(
                404, f"There is no record of an event '{event[:100]}'. GET /api/v1/dr/events lists the events."
            )
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", event)[:80]
        return JSONResponse(document, headers={"content-disposition": f'attachment; filename="event-{name}.json"'})

    return router
