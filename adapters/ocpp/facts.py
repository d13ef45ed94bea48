"""What was learned of a charger, by vendor, model and firmware, kept as data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.ocpp.wire import clean
from gateway.model.errors import StoreError
from gateway.ports import FactStore

log = logging.getLogger(__name__)


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

    def __init__(self, device: str, store: FactStore) -> None:
        self._device = device
        self._store = store
        self._quirks: dict[str, Any] = {}
        self.make = Make()

    async def load(self) -> None:
        """Recall the make last seen and what was learned of it."""
        known = await self._get(f"ocpp/charger/{self._device}") or {}
        self.make = Make(*(clean(known.get(key)) for key in ("vendor", "model", "firmware")))
        self._quirks = await self._get(self._key()) or {}

    async def boot(self, make: Make) -> None:
        """The charger told its make: recall what was learned of it."""
        if make == self.make:
            return
        self.make = make
        document = {"vendor": make.vendor, "model": make.model, "firmware": make.firmware}
        await self._put(f"ocpp/charger/{self._device}", document)
        self._quirks = await self._get(self._key()) or {}

    def get(self, name: str) -> Any:
        """One fact about this make, or None."""
        return self._quirks.get(name)

    async def learn(self, name: str, value: Any) -> None:
        """Keep one fact about this make (None forgets it); written only when it changes."""
        if self._quirks.get(name) != value:
            self._quirks = {**self._quirks, name: value}
            await self._put(self._key(), self._quirks)

    def _key(self) -> str:
        # A charger that never says who it is keeps its facts for itself.
        make = "/".join(part.replace("/", "_") for part in (self.make.vendor, self.make.model, self.make.firmware))
        return f"ocpp/model/{make}" if self.make.words else f"ocpp/model/of/{self._device}"

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
