"""The home shown to other systems, and their wishes heard with the owner's authority: no more, no less."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time
from typing import Protocol

from gateway.model.dr import EventPhase, OptState
from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargeMode, Preferences
from gateway.model.snapshot import Snapshot
from gateway.ports import Clock
from gateway.runtime.home import Home

WHO = "Home Assistant"
OVERRIDE_MIN = 60.0
"""How long an override from outside lasts, minutes."""


class Display(Protocol):
    """Somewhere the home is shown, e.g. a broker."""

    async def update(
        self, snapshot: Snapshot, preferences: Preferences, *, opted_out: bool = False, headline: str = ""
    ) -> None:
        """Show what changed; never raises for an absent peer."""
        ...


@dataclass(slots=True)
class Outward:
    """Keeps one display up to date and grants what comes back from it."""

    home: Home
    clock: Clock
    display: Display | None = None

    async def run(self) -> None:
        """Show the home once a second until cancelled; a loop of its own, so that a dead peer delays no tick."""
        while True:
            snapshot = self.home.snapshot()
            if snapshot is not None and self.display is not None:
                await self.display.update(
                    snapshot, self.home.preferences(), opted_out=self.opted_out(), headline=self.home.headline()
                )
            await self.clock.sleep(1.0, real_floor=0.5)

    def opted_out(self) -> bool:
        """Whether an announced or running event was skipped."""
        return any(self.home.dr.records[event].opt is OptState.SKIPPED for event in self._pending())

    async def command(self, device: str, name: str, value: ChargeMode | time | float | bool | str) -> None:
        """One wish from outside; raises WishRefused with the reason."""
        preferences = self.home.preferences()
        wish = preferences.charging_of(device)
        if name == "charge_mode" and isinstance(value, ChargeMode):
            await self.home.set_preferences(preferences.with_charging(device, replace(wish, mode=value)), WHO)
        elif name == "ready_by" and isinstance(value, time):
            await self.home.set_preferences(preferences.with_charging(device, replace(wish, ready_by=value)), WHO)
        elif name == "battery_reserve_percent" and isinstance(value, float | int):
            await self.home.set_preferences(replace(preferences, battery_reserve_percent=float(value)), WHO)
        elif name == "override" and isinstance(value, str):
            await self.home.override(device, value, OVERRIDE_MIN, WHO)
        elif name == "dr_opt_out" and isinstance(value, bool):
            if value and not self._pending():
                raise WishRefused("No event of the utility is announced or running, so there is none to skip.")
            for event in self._pending():
                await self.home.opt(event, "skip" if value else "join", WHO)
        else:
            raise WishRefused(f"There is no wish '{name}' with the value {value!r}.")

    def _pending(self) -> list[str]:
        phases = (EventPhase.UPCOMING, EventPhase.ACTIVE)
        return [event for event in self.home.dr.records if self.home.dr.phase(event) in phases]
