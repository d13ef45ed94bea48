"""Smart charging and remote control of OCPP 2.x: part 2, blocks K and F."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from firmware_sim.ocpp2.profiles import asked, broken_rule, matches, parse
from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.acceptance import acceptable, fits_purpose, watts_only
from firmware_sim.ocppj.car import stamp
from firmware_sim.ocppj.connector import Connector, RemoteStart
from firmware_sim.ocppj.line import UNREACHABLE, Payload
from firmware_sim.ocppj.profiles import Profile

if TYPE_CHECKING:
    from firmware_sim.ocpp2.station import Station2


def set_charging_profile(station: Station2, payload: Payload) -> Payload:
    """K01; a broken rule of the block counts as an error of the wire."""
    raw = payload["chargingProfile"]
    if rule := broken_rule(payload["evseId"], raw):
        station.line.wire_errors.append(f"SetChargingProfile: {rule}")
        return _refused("InvalidProfile", rule)
    profile = parse(payload["evseId"], raw, station.clock.now())
    if not fits_purpose(station, profile):
        return _refused("TxNotFound" if profile.purpose == "TxProfile" else "InvalidProfile", profile.purpose)
    if not acceptable(station, profile):
        return _refused("UnsupportedParam", "this firmware does not take such a profile")
    if quirks.LIE not in station.quirks:
        station.profiles.install(profile)
        station.soon(station.follow_limits)
    if station.awaits_schedule and profile.purpose == "TxProfile":
        station.awaits_schedule = False
        station.later(_tell_schedule(station, profile))
    return {"status": "Accepted"}


async def _tell_schedule(station: Station2, profile: Profile) -> None:
    """NotifyEVChargingSchedule: the car follows what it was offered (K15.FR.10)."""
    assert profile.raw is not None
    schedule = profile.raw["chargingSchedule"][0]
    told = {"timeBase": stamp(station.clock.now()), "evseId": profile.connector, "chargingSchedule": schedule}
    try:
        await station.line.call("NotifyEVChargingSchedule", told)
    except UNREACHABLE:
        return


def clear_charging_profile(station: Station2, payload: Payload) -> Payload:
    """K10."""
    if quirks.LIE in station.quirks:
        return {"status": "Accepted"}
    cleared = station.profiles.clear(lambda held: matches(payload, held))
    station.soon(station.follow_limits)
    return {"status": "Accepted" if cleared else "Unknown"}


def get_charging_profiles(station: Station2, payload: Payload) -> Payload:
    """K09."""
    wanted = payload["chargingProfile"]
    held = [one for one in station.profiles.profiles if asked(wanted, payload.get("evseId"), one)]
    if not held:
        return {"status": "NoProfiles"}
    station.later(_report(station, payload["requestId"], sorted(held, key=lambda one: one.connector)))
    return {"status": "Accepted"}


async def _report(station: Station2, request_id: int, held: list[Profile]) -> None:
    groups = [(evse, list(some)) for evse, some in groupby(held, lambda one: one.connector)]
    for index, (evse, some) in enumerate(groups):
        message = {
            "requestId": request_id,
            "chargingLimitSource": "CSO",
            "evseId": evse,
            "tbc": index < len(groups) - 1,
            "chargingProfile": [one.raw for one in some],
        }
        try:
            await station.line.call("ReportChargingProfiles", message)
        except UNREACHABLE:
            return


def get_composite_schedule(station: Station2, payload: Payload) -> Payload:
    """K08: what the profiles together allow from now on."""
    number, seconds = payload["evseId"], payload["duration"]
    places = station.places(number)
    if not places:
        return {"status": "Rejected"}
    unit = payload.get("chargingRateUnit") or ("W" if watts_only(station.options.quirks) else "A")
    now, supply, rating_a = station.clock.now(), places[0].car.supply(), station.options.max_current_a
    session = station.session_of(number)
    parts = station.profiles.composite(now, seconds, session, supply, rating_a, places[0].number)
    per_amp = 1.0 if unit == "A" else supply.voltage_v * supply.phases
    periods: list[dict[str, Any]] = [
        {"startPeriod": round(at_s), "limit": round(amps * per_amp, 1), "numberPhases": supply.phases}
        for at_s, amps in parts
    ]
    if quirks.COMPOSITE_NONSENSE in station.quirks:
        seconds, periods = 8_600_000_000_000, [{"startPeriod": 0, "limit": 0.0}]
    schedule = {
        "evseId": number,
        "duration": seconds,
        "scheduleStart": stamp(now),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    return {"status": "Accepted", "schedule": schedule}


def request_start(station: Station2, payload: Payload) -> Payload:
    """F01, F02: starts at once with a car, else when one is plugged within EVConnectionTimeOut."""
    number, raw = payload.get("evseId"), payload.get("chargingProfile")
    place = station.connector(number) if number else _best(station.connectors)
    if place is None or place.transaction or not (station.operative and place.operative) or place.broken or place.stuck:
        return _refused("TxInProgress" if place and place.transaction else "NotAvailable", "")
    if raw and (rule := _broken_start(place.number, raw)):
        station.line.wire_errors.append(f"RequestStartTransaction: {rule}")
        return _refused("InvalidProfile", rule)
    profile = parse(place.number, raw, station.clock.now()) if raw else None
    if profile and not acceptable(station, profile):
        return _refused("UnsupportedParam", "this firmware does not take such a profile")
    tag, wish = payload["idToken"]["idToken"], payload["remoteStartId"]
    place.remote_start = RemoteStart(tag, station.clock.now(), profile, wish)
    return {"status": "Accepted"}


def _broken_start(evse: int, raw: dict[str, Any]) -> str | None:
    if raw["chargingProfilePurpose"] != "TxProfile" or "transactionId" in raw:
        return "only a TxProfile without transactionId may come with a start (F01.FR.09, FR.11)"
    return broken_rule(evse, raw, remote_start=True)


def request_stop(station: Station2, payload: Payload) -> Payload:
    """F03."""
    for place in station.connectors:
        if place.transaction and place.transaction.id == payload["transactionId"]:
            station.soon(lambda place=place: station.end(place, "Remote"))  # type: ignore[misc]
            return {"status": "Accepted"}
    return _refused("TxNotFound", "")


def _best(connectors: list[Connector]) -> Connector | None:
    """The free EVSE with a car, else the first free one."""
    free = [connector for connector in connectors if connector.transaction is None]
    return next((connector for connector in free if connector.car.plugged), free[0] if free else None)


def _refused(code: str, why: str) -> Payload:
    return {"status": "Rejected", "statusInfo": {"reasonCode": code, "additionalInfo": why[:512]}}
