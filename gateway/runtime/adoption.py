"""A waiting charger becomes a device of the home: its trust is kept, the site file gets its lines, and they are taken up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.model.charging import WaitingCharger
from gateway.model.errors import StoreError, WishRefused
from gateway.model.site import Role

log = logging.getLogger(__name__)

LEAST_A = 6.0


class Doorkeeper(Protocol):
    """A CSMS, by the name of its connection in the site file."""

    name: str

    def waiting(self) -> list[WaitingCharger]:
        """The charge points that dialled and are not configured."""
        ...

    async def trust(self, identity: str) -> int:
        """Take over the password it dialled with, if any; the security profile it must keep. Raises StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A waiting charger (`identity`) and the device it shall become; `phases` are the grid phases, A per phase."""

    identity: str
    device_id: str
    name: str
    phases: tuple[int, ...]
    max_current_a: float
    connector: int


class Adoption:
    """Adopts waiting chargers, one at a time.

    `add` puts a device into the site file (gateway/site_edit.py; raises WishRefused); `take_up` has the running
    gateway take the new file up, soon after it returns.
    """

    def __init__(
        self,
        doors: Sequence[Doorkeeper],
        add: Callable[[str, Mapping[str, Any]], None],
        take_up: Callable[[], None],
    ) -> None:
        self._doors = doors
        self._add = add
        self._take_up = take_up
        self._turn = asyncio.Lock()

    async def adopt(self, newcomer: Newcomer, who: str) -> str:
        """Take a waiting charger into the site file; what happens next, in words; raises WishRefused.

        Trust on first use: the password it dialled with is its password from now on. One that dialled without any is
        served without, on the home's own network only, until a password is set.
        """
        async with self._turn:
            door = self._door_of(newcomer.identity)
            profile = await self._trusted(door, newcomer.identity)
            await asyncio.to_thread(self._add, newcomer.device_id, _entry(newcomer, door.name, profile))
            self._take_up()
        log.info("%s was adopted as %s by %s", newcomer.identity, newcomer.device_id, who)
        secured = "" if profile else " It has no password yet: give it one."
        return f"{newcomer.name} is part of the home now; in a few seconds it is set up.{secured}"

    @staticmethod
    async def _trusted(door: Doorkeeper, identity: str) -> int:
        try:
            return await door.trust(identity)
        except StoreError as error:
            raise WishRefused(f"Its password cannot be kept: {error}.") from error

    def _door_of(self, identity: str) -> Doorkeeper:
        for door in self._doors:
            if identity and any(waiting.id == identity for waiting in door.waiting()):
                return door
        raise WishRefused("That charger no longer waits. Let it dial again and reload the page.")


def _entry(newcomer: Newcomer, connection: str, profile: int) -> dict[str, Any]:
    """Its lines in the site file."""
    limits = {"phases": list(newcomer.phases), "max_current_a": newcomer.max_current_a, "safe_current_a": LEAST_A}
    entry: dict[str, Any] = {
        "name": newcomer.name,
        "role": Role.EV_CHARGER.value,
        "connection": connection,
        "charge_point_id": newcomer.identity,
        "security_profile": profile,
        "charger": limits,
    }
    return entry if newcomer.connector == 1 else {**entry, "connector": newcomer.connector}
