"""Chargers written by others: the ocpp package's own charge points, each with its validation on, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v21 import ChargePoint as ChargePoint21
from ocpp.v21 import call as call21
from ocpp.v21 import call_result as result21
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from websockets.asyncio.client import connect

from gateway.model.snapshot import ChargePhase
from tests.adapters.ocpp_fakes import Home, current, home, stamp, until

LIBRARIES: dict[str, tuple[Any, Any, Any]] = {
    "1.6": (ChargePoint16, call16, result16),
    "2.0.1": (ChargePoint201, call201, result201),
    "2.1": (ChargePoint21, call21, result21),
}


def foreign(version: str) -> type[Any]:
    """A charge point of the library that takes everything and keeps what it was asked."""
    base, _, result = LIBRARIES[version]

    class Foreign(base):  # type: ignore[misc]
        def __init__(self, *parts: Any) -> None:
            super().__init__(*parts)
            self.profiles: list[dict[str, Any]] = []
            self.asked: list[str] = []

        @on("SetChargingProfile")
        async def take_profile(self, **fields: Any) -> Any:
            self.profiles.append(fields)
            return result.SetChargingProfile(status="Accepted")

        @on("TriggerMessage")
        async def refuse_trigger(self, **fields: Any) -> Any:
            self.asked.append("TriggerMessage")
            return result.TriggerMessage(status="NotImplemented")

        @on("GetCompositeSchedule")
        async def refuse_composite(self, **fields: Any) -> Any:
            return result.GetCompositeSchedule(status="Rejected")

        if version == "1.6":

            @on("GetConfiguration")
            async def tell(self, **fields: Any) -> Any:
                keys = [{"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "2"}]
                return result.GetConfiguration(configuration_key=keys, unknown_key=[])

            @on("ChangeConfiguration")
            async def change(self, **fields: Any) -> Any:
                self.asked.append(fields["key"])
                return result.ChangeConfiguration(status="Accepted")

        else:

            @on("GetVariables")
            async def get_variables(self, get_variable_data: list[Any], **fields: Any) -> Any:
                return result.GetVariables(
                    [{**item, "attribute_status": "UnknownVariable"} for item in get_variable_data]
                )

            @on("SetVariables")
            async def set_variables(self, set_variable_data: list[Any], **fields: Any) -> Any:
                self.asked += [item["variable"]["name"] for item in set_variable_data]
                return result.SetVariables(
                    [
                        {"component": item["component"], "variable": item["variable"], "attribute_status": "Accepted"}
                        for item in set_variable_data
                    ]
                )

            @on("GetBaseReport")
            async def report(self, **fields: Any) -> Any:
                self.asked.append("GetBaseReport")
                return result.GetBaseReport(status="NotSupported")

    return Foreign


@asynccontextmanager
async def dialled(place: Home, version: str) -> AsyncIterator[Any]:
    address = f"ws://127.0.0.1:{place.csms.port}/ocpp/CP1"
    async with connect(address, subprotocols=[f"ocpp{version}"]) as socket:  # type: ignore[list-item]
        charger = foreign(version)("CP1", socket)
        reader = asyncio.create_task(charger.start())
        try:
            yield charger
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


@pytest.mark.slow
async def test_a_foreign_16_charger_is_set_up_charges_and_obeys() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), dialled(place, "1.6") as charger:
        boot = await charger.call(call16.BootNotification(charge_point_model="M", charge_point_vendor="V"))
        assert boot.status == "Accepted"
        await until(lambda: "WebSocketPingInterval" in charger.asked)
        now = stamp(place.clock.now())
        await charger.call(
            call16.StatusNotification(connector_id=1, error_code="NoError", status="Preparing", timestamp=now)
        )
        assert (await charger.call(call16.Authorize(id_tag="T"))).id_tag_info["status"] == "Accepted"
        started = await charger.call(call16.StartTransaction(connector_id=1, id_tag="T", meter_start=5, timestamp=now))
        value = {"timestamp": now, "sampled_value": [{"value": "905", "unit": "Wh"}]}
        await charger.call(
            call16.MeterValues(connector_id=1, transaction_id=started.transaction_id, meter_value=[value])
        )
        await station.apply(current(10, place.clock.now() + timedelta(minutes=2)))
        assert charger.profiles[-1]["cs_charging_profiles"]["transaction_id"] == started.transaction_id
        stop = call16.StopTransaction(meter_stop=1005, timestamp=now, transaction_id=started.transaction_id)
        await charger.call(stop)
        await charger.call(call16.Heartbeat())
    (session,) = place.sessions.rows.values()
    assert session.energy_wh == 1000.0


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_a_foreign_2x_charger_is_set_up_charges_and_obeys(version: str) -> None:
    place = home()
    station = place.charger()
    call = LIBRARIES[version][1]
    async with place.serving(), dialled(place, version) as charger:
        boot = call.BootNotification(charging_station={"model": "M", "vendor_name": "V"}, reason="PowerUp")
        assert (await charger.call(boot)).status == "Accepted"
        await until(lambda: "GetBaseReport" in charger.asked)
        assert {"TxUpdatedInterval", "TxUpdatedMeasurands", "WebSocketPingInterval"} <= set(charger.asked)
        now = stamp(place.clock.now())
        await charger.call(
            call.StatusNotification(timestamp=now, connector_status="Occupied", evse_id=1, connector_id=1)
        )
        token = {"id_token": "CARD", "type": "ISO14443"}
        assert (await charger.call(call.Authorize(id_token=token))).id_token_info["status"] == "Accepted"
        for number, (kind, register, state) in enumerate(
            [("Started", 0, "EVConnected"), ("Updated", 900, "Charging"), ("Ended", 1000, "EVConnected")]
        ):
            if kind == "Ended":
                assert station.status().phase is ChargePhase.CHARGING
                await station.apply(current(10, place.clock.now() + timedelta(minutes=2)))
                assert charger.profiles[-1]["charging_profile"]["transaction_id"] == "TX"
            value = {"timestamp": now, "sampled_value": [{"value": register, "unit_of_measure": {"unit": "Wh"}}]}
            answer = await charger.call(
                call.TransactionEvent(
                    event_type=kind,
                    timestamp=now,
                    trigger_reason="ChargingStateChanged",
                    seq_no=number,
                    transaction_info={"transaction_id": "TX", "charging_state": state},
                    meter_value=[value],
                    **({"evse": {"id": 1}, "id_token": token} if number == 0 else {}),
                )
            )
            assert answer is not None
        needs = {"requested_energy_transfer": "AC_three_phase", "departure_time": now}
        assert (await charger.call(call.NotifyEVChargingNeeds(evse_id=1, charging_needs=needs))).status == "Accepted"
        assert await charger.call(call.SecurityEventNotification(type="StartupOfTheDevice", timestamp=now)) is not None
        assert await charger.call(call.Heartbeat()) is not None
    (session,) = place.sessions.rows.values()
    assert (session.energy_wh, session.tag) == (1000.0, "CARD")
