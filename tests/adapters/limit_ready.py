"""A charger in a box that has its safe default and is driven second by second."""

from __future__ import annotations

from contextlib import suppress

from gateway.model.errors import CommandRefused
from tests.adapters.limit_boxes import Box, Drive, Quirk

VERSIONS = ("1.6", "2.0.1", "2.1")


async def ready(version: str = "1.6", quirk: Quirk | None = None, **more: object) -> tuple[Box, Drive]:
    box = Box(version, quirk or Quirk(), **more)  # type: ignore[arg-type]
    with suppress(CommandRefused):
        await box.limiter.set_safe_default()
    return box, Drive(box)
