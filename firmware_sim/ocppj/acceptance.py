"""Which charging profiles a firmware takes, by the standards and by its quirks."""

from __future__ import annotations

from firmware_sim.ocppj import quirks
from firmware_sim.ocppj.line import Silent
from firmware_sim.ocppj.profiles import CEILINGS, DEFAULT_PURPOSE, TX_PURPOSE, Profile
from firmware_sim.ocppj.station import Station

MAX_STACK, MAX_PERIODS, MAX_PROFILES = 5, 24, 10


def stack_levels(habits: frozenset[str]) -> int:
    """The highest stack level this firmware announces."""
    return 0 if quirks.STACK0_ONLY in habits else MAX_STACK


def watts_only(habits: frozenset[str]) -> bool:
    """True where the firmware knows W and no A."""
    return bool(habits & {quirks.WATTS_ONLY, quirks.WATTS_WORD})


def fits_purpose(station: Station, profile: Profile) -> bool:
    """1.6 section 3.13.1, 2.0.1 K01: a ceiling on the whole station, a TxProfile inside its transaction."""
    if profile.purpose in CEILINGS:
        return profile.connector == 0 and quirks.MAX_REFUSED not in station.quirks
    if profile.purpose == DEFAULT_PURPOSE:
        return profile.connector == 0 or station.connector(profile.connector) is not None
    place = station.connector(profile.connector)
    running = place.transaction if place else None
    if running is None or (profile.transaction_id is None and quirks.TX_NEEDS_ID in station.quirks):
        return False
    return profile.transaction_id in (None, running.id, quirks.GARBAGE_ID)


def acceptable(station: Station, profile: Profile) -> bool:
    """False where this firmware's limits or quirks refuse the profile; raises Silent where they swallow it."""
    habits = station.quirks
    absolute = profile.kind in ("Absolute", "Recurring")
    if (absolute and quirks.RELATIVE_ONLY_SILENT in habits) or (
        profile.kind == "Relative" and quirks.ABSOLUTE_ONLY_SILENT in habits
    ):
        raise Silent
    refused = {
        quirks.SMART_OFF: True,
        quirks.REJECT_ABSOLUTE: absolute,
        quirks.REJECT_RELATIVE: profile.kind == "Relative",
        quirks.STACK0_ONLY: profile.stack_level > 0,
        quirks.WATTS_ONLY: profile.unit != "W",
        quirks.WATTS_WORD: profile.unit != "W",
        quirks.AMPS_ONLY: profile.unit != "A",
        quirks.NO_ZERO: any(limit == 0 for _, limit, _ in profile.periods),
        quirks.REJECT_TX: profile.purpose == TX_PURPOSE,
    }
    if any(refused.get(quirk, False) for quirk in habits):
        return False
    held = [other for other in station.profiles.profiles if other.id != profile.id]
    return profile.stack_level <= MAX_STACK and len(profile.periods) <= MAX_PERIODS and len(held) < MAX_PROFILES
