"""What was recorded of a charger, replayed into a new charge point, gives the same state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.ocpp.frames import from_lines, to_lines
from gateway.model.quantity import Quantity
from gateway.model.session import EvSession
from tests.adapters.ocpp_fakes import Home, Peer, home, peer, stamp, until
from tests.adapters.ocpp_replay import Replayed, replay

REGISTER, POWER = "Energy.Active.Import.Register", "Power.Active.Import"


def told(found: Replayed) -> tuple[Any, ...]:
    """What must be the same; tags are blanked in a record, so they are not."""
    status = found.status
    return (status.phase, status.transaction, status.session_wh, status.model, _sessions(found.sessions))


def _sessions(sessions: tuple[EvSession, ...]) -> list[EvSession]:
    return [replace(session, tag="", transaction_key="") for session in sessions]


async def _record(where: Home, identity: str = "CP1") -> str:
    point = where.csms.points[identity]
    await until(lambda: not point.connected)
    return "".join(to_lines(point.frames.frames()))


async def _charge_16(charger: Peer, where: Home) -> None:
    await charger.boot()
    await charger.is_set_up()
    await charger.status("Preparing")
    transaction = await charger.start("04AABBCC", meter=1000)
    await charger.status("Charging")
    for step in range(1, 6):
        await where.clock.advance(10)
        register = {"value": str(1000 + 20 * step), "measurand": REGISTER}
        await charger.meter(register, {"value": "7200", "measurand": POWER}, transaction=transaction)
    await charger.socket.send("{broken")
    await where.clock.advance(10)
    await charger.stop(transaction, 1130)
    await charger.status("Finishing")


async def test_a_recorded_session_of_1_6_gives_the_same_sessions_and_state_again() -> None:
    where = home()
    connector = where.charger()
    async with where.serving():
        async with peer(where) as charger:
            await _charge_16(charger, where)
        recorded = await _record(where)
    assert "04AABBCC" not in recorded
    again = await replay(from_lines(recorded), "1.6")
    original = Replayed(connector.status(), tuple(where.sessions.rows.values()), dict(connector.frames.violations))
    assert [session.energy_wh for session in again.sessions] == [130.0]
    assert told(again) == told(original)
    assert again.violations == original.violations


@pytest.mark.slow
async def test_a_recorded_session_of_2_0_1_still_under_way_is_under_way_again() -> None:
    where = home()
    connector = where.charger()
    async with where.serving():
        async with peer(where, subprotocols=("ocpp2.0.1",)) as charger:
            station = {"vendorName": "Acme", "model": "Two"}
            await charger.send("BootNotification", reason="PowerUp", chargingStation=station)
            for number in range(4):
                await charger.send("TransactionEvent", **_event(charger, number))
                await where.clock.advance(10)
        recorded = await _record(where)
    again = await replay(from_lines(recorded), "2.0.1")
    original = Replayed(connector.status(), tuple(where.sessions.rows.values()), dict(connector.frames.violations))
    assert again.status.session_wh == 300.0 and again.status.transaction
    assert told(again) == told(original)
    assert connector.live.value(Quantity.POWER) == 6000.0


def _event(charger: Peer, number: int) -> dict[str, Any]:
    sampled = [{"value": 100.0 * number, "measurand": REGISTER}, {"value": 6000.0, "measurand": POWER}]
    return {
        "eventType": "Updated" if number else "Started",
        "timestamp": stamp(charger.now()),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": number,
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": "04AABBCC", "type": "ISO14443"},
        "transactionInfo": {"transactionId": "t1", "chargingState": "Charging"},
        "meterValue": [{"timestamp": stamp(charger.now()), "sampledValue": sampled}],
    }
