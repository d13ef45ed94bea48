"""The waiting room: an unknown charger is asked for patience and for the number of its connectors, and for no more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.ocpp.dispatch import CallFailed
from adapters.ocpp.waiting import PENDING_INTERVAL_S, WaitingList, WaitingRoom
from tests.fakes import FakeClock

BOOT = {"chargePointVendor": "Acme", "chargePointModel": "Wall"}


class Waiter:
    """A charger in the waiting room that answers `answer` to what it is asked."""

    def __init__(self, version: str = "1.6", answer: dict[str, Any] | Exception | None = None) -> None:
        self.list = WaitingList(FakeClock())
        self.list.arrived("CP 1", "192.168.1.9", version, 0, b"")
        self.room = WaitingRoom(self.list, "CP 1", FakeClock(), version)
        self.room.call = self._call
        self.asked: list[tuple[str, Any]] = []
        self._answer = answer or {}

    async def _call(self, action: str, payload: Any) -> dict[str, Any]:
        self.asked.append((action, payload))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def boot(self) -> dict[str, Any]:
        told = await self.room.handle("BootNotification", BOOT)
        self.room.answered("BootNotification")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return told

    @property
    def connectors(self) -> int:
        found = self.list.get("CP 1")
        assert found is not None
        return found.connectors


def keys(value: str) -> dict[str, Any]:
    return {"configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": value}]}


@pytest.mark.parametrize(("answer", "connectors"), [(keys("2"), 2), (keys("x"), 0), (keys("500"), 0), ({}, 0)])
async def test_a_charger_of_16_is_asked_how_many_connectors_it_has(answer: dict[str, Any], connectors: int) -> None:
    waiter = Waiter(answer=answer)
    assert waiter.connectors == 0, "not told yet"
    told = await waiter.boot()
    assert (told["status"], told["interval"]) == ("Pending", PENDING_INTERVAL_S)
    assert waiter.asked == [("GetConfiguration", {"key": ["NumberOfConnectors"]})]
    assert waiter.connectors == connectors


async def test_it_is_asked_once_however_often_it_boots_and_may_refuse() -> None:
    waiter = Waiter(answer=CallFailed("NotSupported"))
    await waiter.boot()
    await waiter.boot()
    assert len(waiter.asked) == 1 and waiter.connectors == 0


async def test_a_station_of_2x_is_asked_for_the_status_of_its_evses() -> None:
    waiter = Waiter("2.0.1")
    await waiter.boot()
    assert waiter.asked == [("TriggerMessage", {"requestedMessage": "StatusNotification"})]
    for evse in (1, 2):
        await waiter.room.handle(
            "StatusNotification", {"evseId": evse, "connectorId": 1, "connectorStatus": "Available"}
        )
    assert waiter.connectors == 2


async def test_what_it_says_of_its_connectors_counts_and_the_charger_itself_is_none() -> None:
    waiter = Waiter()
    for connector in (0, 1):
        await waiter.room.handle("StatusNotification", {"connectorId": connector, "status": "Available"})
    assert waiter.connectors == 1
