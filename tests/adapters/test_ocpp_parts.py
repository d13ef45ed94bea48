"""The pure parts of the OCPP adapter: meter values, sessions and the message exchange, without a socket."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from adapters.ocpp import dispatch
from adapters.ocpp.dispatch import CallRefused, Dispatch, NoAnswer
from adapters.ocpp.frames import FrameLog
from adapters.ocpp.live import Freshness
from adapters.ocpp.schemas import Schemas
from adapters.ocpp.sessions import SessionBook
from adapters.ocpp.v16.samples import decode
from gateway.model.quantity import Quantity
from tests.adapters.ocpp_fakes import FakeSessions
from tests.fakes import START, FakeClock

POWER, IMPORT, OFFERED = "Power.Active.Import", "Current.Import", "Current.Offered"


@pytest.mark.parametrize(
    ("sampled", "expected"),
    [
        ([{"value": " 12 345 "}], {Quantity.ENERGY_IMPORT: 12345.0}),
        ([{"value": "12,5", "unit": "kWh"}], {Quantity.ENERGY_IMPORT: 12500.0}),
        ([{"value": "3.6", "unit": "kW", "measurand": POWER}], {Quantity.POWER: 3600.0}),
        (
            [{"value": str(n), "unit": "W", "measurand": POWER, "phase": f"L{n}"} for n in (1, 2, 3)],
            {Quantity.POWER: 6.0},
        ),
        ([{"value": "6", "measurand": IMPORT, "phase": "L2-N"}], {Quantity.CURRENT_L2: 6.0}),
        ([{"value": "16", "measurand": OFFERED}], {Quantity.CURRENT_OFFERED: 16.0}),
        ([{"value": "55", "measurand": "SoC", "location": "EV", "unit": "Percent"}], {Quantity.SOC: 55.0}),
        ([{"value": "400", "measurand": "Voltage", "phase": "L1-L2"}], {}),
        ([{"value": "broken"}, {"value": "nan"}, {"value": "AB==", "format": "SignedData"}], {}),
        (
            [{"value": "5", "measurand": POWER, "location": "Inlet"}, {"value": "4", "measurand": POWER}],
            {Quantity.POWER: 4.0},
        ),
    ],
)
def test_meter_values_are_read_however_they_are_written(
    sampled: list[dict[str, Any]], expected: dict[Any, Any]
) -> None:
    assert decode([{"timestamp": "2026-11-21T16:30:00Z", "sampledValue": sampled}], (1, 2, 3))[0].values == expected


def test_a_one_phase_charger_on_grid_phase_two_reports_it_there() -> None:
    sampled = [{"value": "10", "measurand": IMPORT, "phase": "L1"}]
    assert decode([{"sampledValue": sampled}], (2,))[0].values == {Quantity.CURRENT_L2: 10.0}


async def test_a_charger_with_a_wrong_clock_is_believed_once_its_samples_stream() -> None:
    clock = FakeClock()
    freshness = Freshness(clock)
    wrong = timedelta(hours=1)
    verdicts = []
    for _ in range(3):
        verdicts.append(freshness.age_s(clock.now() - wrong, 10.0))
        await clock.advance(10)
    assert verdicts == [None, 0.0, 0.0]


async def test_a_register_reset_in_a_session_keeps_the_energy_so_far_and_one_odd_value_changes_nothing() -> None:
    book = SessionBook("c", FakeSessions(), FakeClock())
    session = await book.start(1, "T", "now", START, 1000.0)
    for register in (3000.0, 0.0, 3100.0):
        await book.take_register(session.transaction, register)
    assert book.open_session(1).energy_wh == 2100.0  # type: ignore[union-attr]
    for register in (10.0, 110.0, 210.0):
        await book.take_register(session.transaction, register)
    assert book.open_session(1).energy_wh == 2300.0  # type: ignore[union-attr]


async def test_a_sample_is_stored_with_the_next_commit_and_makes_none_of_its_own() -> None:
    store = FakeSessions()
    book = SessionBook("c", store, FakeClock())
    session = await book.start(1, "T", "now", START, 0.0)
    for register in range(12):
        await book.take_register(session.transaction, float(register))
    assert store.saved == 1 and store.rows[session.transaction].energy_wh == 11.0


async def test_a_sample_that_comes_while_a_stop_is_stored_does_not_open_the_session_again() -> None:
    store = FakeSessions()
    book = SessionBook("c", store, FakeClock())
    session = await book.start(1, "T", "now", START, 0.0)
    stop = asyncio.create_task(book.stop(session, START, 500.0, "Local"))
    await asyncio.sleep(0)
    await asyncio.gather(stop, book.take_register(session.transaction, 400.0))
    assert store.rows[session.transaction].end is not None and store.rows[session.transaction].energy_wh == 500.0


async def test_a_stop_below_the_start_never_makes_negative_energy() -> None:
    store = FakeSessions()
    book = SessionBook("c", store, FakeClock())
    session = await book.start(1, "T", "now", START, 5000.0)
    await book.take_register(session.transaction, 6000.0)
    await book.stop(session, START, 3.0, "Local")
    assert store.rows[session.transaction].energy_wh == 1000.0


class Wire:
    """One end of an exchange in memory."""

    def __init__(self) -> None:
        self.sent: list[list[Any]] = []
        self.frames = FrameLog()
        self.dispatch = Dispatch(self._send, self._handle, lambda _: None, Schemas(), self.frames, FakeClock())

    async def _send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def _handle(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        if action == "DataTransfer":  # a handler that calls out while the charger waits for us
            await self.dispatch.call("ClearCache", {})
            return {"status": "Accepted"}
        return {"currentTime": "2026-11-21T16:30:00Z"}

    async def settle(self) -> None:
        await FakeClock.settle()


async def test_a_handler_may_call_out_without_a_deadlock() -> None:
    wire = Wire()
    work = asyncio.create_task(wire.dispatch.work())
    wire.dispatch.receive('[2,"a","DataTransfer",{"vendorId":"x"}]')
    await wire.settle()
    wire.dispatch.receive(json.dumps([3, wire.sent[0][1], {"status": "Accepted"}]))
    await wire.settle()
    assert wire.sent[1] == [3, "a", {"status": "Accepted"}]
    work.cancel()


async def test_only_one_call_is_outstanding_and_a_late_answer_is_never_anothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(dispatch.TIMEOUTS_S, "ClearCache", 0.02)
    wire = Wire()
    first = asyncio.create_task(wire.dispatch.call("ClearCache", {}))
    second = asyncio.create_task(wire.dispatch.call("Reset", {"type": "Soft"}))
    await wire.settle()
    assert len(wire.sent) == 1
    with pytest.raises(NoAnswer):
        await first
    await wire.settle()
    wire.dispatch.receive(json.dumps([3, wire.sent[0][1], {"status": "Accepted"}]))
    await wire.settle()
    assert not second.done()
    assert wire.frames.violations["late or unsolicited answer"] == 1
    wire.dispatch.receive(json.dumps([4, wire.sent[1][1], "NotSupported", "no", {}]))
    with pytest.raises(CallRefused, match="NotSupported"):
        await second


async def test_a_flood_of_calls_is_bounded_and_answered() -> None:
    wire = Wire()
    for index in range(dispatch.QUEUED_CALLS + 5):
        wire.dispatch.receive(json.dumps([2, str(index), "Heartbeat", {}]))
    work = asyncio.create_task(wire.dispatch.work())
    await wire.settle()
    assert [frame[2] for frame in wire.sent if frame[0] == 4] == ["GenericError"] * 5
    assert sum(frame[0] == 3 for frame in wire.sent) == dispatch.QUEUED_CALLS
    work.cancel()
