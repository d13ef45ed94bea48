"""What a car tells a charger of OCPP 2.x that it needs, and the schedule it is shown for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import current, home, stamp, until

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


@pytest.mark.slow
@VERSIONS
async def test_what_the_car_needs_is_on_the_status_and_a_schedule_follows(version: str) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place, version=version) as charger:
        await charger.boot()
        await charger.is_set_up()
        await charger.event("Started", register=0, state="EVConnected", evse=1)
        await station.apply(current(10, place.clock.now() + timedelta(minutes=2)))
        sent = len(charger.limits())
        departure = place.clock.now() + timedelta(hours=9)
        answer = await charger.send(
            "NotifyEVChargingNeeds",
            evseId=1,
            maxScheduleTuples=12,
            chargingNeeds={
                "requestedEnergyTransfer": "AC_three_phase",
                "departureTime": stamp(departure),
                "acChargingParameters": {
                    "energyAmount": 20000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 400,
                },
            },
        )  # fmt: skip
        assert answer == {"status": "Accepted"}
        needs = station.status().needs
        assert needs is not None
        assert (needs.departure, needs.energy_wh, needs.phases) == (departure, 20000.0, 3)
        assert (needs.min_current_a, needs.max_current_a) == (6.0, 16.0)
        assert ("cp1", "needs") in place.changes
        await until(lambda: len(charger.limits()) > sent)
        schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]}
        answer = await charger.send(
            "NotifyEVChargingSchedule", timeBase=stamp(place.clock.now()), evseId=1, chargingSchedule=schedule
        )
        assert answer == {"status": "Accepted"}
        await charger.event("Ended", register=10)
        assert station.status().needs is None


@pytest.mark.slow
@VERSIONS
async def test_a_car_that_told_its_needs_is_shown_the_plan_and_never_more_than_is_safe_without_us(version: str) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place, version=version) as charger:
        await charger.boot()
        await charger.is_set_up()
        await charger.event("Started", register=0, state="EVConnected", evse=1)
        now = place.clock.now()
        station.show_outlook([(now, 6900.0), (now + timedelta(hours=9), 0.0)])  # no needs yet: nothing to show
        await station.apply(current(10, now + timedelta(minutes=2)))
        assert len(schedule_of(charger.limits()[-1])["chargingSchedulePeriod"]) == 1
        needs = {"requestedEnergyTransfer": "AC_three_phase", "departureTime": stamp(now + timedelta(hours=8))}
        sent = len(charger.limits())
        await charger.send("NotifyEVChargingNeeds", evseId=1, chargingNeeds=needs)
        await until(lambda: len(charger.limits()) > sent)
        plan = [(now, 6900.0), (now + timedelta(hours=2), 0.0), (now + timedelta(hours=5), 11_040.0)]
        station.show_outlook([*plan, (now + timedelta(hours=24), 0.0)])
        await station.apply(current(10, now + timedelta(minutes=2)))
        schedule = schedule_of(charger.limits()[-1])
        shown = [(period["startPeriod"] - 60, period["limit"]) for period in schedule["chargingSchedulePeriod"]]
        assert shown == [(-60, 10.0), (120, 6.0), (7200, 0.0), (18_000, 6.0)]
        assert schedule["duration"] == 8 * 3600 + 60


def schedule_of(profile: dict[str, Any]) -> dict[str, Any]:
    schedule: dict[str, Any] = profile["chargingProfile"]["chargingSchedule"][0]
    return schedule


async def test_needs_of_a_car_that_gives_back_name_its_bounds_and_charge() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place, version="2.1") as charger:
        await charger.event("Started", state="EVConnected", evse=1)
        await charger.send(
            "NotifyEVChargingNeeds",
            evseId=1,
            chargingNeeds={
                "requestedEnergyTransfer": "DC_BPT",
                "controlMode": "DynamicControl",
                "dcChargingParameters": {
                    "evMaxCurrent": 100, "evMaxVoltage": 500, "stateOfCharge": 40, "evEnergyCapacity": 60000,
                },
                "v2xChargingParameters": {"maxChargePower": 11000, "maxDischargePower": 10000},
            },
        )  # fmt: skip
        needs = station.status().needs
        assert needs is not None and (needs.energy_wh, needs.max_power_w) == (36000.0, 11000.0)
        assert station.status().soc_percent == 40.0
