"""Wishes from other systems: the owner's authority, no more, no less."""

from __future__ import annotations

import asyncio
from datetime import time, timedelta
from typing import Any

import pytest

from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargeMode, Preferences
from gateway.runtime.outward import Outward
from gateway.runtime.wishes import OwnerWishes
from tests.core.homes import SITE, snapshot
from tests.fakes import START, FakeStore
from tests.runtime.test_demand_response import Utility, event


class Shown:
    """A display that keeps what it was shown."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []

    async def update(self, snap: object, preferences: Preferences, **more: Any) -> None:
        self.updates.append({"preferences": preferences, **more})


class Living:
    """The part of a Home that Outward uses, over the real wishes and the real DR loop."""

    def __init__(self) -> None:
        self.utility = Utility()
        self.dr = self.utility.dr
        self.clock = self.utility.clock
        self.wishes = OwnerWishes(SITE, self.clock, FakeStore(), lambda what: None)
        self.overridden: list[tuple[str, str, float, str]] = []

    def snapshot(self) -> object:
        return snapshot()

    def headline(self) -> str:
        return "All is well."

    def preferences(self) -> Preferences:
        return self.wishes.preferences

    async def set_preferences(self, preferences: Preferences, who: str) -> None:
        await self.wishes.set_preferences(preferences, who)

    async def override(self, device: str, action: str, minutes: float, who: str) -> str:
        self.overridden.append((device, action, minutes, who))
        return "done"

    async def opt(self, event_id: str, choice: str, who: str) -> str:
        await self.dr.opt(event_id, choice, who)
        return "done"


def outward() -> tuple[Outward, Living, Shown]:
    home, shown = Living(), Shown()
    return Outward(home, home.clock, shown), home, shown  # type: ignore[arg-type]


async def test_charge_mode_departure_and_reserve_become_preferences() -> None:
    made, home, _ = outward()
    await made.command("car", "charge_mode", ChargeMode.SOLAR)
    await made.command("car", "ready_by", time(6, 15))
    await made.command("", "battery_reserve_percent", 35.0)
    wish = home.preferences().charging_of("car")
    assert (wish.mode, wish.ready_by, home.preferences().battery_reserve_percent) == (
        ChargeMode.SOLAR,
        time(6, 15),
        35.0,
    )


@pytest.mark.parametrize(
    ("device", "name", "value"),
    [("", "battery_reserve_percent", 300.0), ("bus", "charge_mode", ChargeMode.NOW), ("car", "paint", "red")],
)
async def test_what_the_owner_could_not_wish_is_refused_from_outside_too(device: str, name: str, value: Any) -> None:
    made, home, _ = outward()
    with pytest.raises(WishRefused):
        await made.command(device, name, value)
    assert home.preferences() == Preferences()


async def test_opting_out_skips_announced_events_and_back_in_joins_them() -> None:
    made, home, _ = outward()
    await home.utility.look(event(START + timedelta(minutes=5)))
    await made.command("", "dr_opt_out", True)
    assert made.opted_out()
    await made.command("", "dr_opt_out", False)
    assert not made.opted_out()


async def test_opting_out_of_nothing_is_refused_in_words_and_opting_in_is_no_mistake() -> None:
    made, _, _ = outward()
    with pytest.raises(WishRefused, match="No event of the utility is announced"):
        await made.command("", "dr_opt_out", True)
    await made.command("", "dr_opt_out", False)
    assert not made.opted_out()


async def test_an_override_from_outside_has_an_end() -> None:
    made, home, _ = outward()
    await made.command("car", "override", "run")
    assert home.overridden == [("car", "run", 60.0, "Home Assistant")]


async def test_the_home_is_shown_every_second() -> None:
    made, home, shown = outward()
    task = asyncio.create_task(made.run())
    await home.clock.advance(3.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(shown.updates) == 4 and shown.updates[0]["headline"] == "All is well."
