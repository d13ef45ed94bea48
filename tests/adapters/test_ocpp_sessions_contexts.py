"""What a stop tells of the begin beside the end, in any order and however stamped: the end counts."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.ocpp.drawn import Told
from gateway.model.quantity import Quantity
from gateway.model.reading import Reading
from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import home, peer, stamp

HOUR = 3600.0
BEGIN = {"value": "1000", "context": "Transaction.Begin"}
END = {"value": "5000", "context": "Transaction.End"}


@pytest.mark.parametrize(
    "data",
    [
        [("stop", [BEGIN, END])],
        [("stop", [END, BEGIN])],
        [("stop", [BEGIN]), ("stop", [END])],
        [("stop", [END]), ("stop", [BEGIN])],
        [("stop", [BEGIN])],
        [("start", [BEGIN]), ("stop", [END])],
        [("", [END]), ("", [BEGIN])],
    ],
    ids=["in one", "in one, end first", "both stamped with the stop", "both so, end first", "begin alone so stamped",
         "rightly stamped", "without stamps"],
)  # fmt: skip
@pytest.mark.parametrize("seen", [False, True], ids=["no sample before", "sampled before"])
async def test_a_16_stop_that_tells_the_begin_once_more(
    data: list[tuple[str, list[dict[str, Any]]]], seen: bool
) -> None:
    where = home()
    where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        number, began = await charger.start(meter=1000), where.clock.now()
        await where.clock.advance(HOUR / 2)
        if seen:
            await charger.meter({"value": "1900"}, transaction=number)
        await where.clock.advance(HOUR / 2)
        stamps = {"start": stamp(began), "stop": stamp(charger.now()), "": ""}
        told = [{"timestamp": stamps[when], "sampledValue": values} for when, values in data]
        await charger.send(
            "StopTransaction", transactionId=number, meterStop=5000, timestamp=stamps["stop"], transactionData=told
        )
    assert [row.energy_wh for row in where.sessions.rows.values()] == [4000]


@pytest.mark.parametrize("values", [[BEGIN, END], [END, BEGIN]], ids=["begin first", "end first"])
@pytest.mark.parametrize("seen", [False, True], ids=["no sample before", "sampled before"])
async def test_a_2x_ended_event_that_tells_the_begin_once_more(values: list[dict[str, Any]], seen: bool) -> None:
    where = home()
    where.charger()
    async with where.serving(), peer2(where) as charger:
        await charger.boot()
        await charger.event("Started", register=1000, evse=1)
        await where.clock.advance(HOUR / 2)
        if seen:
            await charger.event("Updated", register=1900)
        await where.clock.advance(HOUR / 2)
        sampled = [{**item, "value": float(item["value"])} for item in values]
        await charger.event("Ended", meterValue=[{"timestamp": stamp(charger.now()), "sampledValue": sampled}])
    assert [row.energy_wh for row in where.sessions.rows.values()] == [4000]


async def test_samples_that_all_bear_the_label_of_the_begin_are_measured() -> None:
    """Wrong before: nothing was, though their register rose; what is told of the begin with the end still counts not."""
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        number = await charger.start(meter=1000)
        for minute in range(1, 31):
            await where.clock.advance(60)
            power = {"value": "7200", "unit": "W", "measurand": "Power.Active.Import", "context": "Transaction.Begin"}
            await charger.meter({**BEGIN, "value": str(1000 + 120 * minute)}, power, transaction=number)
        session = connector.book.open_session()
        assert session is not None and (connector.live.power_w(), session.energy_wh) == (7200.0, 3600.0)
        await charger.stop(number, 4600)
    assert [row.energy_wh for row in where.sessions.rows.values()] == [3600]


@pytest.mark.parametrize("watts", [0, 1380, 7200])
@pytest.mark.parametrize("apart", [False, True], ids=["one message", "power and register by themselves"])
async def test_what_bears_the_label_of_the_begin_and_a_later_stamp_is_of_now(watts: int, apart: bool) -> None:
    """Wrong before: nothing was measured while the register stood near the start, or came in another message."""
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        number = await charger.start(meter=1000)
        power = {"value": str(watts), "unit": "W", "measurand": "Power.Active.Import", "context": "Transaction.Begin"}
        for step in range(1, 31):
            await where.clock.advance(10)
            register = {**BEGIN, "value": f"{1000 + watts * step / 360:.1f}"}
            for items in ([power], [register]) if apart else ([register, power],):
                await charger.meter(*items, transaction=number)
            assert connector.live.measured() == Told(watts, is_whole=True), step
        data = [{"timestamp": stamp(charger.now()), "sampledValue": [BEGIN, {**power, "value": "5"}]}]
        await charger.send(
            "StopTransaction", transactionId=number, meterStop=1000 + watts // 12, timestamp=stamp(charger.now()),
            transactionData=data,
        )  # fmt: skip
    assert [row.energy_wh for row in where.sessions.rows.values()] == [watts // 12]


@pytest.mark.parametrize("apart", [False, True], ids=["beside the sample", "a message of its own"])
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_the_begin_that_is_repeated_with_the_stamp_of_now_is_not_of_now(version: str, apart: bool) -> None:
    """Wrong before: the register and the power of the start were measured in turn with those of now: 0 Wh each quarter."""
    where = home()
    connector = where.charger()
    watts = {"unit": "W"} if version == "1.6" else {"unitOfMeasure": {"unit": "W"}}
    number = (lambda value: f"{value:.1f}") if version == "1.6" else float
    begin = [
        {"value": number(1000), "context": "Transaction.Begin"},
        {"value": number(0), "measurand": "Power.Active.Import", "context": "Transaction.Begin", **watts},
    ]
    async with where.serving(), (peer if version == "1.6" else peer2)(where) as charger:
        await charger.boot()
        transaction = 0
        if version == "1.6":
            transaction = await charger.start(meter=1000)
        else:
            await charger.event("Started", register=1000, evse=1)

        async def tell(values: list[dict[str, Any]]) -> None:
            if version == "1.6":
                await charger.meter(*values, transaction=transaction)
            else:
                await charger.event("Updated", meterValue=[{"timestamp": stamp(charger.now()), "sampledValue": values}])

        for step in range(1, 61):
            await where.clock.advance(30)
            now = [
                {"value": number(1000 + step), "context": "Sample.Periodic"},
                {"value": number(120), "measurand": "Power.Active.Import", "context": "Sample.Periodic", **watts},
            ]
            published: list[Reading] = []
            if step > 3:
                connector.measured = lambda readings, published=published: published.extend(readings)
            for values in [now, begin] if apart else [begin + now]:
                await tell(values)
            if step > 3:
                assert [(each.quantity, each.value) for each in published] == [
                    (Quantity.POWER, 120.0), (Quantity.ENERGY_IMPORT, 1000.0 + step),
                ], step  # fmt: skip
    assert [row.energy_wh for row in where.sessions.rows.values()] == [60]
