"""What was acknowledged is on the disk: a charger forgets a replayed message once it is answered, a kill or not.

Live periodic samples may lose a minute: the next one's register makes up for it, unless the register was reset.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.ocpp import events
from adapters.ocpp.samples import Sample
from gateway.model.errors import StoreError
from gateway.model.quantity import Quantity
from gateway.model.session import EvSession
from tests.adapters.ocpp2_fakes import Peer2, peer2
from tests.adapters.ocpp_fakes import FakeFacts, FakeSessions, Home, Peer, peer
from tests.fakes import FakeClock

REGISTER = "Energy.Active.Import.Register"
FALLS = [(0, 5000), (10, 6000), (20, 7000), (30, 500), (40, 1100)]
"""(minute, Wh): a register that is reset between the minutes 20 and 30; 3100 Wh, as the car drew 600 each time."""
KEPT_WH = 2000 + 1100


class Disk(FakeSessions):
    """`committed` is what a kill leaves; `full` makes every commit fail."""

    def __init__(self) -> None:
        super().__init__()
        self.committed: dict[int, EvSession] = {}
        self.full = False

    async def save_session(self, session: EvSession, *, later: bool = False) -> None:
        if self.full and not later:
            raise StoreError("the disk is full")
        await super().save_session(session, later=later)
        if not later:
            self.committed[session.transaction] = session

    def energy(self) -> float:
        return sum(session.energy_wh for session in self.committed.values())


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def where(disk: Disk) -> Home:
    return Home(FakeClock(), disk, FakeFacts())


async def replay_2(charger: Peer2, began: datetime, **fields: Any) -> None:
    for number, (minute, wh) in enumerate(FALLS):
        kind, at = "Updated" if number else "Started", began + timedelta(minutes=minute)
        await charger.event(kind, "q", register=wh, time=at, evse=1, **fields)


async def replay_16(charger: Peer, began: datetime) -> None:
    transaction = await charger.start(meter=FALLS[0][1], time=began)
    for minute, wh in FALLS[1:]:
        value = {"value": str(wh), "measurand": REGISTER}
        await charger.meter(value, transaction=transaction, time=began + timedelta(minutes=minute))


@pytest.mark.parametrize("version", ["2.0.1", "1.6"])
async def test_a_replay_with_a_reset_in_it_is_on_the_disk_once_it_is_answered(
    version: str, where: Home, disk: Disk
) -> None:
    where.charger()
    began = where.clock.now() - timedelta(hours=1)
    async with where.serving():
        if version == "1.6":
            async with peer(where) as charger:
                await charger.boot()
                await replay_16(charger, began)
        else:
            async with peer2(where) as charger2:
                await charger2.boot()
                await replay_2(charger2, began)
        assert disk.energy() == KEPT_WH


async def test_an_event_that_says_it_waited_offline_is_on_the_disk_however_young_it_is(where: Home, disk: Disk) -> None:
    where.charger()
    async with where.serving(), peer2(where) as charger:
        await charger.boot()
        await charger.event("Started", "q", register=1000, evse=1)
        await charger.event("Updated", "q", register=1100, offline=True)
        assert disk.energy() == 100


async def test_live_samples_wait_for_the_next_commit_but_a_reset_does_not(where: Home, disk: Disk) -> None:
    connector = where.charger()
    session = await connector.book.start(1, "TAG", "", where.clock.now(), 5000)
    saved = []
    for minute, wh in FALLS[1:]:
        await where.clock.advance(600)
        sample = Sample(where.clock.now(), {Quantity.ENERGY_IMPORT: float(wh)})
        await events.take_samples(connector, [sample], session.transaction)
        saved.append(disk.saved)
        assert minute < 40 or disk.energy() == KEPT_WH
    assert saved == [1, 1, 1, 2]


async def test_a_replay_that_the_disk_did_not_take_is_not_acknowledged_and_is_there_when_it_is_said_again(
    where: Home, disk: Disk
) -> None:
    connector = where.charger()
    await where.clock.advance(7200)
    began = where.clock.now() - timedelta(hours=1)
    session = await connector.book.start(1, "TAG", "", began, 1000)
    sample = Sample(began + timedelta(minutes=5), {Quantity.ENERGY_IMPORT: 1500.0})
    disk.full = True
    for _ in range(2):
        with pytest.raises(StoreError):
            await events.take_samples(connector, [sample], session.transaction)
    disk.full = False
    await events.take_samples(connector, [sample], session.transaction)
    assert disk.energy() == 500
