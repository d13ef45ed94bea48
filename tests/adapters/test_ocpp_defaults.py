"""What a charger holds before a transaction and without us: the lower limit stands, and the safe one follows it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.model.site import ChargerSpec
from tests.adapters.ocpp2_fakes import Peer2, peer2
from tests.adapters.ocpp_fakes import Home, Peer, current, home, peer, until

Profile = tuple[int, dict[str, Any]]


class Flash:
    """The charging profiles of a charger, by id as OCPP has it; and what they combine to for EVSE 1."""

    def __init__(self, charger: Peer, refused: tuple[str, ...] = ()) -> None:
        self.held: dict[int, Profile] = {}
        self.seen: list[float | None] = []
        """What a car that plugs in is given, after each write."""
        self._clock, self._refused = charger.clock, refused
        charger.rules["SetChargingProfile"] = self._set
        charger.rules["ClearChargingProfile"] = self._clear

    def _set(self, payload: dict[str, Any]) -> dict[str, Any]:
        whole = payload.get("csChargingProfiles") or payload["chargingProfile"]
        if whole["chargingProfilePurpose"] in self._refused:
            return {"status": "Rejected"}
        number = whole.get("chargingProfileId") or whole["id"]
        self.held[number] = (payload.get("connectorId", payload.get("evseId", 0)), whole)
        self.seen.append(self.default_a())
        return {"status": "Accepted"}

    def _clear(self, payload: dict[str, Any]) -> dict[str, Any]:
        number = payload["id"] if "id" in payload else payload["chargingProfileId"]
        known = self.held.pop(number, None) is not None
        self.seen.append(self.default_a())
        return {"status": "Accepted" if known else "Unknown"}

    def default_a(self) -> float | None:
        """The limit of now: the highest stack counts, and the EVSE's own before the station's."""
        found = [each for each in self.held.values() if each[1]["chargingProfilePurpose"] == "TxDefaultProfile"]
        if not found:
            return None
        _, whole = max(found, key=lambda each: (each[1]["stackLevel"], each[0]))
        schedule = whole["chargingSchedule"]
        schedule = schedule[0] if isinstance(schedule, list) else schedule
        begun = datetime.fromisoformat(schedule["startSchedule"])
        begun_s = (self._clock.now() - begun).total_seconds()
        in_turn = [period for period in schedule["chargingSchedulePeriod"] if period["startPeriod"] <= begun_s]
        limit: float = in_turn[-1]["limit"]
        return limit


def _end(place: Home) -> Any:
    return place.clock.now() + timedelta(minutes=2)


SAFE_6 = ChargerSpec(safe_current_a=6)


@pytest.mark.parametrize("levels", ["0", "3"])
async def test_the_safe_default_never_outranks_the_zero_that_was_asked_for_before_set_up(levels: str) -> None:
    """Wrong before: 3 s after the 0 A came the safe 6 A under the same id, and the car drew it."""
    place = home()
    station = place.charger(spec=SAFE_6)
    async with place.serving(), peer2(place) as charger:
        charger.variables["SmartChargingCtrlr", "ProfileStackLevel"] = levels
        flash = Flash(charger)
        await until(lambda: station.status().connected)
        await station.apply(current(0, _end(place)))
        assert flash.default_a() == 0
        await charger.boot("Triggered")
        await charger.is_set_up()
        assert set(flash.seen) == {0}, "at no moment was a car given more"
        assert station.status().accepted_limit_a == 0
        await station.apply(current(6, _end(place)))
        await place.clock.advance(301)
        await station.apply(current(6, _end(place)))
        assert flash.default_a() == 6


async def test_a_lower_default_is_changed_where_it_stands_also_after_a_new_connection() -> None:
    place = home()
    station = place.charger(spec=SAFE_6)
    async with place.serving():
        async with peer2(place) as charger:
            charger.variables["SmartChargingCtrlr", "ProfileStackLevel"] = "3"
            flash = Flash(charger)
            await charger.boot()
            await charger.is_set_up()
            await station.apply(current(0, _end(place)))
            await place.clock.advance(301)
            await station.apply(current(6, _end(place)))
            assert {whole["stackLevel"] for _, whole in flash.held.values()} == {0, 3}
        await until(lambda: not station.status().connected)
        async with peer2(place) as charger:
            held, flash = flash.held, Flash(charger)
            flash.held = held
            await until(lambda: station.status().connected)
            await station.apply(current(0, _end(place)))
            assert flash.default_a() == 0


@pytest.mark.slow
@pytest.mark.parametrize("levels", ["0", "3"])
async def test_once_the_transaction_has_its_limit_a_dead_gateway_leaves_the_safe_current(levels: str) -> None:
    """Wrong before: the 0 A from before the transaction ruled for half an hour after its profile had ended."""
    place = home()
    station = place.charger(spec=SAFE_6)
    async with place.serving(), peer2(place) as charger:
        charger.variables["SmartChargingCtrlr", "ProfileStackLevel"] = levels
        flash = Flash(charger)
        await charger.boot()
        await charger.is_set_up()
        await station.apply(current(0, _end(place)))
        assert flash.default_a() == 0
        await charger.event("Started", state="EVConnected", evse=1)
        await station.apply(current(10, _end(place)))
        assert flash.default_a() == 6
        writes = len(flash.seen)
        for _ in range(3):
            await charger.event("Updated", state="Charging")
            await place.clock.advance(30)
            await station.apply(current(10, _end(place)))
        assert flash.default_a() == 6
        defaults = [
            each for each in charger.limits()[writes:] if "Default" in each["chargingProfile"]["chargingProfilePurpose"]
        ]
        assert defaults == [], "its memory is spared"


async def test_a_16_charger_too_falls_to_its_safe_current() -> None:
    place = home()
    station = place.charger(spec=SAFE_6)
    async with place.serving(), peer(place) as charger:
        keys = [{"key": "ChargeProfileMaxStackLevel", "value": "3", "readonly": True}]
        charger.rules["GetConfiguration"] = lambda _: {"configurationKey": keys}
        flash = Flash(charger)
        await charger.boot()
        await charger.is_set_up()
        await station.apply(current(0, _end(place)))
        assert flash.default_a() == 0
        await charger.start()
        await station.apply(current(10, _end(place)))
        assert flash.default_a() == 6


async def test_where_only_defaults_are_taken_the_limit_of_the_transaction_stays() -> None:
    place = home()
    station = place.charger(spec=SAFE_6)
    async with place.serving(), peer2(place) as charger:
        flash = Flash(charger, refused=("TxProfile",))
        await charger.boot()
        await charger.is_set_up()
        await station.apply(current(0, _end(place)))
        await charger.event("Started", state="EVConnected", evse=1)
        await place.clock.advance(301)  # its memory is spared: a raise waits
        await station.apply(current(10, _end(place)))
        assert flash.default_a() == 10
        await charger.boot("Triggered")
        await place.clock.advance(11)
        await place.clock.settle()
        assert flash.default_a() == 10


@pytest.mark.slow
async def test_flapping_transactions_wear_no_memory_by_taking_back() -> None:
    place = home()
    station = place.charger(spec=SAFE_6)
    async with place.serving(), peer2(place) as charger:
        charger.variables["SmartChargingCtrlr", "ProfileStackLevel"] = "3"
        Flash(charger)
        await charger.boot()
        await charger.is_set_up()
        for number in range(10):
            await station.apply(current(0, _end(place)))
            await charger.event("Started", f"T-{number}", state="EVConnected", evse=1)
            await station.apply(current(10, _end(place)))
            await charger.event("Ended", f"T-{number}", state="EVConnected")
            await place.clock.advance(5)
        assert _cleared(charger) == 1


def _cleared(charger: Peer2) -> int:
    return sum(action == "ClearChargingProfile" for action, _ in charger.calls)
