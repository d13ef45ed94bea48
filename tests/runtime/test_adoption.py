"""Adopting a waiting charger: trust first, then the site file, then the running gateway; or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.model.charging import WaitingCharger
from gateway.model.errors import StoreError, WishRefused
from gateway.runtime.adoption import Adoption, Newcomer
from tests.fakes import START


class Door:
    name = "chargers"

    def __init__(self, profile: int = 1) -> None:
        self.profile = profile
        self.broken = False
        self.trusted: list[str] = []

    def waiting(self) -> list[WaitingCharger]:
        return [WaitingCharger("CP 7", "192.168.1.9", START, START), WaitingCharger("", "192.168.1.8", START, START)]

    async def trust(self, identity: str) -> int:
        if self.broken:
            raise StoreError("the disk is full")
        self.trusted.append(identity)
        return self.profile


class Story:
    """What adoption does to the site file and the gateway."""

    def __init__(self, door: Door, refuse: str = "") -> None:
        self.done: list[tuple[str, Mapping[str, Any]] | str] = []
        self.refuse = refuse
        self.adoption = Adoption([door], self._add, lambda: self.done.append("taken up"))

    def _add(self, device: str, entry: Mapping[str, Any]) -> None:
        if self.refuse:
            raise WishRefused(self.refuse)
        self.done.append((device, entry))

    async def adopt(self, identity: str = "CP 7", connector: int = 1) -> str:
        return await self.adoption.adopt(Newcomer(identity, "garage", "Garage", (2, 3, 1), 16.0, connector), "ann")


async def test_trust_comes_before_the_site_file_and_the_gateway_takes_it_up_last() -> None:
    door = Door()
    story = Story(door)
    assert "part of the home" in await story.adopt()
    (device, entry), last = story.done
    assert (door.trusted, device, last) == (["CP 7"], "garage", "taken up")
    assert entry == {
        "name": "Garage",
        "role": "ev_charger",
        "connection": "chargers",
        "charge_point_id": "CP 7",
        "security_profile": 1,
        "charger": {"phases": [2, 3, 1], "max_current_a": 16.0, "safe_current_a": 6.0},
    }


async def test_a_charger_without_a_password_is_profile_0_in_so_many_words() -> None:
    story = Story(Door(profile=0))
    assert "no password yet" in await story.adopt(connector=2)
    entry = story.done[0][1]
    assert isinstance(entry, dict)
    assert (entry["security_profile"], entry["connector"]) == (0, 2)


@pytest.mark.parametrize("identity", ["CP8", ""])
async def test_who_does_not_wait_is_not_adopted(identity: str) -> None:
    story = Story(Door())
    with pytest.raises(WishRefused, match="no longer waits"):
        await story.adopt(identity)
    assert story.done == []


async def test_a_refused_site_file_is_not_taken_up() -> None:
    story = Story(Door(), refuse="the file was changed")
    with pytest.raises(WishRefused, match="was changed"):
        await story.adopt()
    assert story.done == []


async def test_a_password_that_cannot_be_kept_stops_the_adoption() -> None:
    door = Door()
    door.broken = True
    story = Story(door)
    with pytest.raises(WishRefused, match="disk is full"):
        await story.adopt()
    assert story.done == []
