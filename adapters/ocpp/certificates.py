"""Which certificates of chargers hold: those we signed for an identity, by serial number, in the fact store.

    signed: next -> charger dials with it: current -> every older one is refused
              both hold

Nothing kept (a charger set up before we kept them): whatever our root signed for the identity holds, until the first
one that is kept is used. Withdrawn: none holds but those signed since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.ports import FactStore

MOST_PROPOSED = 5
"""A charger may ask again before it uses what it got; more than so many it will not come back to."""
REPLACED = "its certificate was replaced by a newer one"
WITHDRAWN = "its certificate was withdrawn: have it make a new one (operation 'New certificate')"


@dataclass(frozen=True, slots=True)
class Valid:
    """Serial numbers (hexadecimal) that hold for one identity; not `closed`: whatever our root signed for it."""

    current: str = ""
    next: tuple[str, ...] = ()
    closed: bool = False


class Certificates:
    """Whose certificate is right; reads and writes raise StoreError."""

    def __init__(self, store: FactStore) -> None:
        self._store = store
        self._kept: dict[str, Valid] = {}

    async def why_not(self, identity: str, serial: int) -> str:
        """Why a certificate that our root signed for this identity does not hold, or ""; the first use of a new one
        ends the older ones."""
        kept, number = await self._load(identity), f"{serial:x}"
        if number in kept.next:
            later = kept.next[kept.next.index(number) + 1 :]
            await self._save(identity, Valid(number, later, closed=True))
            return ""
        if not kept.closed or number == kept.current:
            return ""
        return REPLACED if kept.current else WITHDRAWN

    async def propose(self, identity: str, serial: int) -> None:
        """One was signed: it holds too; kept before the charger gets it."""
        kept = await self._load(identity)
        await self._save(identity, replace(kept, next=(*kept.next, f"{serial:x}")[-MOST_PROPOSED:]))

    async def withdraw_proposal(self, identity: str, serial: int) -> None:
        """The charger refused it."""
        kept = await self._load(identity)
        await self._save(identity, replace(kept, next=tuple(each for each in kept.next if each != f"{serial:x}")))

    async def withdraw(self, identity: str) -> None:
        """None of those signed until now holds any more."""
        await self._save(identity, Valid(closed=True))

    async def _load(self, identity: str) -> Valid:
        if identity not in self._kept:
            document = await self._store.get(_key(identity)) or {}
            proposed = document.get("next")
            self._kept[identity] = Valid(
                str(document.get("current", "")),
                tuple(map(str, proposed)) if isinstance(proposed, list) else (),
                bool(document.get("closed")),
            )
        return self._kept[identity]

    async def _save(self, identity: str, kept: Valid) -> None:
        document = {"current": kept.current, "next": list(kept.next), "closed": kept.closed}
        await self._store.put(_key(identity), document)
        self._kept[identity] = kept


def _key(identity: str) -> str:
    return f"ocpp/certificates/{identity}"
