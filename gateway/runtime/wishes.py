"""Wishes from outside: preferences and overrides, checked, kept, and handed to tick and plan."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.model.audit import AuditRow
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.model.setpoint import Override
from gateway.model.site import Role, Site
from gateway.ports import Clock, FactStore, Store
from gateway.runtime.wish_bounds import bounded, check_new_times
from gateway.runtime.wish_check import check, check_new_agreements, check_new_hygiene
from gateway.runtime.wish_documents import preferences_document, preferences_from

log = logging.getLogger(__name__)

PREFERENCES = "preferences"
OVERRIDES = "overrides"
CONTROLLED = (
    Role.EV_CHARGER, Role.WATER_HEATER, Role.HEAT_PUMP, Role.BATTERY, Role.HYBRID_INVERTER, Role.POOL_PUMP,
    Role.APPLIANCE,
)  # fmt: skip


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
            self.preferences, changed = bounded(preferences_from(document), self.clock.now())
            for words in changed:
                log.warning("stored wishes: %s", words)
            self.overrides = tuple(_override_from(item) for item in kept.get("overrides", []))
        except (AttributeError, ValueError, TypeError, KeyError) as error:
            log.error("stored wishes cannot be read (%s): defaults hold until they are set again", error)

    def active(self) -> tuple[Override, ...]:
        """The overrides in force now."""
        now = self.clock.now()
        return tuple(o for o in self.overrides if o.start <= now < o.end)

    async def set_preferences(self, preferences: Preferences, who: str) -> None:
        """Keep new preferences; raises WishRefused with the reason when they cannot be."""
        check(preferences, self.site, self.clock.now())
        check_new_hygiene(preferences, self.preferences, self.site)
        check_new_agreements(preferences, self.preferences, self.clock.now())
        check_new_times(preferences, self.preferences, self.clock.now(), self.site.timezone)
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


async def kept_preferences(store: FactStore, now: datetime) -> Preferences:
    """The preferences as a gateway would take them up at `now`: within bounds, the defaults where they cannot be read."""
    document = await store.get(PREFERENCES)
    try:
        return bounded(preferences_from(document), now)[0] if document else Preferences()
    except (AttributeError, ValueError, TypeError, KeyError):
        return Preferences()


def _override_document(override: Override) -> dict[str, Any]:
    document = asdict(override)
    return document | {"start": override.start.isoformat(), "end": override.end.isoformat()}


def _override_from(document: dict[str, Any]) -> Override:
    start, end = datetime.fromisoformat(document["start"]), datetime.fromisoformat(document["end"])
    return Override(**document | {"start": start, "end": end})
