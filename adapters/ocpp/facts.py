"""What was learned of a charger, by vendor, model and firmware, kept as data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.ocpp.quirks import Quirks
from adapters.ocpp.wire import clean, to_number
from gateway.model.errors import StoreError
from gateway.ports import FactStore

log = logging.getLogger(__name__)

NO_QUIRKS = Quirks.model_validate({})


@dataclass(frozen=True, slots=True)
class Make:
    """Who made a charger and what runs on it, as it says itself."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""

    @property
    def words(self) -> str:
        """Vendor and model for a person; "" when unknown."""
        return f"{self.vendor} {self.model}".strip()


def to_make(boot: Mapping[str, Any]) -> Make:
    """The make told by a BootNotification, however odd its texts are."""
    return Make(*(clean(boot.get(key)) for key in ("chargePointVendor", "chargePointModel", "firmwareVersion")))


class ChargerFacts:
    """Facts of one charger and of its make; a store that fails costs the memory, never the charging."""

    def __init__(self, device: str, store: FactStore, quirks: Quirks = NO_QUIRKS) -> None:
        self._device = device
        self._store = store
        self.table = quirks
        self._learned: dict[str, Any] = {}
        self._beforehand: dict[str, Any] = {}
        self.make = Make()
        self.serial = ""
        self.version = ""
        """OCPP version it spoke last."""
        self.security_profile = 0
        """How it proved itself the last time it came (`Peer.security_profile`)."""
        self.older_inside = False
        """Whether this charger dials as OCPP 2.x and has an OCPP 1.6 inside; another one of its make may well be sound."""

        self.behind_s = 0.0
        """How far its clock is behind ours, s, as its samples told last; negative: ahead."""

    async def load(self) -> None:
        """Recall the make last seen and what was learned of it."""
        known = await self._get(f"ocpp/charger/{self._device}") or {}
        self.make = Make(*(clean(known.get(key)) for key in ("vendor", "model", "firmware")))
        self.serial, self.version = clean(known.get("serial")), clean(known.get("version"))
        self.security_profile = known["security_profile"] if known.get("security_profile") in (1, 2, 3) else 0
        self.older_inside = known.get("older_inside") is True
        self.behind_s = to_number(known.get("clock_behind_s")) or 0.0
        await self._recall()

    async def boot(self, make: Make, serial: str = "") -> None:
        """The charger told its make: recall what was learned of it."""
        if make == self.make and serial == self.serial:
            return
        if self.make.words and make != self.make:
            self.older_inside = False  # another firmware may be sound
        self.make, self.serial = make, serial
        await self._put_charger()
        await self._recall()

    async def _recall(self) -> None:
        self._learned = await self._get(self._key()) or {}
        self._beforehand = self.table.of(self.make.vendor, self.make.model, self.make.firmware)

    async def spoke(self, version: str, security_profile: int = 0) -> None:
        """The charger came with this OCPP version, and proved itself so."""
        if (version, security_profile) != (self.version, self.security_profile):
            self.version, self.security_profile = version, security_profile
            await self._put_charger()

    async def know_older_inside(self, older: bool) -> None:
        """Keep whether an OCPP 1.6 is inside of this charger of 2.x."""
        if older != self.older_inside:
            self.older_inside = older
            await self._put_charger()

    async def know_clock(self, behind_s: float) -> None:
        """Keep how far its clock is behind ours, s."""
        if behind_s != self.behind_s:
            self.behind_s = behind_s
            await self._put_charger()

    async def _put_charger(self) -> None:
        make = {"vendor": self.make.vendor, "model": self.make.model, "firmware": self.make.firmware}
        older = {"older_inside": True} if self.older_inside else {}
        proved = {"security_profile": self.security_profile} if self.security_profile else {}
        clock = {"clock_behind_s": self.behind_s} if self.behind_s else {}
        document = {**make, "serial": self.serial, "version": self.version, **proved, **older, **clock}
        await self._put(f"ocpp/charger/{self._device}", document)

    def get(self, name: str) -> Any:
        """One fact about this make, as learned, else as known beforehand; None when it is not known."""
        learned = self._learned.get(name)
        return self._beforehand.get(name) if learned is None else learned

    async def learn(self, name: str, value: Any) -> None:
        """Keep one fact about this make (None forgets it); written only when it changes."""
        if self._learned.get(name) != value:
            self._learned = {**self._learned, name: value}
            await self._put(self._key(), self._learned)

    def _key(self) -> str:
        # A charger that never says who it is keeps its facts for itself.
        make = "/".join(part.replace("/", "_") for part in (self.make.vendor, self.make.model, self.make.firmware))
        return f"ocpp/model/{make}" if self.make.words else f"ocpp/model/of/{self._device}"

    async def keep_promise(self, key: str, document: dict[str, Any]) -> None:
        """Keep what a charger will be told is kept: committed when it returns; raises StoreError."""
        await self._store.put(key, document)

    async def promised(self, key: str) -> dict[str, Any]:
        """What was kept by `keep_promise`, empty when nothing was; raises StoreError."""
        return await self._store.get(key) or {}

    async def _get(self, key: str) -> dict[str, Any] | None:
        try:
            return await self._store.get(key)
        except StoreError as error:
            log.warning("%s: facts cannot be read: %s", self._device, error)
            return None

    async def _put(self, key: str, document: dict[str, Any]) -> None:
        try:
            await self._store.put(key, document)
        except StoreError as error:
            log.warning("%s: facts cannot be kept: %s", self._device, error)
