"""Wishes from outside: preferences and overrides, checked, kept, and handed to tick and plan."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, time, timedelta
from typing import Any

from gateway.model.audit import AuditRow
from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargeMode, ChargingPreference, DrPolicy, Preferences
from gateway.model.setpoint import Override
from gateway.model.site import Role, Site
from gateway.ports import Clock, Store

log = logging.getLogger(__name__)

PREFERENCES = "preferences"
OVERRIDES = "overrides"
CONSENTS = {"binding", "voluntary", "none"}
CONTROLLED = (Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.BATTERY, Role.HYBRID_INVERTER)


@dataclass(slots=True)
class OwnerWishes:
    """The owner's preferences and overrides, committed before anybody is told they hold."""

    site: Site
    clock: Clock
    store: Store
    on_change: Callable[[str], None]
    preferences: Preferences = field(default_factory=Preferences)
    overrides: tuple[Override, ...] = ()
    _count: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One wish after the other: two at once would each write without the other."""

    async def resume(self) -> None:
        """Take up what was wished before a restart; what another version wrote and this one cannot read is left."""
        document = await self.store.get(PREFERENCES) or {}
        kept = await self.store.get(OVERRIDES) or {}
        try:
            self.preferences = preferences_from(document)
            self.overrides = tuple(_override_from(item) for item in kept.get("overrides", []))
        except (ValueError, TypeError, KeyError) as error:
            log.error("stored wishes cannot be read (%s): defaults hold until they are set again", error)

    def active(self) -> tuple[Override, ...]:
        """The overrides in force now."""
        now = self.clock.now()
        return tuple(o for o in self.overrides if o.start <= now < o.end)

    async def set_preferences(self, preferences: Preferences, who: str) -> None:
        """Keep new preferences; raises WishRefused with the reason when they cannot be."""
        _check(preferences, self.site)
        async with self._turn:
            await self.store.put(PREFERENCES, preferences_document(preferences))
            self.preferences = preferences
        # In force first, then the paper: the tick must not wait for the audit.
        self.on_change("preference")
        await self.store.append(AuditRow(self.clock.now(), "asked", "preferences", f"{who} changed the preferences"))

    async def override(self, device_id: str, action: str, minutes: float, who: str, event: str) -> Override | None:
        """Start an override of `minutes` (or, with action "auto", end the running one); raises WishRefused."""
        device = self.site.device(device_id)
        if device is None or device.role not in CONTROLLED:
            raise WishRefused(f"There is no controllable device '{device_id}'.")
        if action not in ("run", "pause", "auto"):
            raise WishRefused(f"'{action}' is not an override; use run, pause or auto.")
        if action != "auto" and not 1 <= minutes <= 24 * 60:
            raise WishRefused("An override lasts between 1 minute and 24 hours.")
        async with self._turn:
            made = self._made(device_id, action, minutes, who, event) if action != "auto" else None
            rest = tuple(o for o in self.active() if o.device != device_id)
            overrides = (*rest, made) if made else rest
            await self.store.put(OVERRIDES, {"overrides": [_override_document(o) for o in overrides]})
            self.overrides = overrides
        self.on_change("override")
        words = f"{who}: {action} until {made.end:%H:%M} UTC" if made else f"{who}: the override ends now"
        await self.store.append(AuditRow(self.clock.now(), "asked", device_id, words, 4, event))
        return made

    def _made(self, device: str, action: str, minutes: float, who: str, event: str) -> Override:
        now = self.clock.now()
        self._count += 1
        name = f"{device}-{now:%Y%m%dT%H%M%S}-{self._count}"
        return Override(name, device, action, now, now + timedelta(minutes=minutes), who, event)


def preferences_document(preferences: Preferences) -> dict[str, Any]:
    """Preferences as a JSON document."""
    document = asdict(preferences)
    document["dr_policy"] = preferences.dr_policy.value
    document["vacation_until"] = preferences.vacation_until.isoformat() if preferences.vacation_until else None
    document["charging"] = {
        charger: {
            "mode": wish.mode.value,
            "ready_by": wish.ready_by.isoformat("minutes"),
            "target_wh": wish.target_wh,
            "target_soc_percent": wish.target_soc_percent,
        }
        for charger, wish in preferences.charging.items()
    }
    return document


def preferences_from(document: dict[str, Any]) -> Preferences:
    """Preferences from their document; what a later version added or removed is left at its default."""
    known = {f.name for f in fields(Preferences)}
    values = {key: value for key, value in document.items() if key in known}
    values["dr_policy"] = DrPolicy(values.get("dr_policy", DrPolicy.JOIN))
    if values.get("vacation_until"):
        values["vacation_until"] = datetime.fromisoformat(values["vacation_until"])
    values["charging"] = {
        charger: ChargingPreference(
            ChargeMode(wish["mode"]),
            time.fromisoformat(wish["ready_by"]),
            float(wish["target_wh"]),
            float(wish.get("target_soc_percent", 100.0)),
        )
        for charger, wish in values.get("charging", {}).items()
    }
    return replace(Preferences(), **values)


def _check(preferences: Preferences, site: Site) -> None:
    if not 5 <= preferences.comfort_low_c <= preferences.comfort_high_c <= 30:
        raise WishRefused("The comfort band must lie between 5 and 30 °C, lower end first.")
    if not 0 <= preferences.battery_reserve_percent <= 100:
        raise WishRefused("The battery reserve is a percentage between 0 and 100.")
    if not 30 <= preferences.water_min_c <= 70:
        raise WishRefused("The least water temperature lies between 30 and 70 °C.")
    if preferences.vacation_until is not None and preferences.vacation_until.tzinfo is None:
        raise WishRefused("The end of the vacation needs its time zone.")
    if preferences.carbon_weight_micro_per_kg < 0:
        raise WishRefused("What avoiding CO2 is worth cannot be negative.")
    if unknown := set(preferences.consents.values()) - CONSENTS:
        raise WishRefused(f"'{sorted(unknown)[0]}' is not a consent; use binding, voluntary or none.")
    chargers = {device.id for device in site.of_role(Role.EV_CHARGER)}
    for charger, wish in preferences.charging.items():
        if charger not in chargers:
            raise WishRefused(f"There is no charger '{charger}'.")
        if not 0 <= wish.target_wh <= 200_000:
            raise WishRefused("The charging target lies between 0 and 200 kWh.")
        if not 0 <= wish.target_soc_percent <= 100:
            raise WishRefused("The state of charge to reach is a percentage between 0 and 100.")


def _override_document(override: Override) -> dict[str, Any]:
    document = asdict(override)
    return document | {"start": override.start.isoformat(), "end": override.end.isoformat()}


def _override_from(document: dict[str, Any]) -> Override:
    start, end = datetime.fromisoformat(document["start"]), datetime.fromisoformat(document["end"])
    return Override(**document | {"start": start, "end": end})
