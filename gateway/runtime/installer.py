"""What the installer does with chargers: sees who waits, adopts, looks after; each asking leaves a line in the audit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.model.audit import AuditRow
from gateway.model.charging import ChargerAbout, Operation, TraceLine, WaitingCharger
from gateway.model.errors import DeviceError, WishRefused
from gateway.ports import AuditStore, ChargerDesk, Clock
from gateway.runtime.adoption import Newcomer

PLACES = {"L1 L2 L3": (1, 2, 3), "L1": (1,), "L2": (2,), "L3": (3,)}
"""The grid phases a charger may be on, in words."""
OWNER = 4
"""The owner's authority in the audit."""


class Adopts(Protocol):
    """Takes a waiting charger into the site file."""

    async def adopt(self, newcomer: Newcomer, who: str) -> str:
        """Adopt it; what happened, in words; raises WishRefused."""
        ...


@dataclass(slots=True)
class Installer:
    """The installer's wishes; `desks` are the CSMS of the home, `uploads` is the folder chargers' logs are kept in."""

    desks: Sequence[ChargerDesk]
    clock: Clock
    audit: AuditStore
    adoption: Adopts | None = None
    uploads: Path | None = None
    urls: Callable[[str], Sequence[str]] = lambda identity: ()
    """What to type into the charger of an identity, the best first."""
    root_certificate: Callable[[], str] = lambda: ""
    """The certificate that chargers must trust for wss, PEM; empty when there is none."""

    def waiting(self) -> list[WaitingCharger]:
        """Who dialled and is not configured, newest first."""
        found = [charger for desk in self.desks for charger in desk.waiting()]
        return sorted(found, key=lambda charger: charger.last_seen, reverse=True)

    def about(self, charger: str) -> ChargerAbout | None:
        """What is known of one configured charger; None when no CSMS of ours has it."""
        return next((about for desk in self.desks if (about := desk.about(charger)) is not None), None)

    def trace(self, identity: str) -> list[TraceLine]:
        """The last steps and messages of one charge point, oldest first, secrets blanked."""
        return sorted((line for desk in self.desks for line in desk.trace(identity)), key=lambda line: line.time)

    async def operate(self, charger: str, operation: Operation, who: str) -> str:
        """Carry out one operation; what came of it, in words; raises WishRefused."""
        desk = next((desk for desk in self.desks if desk.about(charger) is not None), None)
        if desk is None:
            raise WishRefused(f"There is no charger '{charger[:100]}' that speaks OCPP. Reload the page.")
        try:
            said = await desk.operate(charger, operation)
        except DeviceError as error:
            said = f"{error.reason}. {error.remedy}".strip() if error.remedy else f"{error.reason}."
            await self._note(charger, f"{who}: {operation.value}: {said}")
            raise WishRefused(f"Not done: {said}") from None
        await self._note(charger, f"{who}: {operation.value}: {said}")
        return said

    async def adopt(
        self, identity: str, device_id: str, name: str, phases: str, max_current_a: float, connector: int, who: str
    ) -> str:
        """Take a waiting charger into the site file (`phases` one of PLACES); raises WishRefused."""
        if self.adoption is None:
            raise WishRefused("This home's site file cannot be changed from here. Add the charger by hand.")
        if phases not in PLACES:
            raise WishRefused(f"Phases: one of {', '.join(PLACES)}.")
        found = next((charger for charger in self.waiting() if charger.id == identity), None)
        if found is None:
            raise WishRefused("That charger no longer waits. Let it dial again and reload the page.")
        if 0 < found.connectors < connector:
            raise WishRefused(f"There is no connector {connector}: {_counted(found.connectors)}.")
        newcomer = Newcomer(identity, device_id, name, PLACES[phases], max_current_a, connector)
        said = await self.adoption.adopt(newcomer, who)
        await self._note(device_id, f"{who}: adopted {identity}")
        return said

    def upload(self, charger: str, name: str) -> Path | None:
        """The file of one uploaded log; None when there is none of that name."""
        about = self.about(charger)
        if self.uploads is None or about is None or name not in about.uploads:
            return None
        path = self.uploads / charger / name
        return path if path.is_file() else None

    async def _note(self, charger: str, words: str) -> None:
        await self.audit.append(AuditRow(self.clock.now(), "commanded", charger, words, OWNER, "installer"))


def _counted(connectors: int) -> str:
    return (
        "the charger has one. Choose 1"
        if connectors == 1
        else f"the charger has {connectors}. Choose 1 to {connectors}"
    )


def suggested_id(identity: str, taken: Sequence[str]) -> str:
    """A device id for the site file made of a charge point's identity, none of those taken."""
    plain = re.sub(r"[^a-z0-9]+", "_", identity.lower()).strip("_")[:30] or "charger"
    plain = plain if plain[0].isalpha() else f"charger_{plain}"
    number, found = 2, plain
    while found in taken:
        number, found = number + 1, f"{plain}_{number}"
    return found
