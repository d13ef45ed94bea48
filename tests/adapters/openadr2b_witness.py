"""A home against the simulated VTN of OpenADR 2.0b, in process on a real socket, both at one clock."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn

from adapters.openadr2b.client import Vtn2b
from adapters.openadr2b.settings import OpenAdr2bSettings
from firmware_sim.vtn2b_api import PREFIX, Api
from firmware_sim.vtn2b_events import Event
from firmware_sim.vtn2b_utility import Utility
from gateway.model.dr import DrEvent
from tests.fakes import START, FakeClock, FakeStore

POLL_S = 10.0


class Lab:
    """The utility `utility`, its doors `api`, and our side `ven`."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.facts = FakeStore()
        self.utility = Utility(self.clock.now, self.clock.monotonic, POLL_S)
        self.api = Api(self.utility)
        self.port = 0
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve, on the same port as before."""
        # Named as TCP, or asyncio leaves Nagle's algorithm on and each answer takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._server = _Server(uvicorn.Config(self.api.app(), log_level="error", access_log=False, lifespan="off"))
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Be down."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = self._server.force_exit = True
            await self._task
            self._server = None

    def new_ven(self, **more: Any) -> Vtn2b:
        """Our side, as after a restart."""
        url = f"http://127.0.0.1:{self.port}{PREFIX}"
        settings = OpenAdr2bSettings(kind="openadr2b", url=url, ven_name="home-1", local=True, **more)
        return Vtn2b("utility", settings, self.clock, self.facts)  # type: ignore[arg-type]

    async def look(self, ven: Vtn2b, after_s: float = POLL_S) -> list[DrEvent]:
        """One look of the DR loop, some seconds later."""
        await self.clock.advance(after_s)
        await ven.programs()
        return await ven.events()

    def event(self, name: str = "e1", **more: Any) -> Event:
        """An event of an hour that starts in half an hour."""
        return Event(**{"id": name, "start": START + timedelta(minutes=30), **more})


@contextlib.asynccontextmanager
async def witness() -> AsyncIterator[Lab]:
    """A running lab."""
    lab = Lab()
    await lab.start()
    try:
        yield lab
    finally:
        await lab.stop()


def schema_file() -> Path | None:
    """The official XML schema of 2.0b, which openleadr carries; None where it is not installed."""
    import importlib.util

    found = importlib.util.find_spec("openleadr")
    places = found.submodule_search_locations if found is not None else None
    return Path(places[0]) / "schema" / "oadr_20b.xsd" if places else None


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield
