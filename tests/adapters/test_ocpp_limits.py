"""Limits on chargers with quirks: each ends at the wanted current, or says that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.ocpp import rpc
from adapters.ocpp.rungs import Rung, allowed_current, encoded_limit, ladder
from adapters.ocpp.v16.profiles import Profiles16
from gateway.model.errors import CommandRefused, DeviceUnreachable
from gateway.model.site import ChargerSpec
from tests.adapters.ocpp_fakes import Home, Peer, current, home, peer, until

Profile = dict[str, Any]


def _rules(charger: Peer, accepts: Callable[[Profile], bool]) -> None:
    charger.rules["SetChargingProfile"] = lambda payload: {
        "status": "Accepted" if accepts(payload["csChargingProfiles"]) else "Rejected"
    }


def _announce(charger: Peer, **values: str) -> None:
    keys = [{"key": key, "value": value, "readonly": False} for key, value in values.items()]
    charger.rules["GetConfiguration"] = lambda _: {"configurationKey": keys}


def _limit(profile: Profile, now: datetime | None = None) -> float:
    """The first limit, or that of `now` in a schedule that began long ago."""
    schedule = profile["chargingSchedule"]
    periods = schedule["chargingSchedulePeriod"]
    if now is not None and "startSchedule" in schedule:
        begun_s = (now - datetime.fromisoformat(schedule["startSchedule"])).total_seconds()
        periods = [each for each in periods if each["startPeriod"] <= begun_s][-1:]
    value: float = periods[0]["limit"]
    return value


def _drawing(amps: float) -> list[dict[str, str]]:
    return [{"measurand": "Current.Import", "phase": f"L{n}", "value": f"{amps}", "unit": "A"} for n in (1, 2, 3)]


def _end(place: Home) -> Any:
    return place.clock.now() + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("wish", "sent"),
    [(16.0, 16.0), (40.0, 16.0), (6.05, 6.0), (6.3, 6.3), (6.0, 6.0), (5.99, 0.0), (0.4, 0.0), (0.0, 0.0)],
)
def test_a_wish_is_floored_and_never_between_zero_and_six(wish: float, sent: float) -> None:
    assert allowed_current(wish, 6.0, 16.0) == sent


def test_watts_are_amperes_times_phases_times_voltage() -> None:
    assert encoded_limit(6.0, "W", 3, 230.0) == 4140.0
    assert encoded_limit(6.0, "W", 1, 231.7) == 1391.0


def test_the_ladder_tries_transaction_profiles_and_the_top_stack_first() -> None:
    rungs = ladder(8, ("A", "W"), Profiles16.purposes)
    assert rungs[:2] == [Rung("TxProfile", "Absolute", 8, "A"), Rung("TxProfile", "Relative", 8, "A")]
    assert {rung.unit for rung in rungs[:10]} == {"A"}


QUIRKS: list[tuple[str, Callable[[Profile], bool], str, float]] = [
    ("Q1 Max profile refused", lambda p: p["chargingProfilePurpose"] != "ChargePointMaxProfile", "TxProfile", 10.0),
    ("Q2 TxProfile refused", lambda p: p["chargingProfilePurpose"] != "TxProfile", "TxDefaultProfile", 10.0),
    ("Q2 only Max", lambda p: p["chargingProfilePurpose"] == "ChargePointMaxProfile", "ChargePointMaxProfile", 10.0),
    ("Q3 relative only", lambda p: p["chargingProfileKind"] == "Relative", "TxProfile", 10.0),
    ("Q4 stack 0 only", lambda p: p["stackLevel"] == 0, "TxProfile", 10.0),
    ("Q5 watts only", lambda p: p["chargingSchedule"]["chargingRateUnit"] == "W", "TxProfile", 6900.0),
    ("whole amps only", lambda p: _limit(p) == int(_limit(p)), "TxProfile", 10.0),
]


@pytest.mark.parametrize(("name", "accepts", "purpose", "sent"), QUIRKS, ids=[quirk[0] for quirk in QUIRKS])
async def test_a_quirky_charger_ends_at_the_wanted_current(
    name: str, accepts: Callable[[Profile], bool], purpose: str, sent: float
) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        _announce(charger, ChargeProfileMaxStackLevel="4")
        _rules(charger, accepts)
        await charger.boot()
        await charger.is_set_up()
        await charger.start()
        wish = 10.9 if name.startswith("whole") else 10.0
        await station.apply(current(wish, _end(place)))
        assert station.status().accepted_limit_a == 10.0
        assert (charger.limits()[-1]["chargingProfilePurpose"], _limit(charger.limits()[-1], place.clock.now())) == (
            purpose,
            sent,
        )
        before = len(charger.limits())
        await station.apply(current(8, _end(place)))
        assert len(charger.limits()) == before + 1
        # Seen working, not just accepted.
        await place.clock.advance(8)
        await charger.meter({"measurand": "Current.Offered", "value": "8.0", "unit": "A"}, *_drawing(8.0))
        await station.apply(current(8, _end(place)))
        assert station.limiter.seen_working
    # The way that worked is known for the make, also after a restart of the gateway.
    after = Home(place.clock, place.sessions, place.facts)
    station = after.charger()
    async with after.serving(), peer(after) as charger:
        _rules(charger, accepts)
        await until(lambda: station.status().connected)
        await station.apply(current(7, _end(after)))
        assert len(charger.limits()) == 1


async def test_zero_refused_becomes_a_remote_stop_and_a_later_wish_starts_it_again() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        _rules(charger, lambda p: _limit(p) >= 6)
        await charger.boot()
        await charger.status("Preparing")
        transaction = await charger.start(tag="MINE")
        await charger.status("Charging")
        await station.apply(current(10, _end(place)))
        await station.apply(current(0, _end(place)))
        assert ("RemoteStopTransaction", {"transactionId": transaction}) in charger.calls
        assert station.status().accepted_limit_a == 0.0
        await charger.stop(transaction, 2000)
        await charger.status("Finishing")
        await station.apply(current(10, _end(place)))
        action, start = charger.calls[-1]
        assert (action, start["idTag"], start["connectorId"]) == ("RemoteStartTransaction", "MINE", 1)
        inside = start["chargingProfile"]
        assert (inside["chargingProfilePurpose"], _limit(inside)) == ("TxProfile", 10.0)
        assert "transactionId" not in inside


async def test_zero_and_remote_stop_refused_becomes_a_change_of_availability() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        _rules(charger, lambda p: _limit(p) >= 6)
        charger.rules["RemoteStopTransaction"] = lambda _: {"status": "Rejected"}
        charger.rules["ChangeAvailability"] = lambda _: {"status": "Scheduled"}
        await charger.start()
        await station.apply(current(0, _end(place)))
        assert ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}) in charger.calls


async def test_a_charger_that_refuses_everything_says_so() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        _rules(charger, lambda _: False)
        await charger.start()
        with pytest.raises(CommandRefused):
            await station.apply(current(10, _end(place)))


async def test_a_kind_that_is_never_answered_is_skipped_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rpc.TIMEOUTS_S, "SetChargingProfile", 0.05)
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        charger.rules["SetChargingProfile"] = lambda payload: (
            None if payload["csChargingProfiles"]["chargingProfileKind"] == "Absolute" else {"status": "Accepted"}
        )
        await charger.start()
        with pytest.raises(DeviceUnreachable):
            await station.apply(current(10, _end(place)))
        await station.apply(current(10, _end(place)))
        assert "Relative" in station.status().rung


async def test_a_limit_ends_at_its_until_and_falls_to_the_safe_default() -> None:
    place = home()
    station = place.charger(spec=ChargerSpec(safe_current_a=6.0))
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        default = charger.limits()[0]
        assert (default["chargingProfilePurpose"], _limit(default)) == ("TxDefaultProfile", 6.0)
        assert "validTo" not in default and "duration" not in default["chargingSchedule"]
        await charger.start()
        await station.apply(current(16, _end(place)))
        profile = charger.limits()[-1]
        assert profile["chargingSchedule"]["duration"] == 180  # starts a minute in the past
        assert profile["validTo"] == "2026-11-21T16:32:00.000Z"
        place.clock.step(121)
        assert station.status().accepted_limit_a == 6.0


async def test_before_a_transaction_only_a_wish_below_the_safe_default_is_sent() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        await charger.status("Preparing")
        await charger.is_set_up()
        sent = len(charger.limits())
        await station.apply(current(16, _end(place)))
        assert (len(charger.limits()), station.status().accepted_limit_a) == (sent, 6.0)
        await station.apply(current(0, _end(place)))
        assert (charger.limits()[-1]["chargingProfilePurpose"], _limit(charger.limits()[-1])) == ("TxDefaultProfile", 0)


async def test_the_wish_is_told_anew_when_a_transaction_starts() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        await station.apply(current(16, _end(place)))
        transaction = await charger.start()
        await until(lambda: charger.limits()[-1].get("transactionId") == transaction)
        await until(lambda: station.status().accepted_limit_a == 16.0)


async def test_a_limit_not_honoured_escalates_to_a_stop_and_at_last_says_so() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.start()
        await station.apply(current(10, _end(place)))
        names = [await station.next_rung() for _ in range(9)]
        assert [name.split(",")[0] for name in names] == [
            "the same again",
            "TxProfile Absolute",
            "TxProfile Relative",
            "TxDefaultProfile Absolute",
            "TxDefaultProfile Relative",
            "ChargePointMaxProfile Absolute",
            "TxProfile Relative",
            "RemoteStop",
            "ChangeAvailability",
        ]
        assert names[1].endswith("W") and names[2].endswith("A"), "the other unit is tried early"
        assert "RemoteStopTransaction" in [action for action, _ in charger.calls]
        with pytest.raises(CommandRefused):
            await station.next_rung()


async def test_a_default_profile_is_not_left_in_the_shade_of_an_older_transaction_profile() -> None:
    """Wrong before: the TxProfile of the rung left behind ruled on for up to two minutes (section 3.13.1)."""
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.start()
        await station.apply(current(16, _end(place)))
        await station.apply(current(0, _end(place)))
        assert (await station.next_rung()).startswith("the same again")
        assert (await station.next_rung()).startswith("TxProfile Absolute, stack 0, W")
        assert (await station.next_rung()).startswith("TxProfile")
        assert (await station.next_rung()).startswith("TxDefaultProfile")
        actions = [(action, payload) for action, payload in charger.calls if "ChargingProfile" in action]
        assert actions[-1] == ("ClearChargingProfile", {"id": 3})
        assert actions[-2][1]["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile"


async def test_measurands_are_probed_one_by_one_when_the_list_is_refused() -> None:
    place = home()
    place.charger()
    async with place.serving(), peer(place) as charger:
        known = {"Energy.Active.Import.Register", "Power.Active.Import", "Current.Import"}

        def change(payload: dict[str, Any]) -> dict[str, Any]:
            refused = payload["key"] == "MeterValuesSampledData" and not set(payload["value"].split(",")) <= known
            return {"status": "Rejected" if refused else "Accepted"}

        charger.rules["ChangeConfiguration"] = change
        await charger.boot()
        await charger.is_set_up()
        chosen = [p["value"] for a, p in charger.calls if a == "ChangeConfiguration" and "Sampled" in p["key"]][-1]
        assert set(chosen.split(",")) == known


async def test_a_charger_without_boot_notification_is_asked_and_set_up_anyway() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        charger.rules["TriggerMessage"] = lambda _: {"status": "NotImplemented"}
        await until(lambda: station.status().connected)
        await place.clock.advance(3)
        await charger.is_set_up()
        assert charger.calls[0] == ("TriggerMessage", {"requestedMessage": "BootNotification"})
        assert charger.limits()


async def test_set_up_goes_on_when_every_step_is_refused() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        for action in ("GetConfiguration", "ChangeConfiguration", "TriggerMessage", "SetChargingProfile"):
            charger.rules[action] = lambda _: {"status": "NotSupported", "nonsense": [1]}
        await charger.boot()
        await charger.is_set_up()
        assert station.status().connected
        assert await charger.send("Heartbeat")
