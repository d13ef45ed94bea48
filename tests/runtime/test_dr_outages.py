"""A utility whose server is away or mad: the defined outcome each time, with the real client before a simulated utility.

at boot, in the event, or for a day:  what is known goes on as told, the owner hears of it
back again:                           what changed meanwhile counts, the notice ends
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.openadr import web
from adapters.openadr.client import Vtn
from adapters.openadr.settings import OpenAdrSettings
from firmware_sim.clock import SimClock
from firmware_sim.http_process import serving
from firmware_sim.vtn import build
from firmware_sim.vtn_store import Client, Object
from firmware_sim.vtn_tls import Tls
from gateway.model.dr import OptState
from tests.adapters.conftest import free_port
from tests.fakes import START
from tests.runtime.test_demand_response import Utility

UTILITY = Client("utility", "bl")
CAUSE = "server utility"


class Home:
    """A home's DR loop with the real client, and the utility it follows over https, which can go and come back."""

    def __init__(self, folder: Path) -> None:
        self.made, self.port = Utility(), free_port()
        self.tls = Tls(folder)
        self.api = build(SimClock(START, 0.0), ["home:s:ven", "utility:s:bl"], 3600, "Europe/Brussels", tls=self.tls)
        self.api.store.now = self.made.clock.now
        self._serving = contextlib.AsyncExitStack()
        settings = {"url": f"https://127.0.0.1:{self.port}", "client_id": "home", "client_secret": "s",
                    "ven_name": "home-1", "ca_file": str(folder / "ca.pem"), "push": False}  # fmt: skip
        self.client = Vtn("utility", OpenAdrSettings.model_validate({"kind": "openadr", **settings}), self.made.clock)
        self.made.dr.servers = {"utility": self.client}

    async def up(self) -> None:
        self._serving = contextlib.AsyncExitStack()
        served = serving("vtn", self.api.app(), self.port, self.made.clock.now, self.tls.context)
        await self._serving.enter_async_context(served)

    async def down(self) -> None:
        await self._serving.aclose()

    def publish(self, name: str, start: datetime, hours: float = 1.0) -> Object:
        program = next(iter(self.api.store.items["programs"]), None)
        if program is None:
            program = self.api.store.create(self.api.version.kinds["programs"], {"programName": "P"}, UTILITY)["id"]
        period = {"start": start.astimezone(UTC).isoformat(), "duration": f"PT{hours:g}H"}
        body = {"programID": program, "eventName": name, "intervalPeriod": period,
                "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [2]}]}]}  # fmt: skip
        return self.api.store.create(self.api.version.kinds["events"], body, UTILITY)

    def withdraw(self, event: Object) -> None:
        self.api.store.delete(self.api.version.kinds["events"], event["id"], UTILITY)

    @property
    def told(self) -> bool:
        return CAUSE in self.made.notices.open

    def opt(self, event: Object) -> OptState | None:
        record = self.made.dr.records.get(f"utility:{event['id']}")
        return None if record is None else record.opt

    async def until(self, what: Callable[[], Any], step_s: float = 10.0) -> None:
        """Let home time pass in steps, and the sockets speak, until it is so."""
        async with asyncio.timeout(20):
            while not what():
                await self.made.clock.advance(step_s)
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.made.dr.poll(self.client)), asyncio.create_task(self.made.dr.follow())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.client.close()
            await self.down()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(web, "REQUEST_TIMEOUT_S", 0.3)
    return Home(tmp_path)


async def fail(home: Home, trouble: str) -> None:
    if trouble == "down":
        await home.down()
    elif trouble == "expired certificate":
        home.tls.show(expired=True)
        await home.down()
        await home.up()  # connections that stand are not asked again
    else:
        home.api.faults.start(trouble, 3600)
        if trouble == "expired-tokens":
            home.api.access.revoke_all()


async def mend(home: Home, trouble: str) -> None:
    home.api.faults.until.clear()
    if trouble == "down":
        await home.up()
    elif trouble == "expired certificate":
        home.tls.show(expired=False)
        await home.down()
        await home.up()


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["down", "500", "nonsense", "slow", "expired certificate"])
async def test_in_an_event_it_goes_on_as_told_and_what_changed_meanwhile_counts_afterwards(
    home: Home, trouble: str
) -> None:
    await home.up()
    event = home.publish("Peak", START)
    async with home.followed():
        await home.until(lambda: home.opt(event) is OptState.JOINED)
        await fail(home, trouble)
        home.withdraw(event)
        fresh = home.publish("Later", START + timedelta(hours=6))
        await home.until(lambda: home.told)
        assert home.made.kinds(), "a failed look is no withdrawal"
        assert home.opt(fresh) is None
        await mend(home, trouble)
        await home.until(lambda: not home.told)
        assert not home.made.kinds() and home.opt(fresh) is OptState.JOINED


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["down", "500", "nonsense", "slow", "expired certificate"])
async def test_at_boot_the_home_waits_for_the_server_and_goes_on_from_its_first_answer(
    home: Home, trouble: str
) -> None:
    await home.up()
    await fail(home, trouble)
    event = home.publish("Peak", START, hours=8)
    async with home.followed():
        await home.until(lambda: home.told)
        assert not home.made.dr.records
        await mend(home, trouble)
        await home.until(lambda: home.opt(event) is OptState.JOINED and not home.told)
        assert home.made.kinds()


@pytest.mark.slow
async def test_a_day_without_the_server_ends_the_known_event_on_time_and_it_is_still_looked_for(home: Home) -> None:
    await home.up()
    event = home.publish("Peak", START, hours=2)
    async with home.followed():
        await home.until(lambda: home.opt(event) is OptState.JOINED)
        await home.down()
        await home.until(lambda: home.made.clock.now() >= START + timedelta(hours=1, minutes=50), 60)
        assert home.made.kinds() and home.told
        await home.until(lambda: home.made.clock.now() >= START + timedelta(hours=2, minutes=1), 60)
        assert not home.made.kinds()
        await home.until(lambda: home.made.clock.now() >= START + timedelta(days=1), 900)
        assert home.told
        fresh = home.publish("Next day", START + timedelta(days=1))
        await home.up()
        await home.until(lambda: home.opt(fresh) is OptState.JOINED)
        assert home.made.dr.records[f"utility:{event['id']}"].cancelled_at is None


@pytest.mark.slow
async def test_tokens_that_end_after_a_second_are_renewed_without_a_word(home: Home) -> None:
    await home.up()
    event = home.publish("Peak", START)
    async with home.followed():
        await home.until(lambda: home.opt(event) is OptState.JOINED)
        await fail(home, "expired-tokens")
        fresh = home.publish("Later", START + timedelta(hours=6))
        await home.until(lambda: home.opt(fresh) is OptState.JOINED)
        assert not home.told and home.made.kinds()
