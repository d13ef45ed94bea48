"""What outlives a change of the site file: each CSMS with its connections, its certificates and its uploads.

site file 1 -> Gateway 1 -+                        +- Gateway 2 <- site file 2, one device more
                          +- CSMS, its connections -+
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from adapters.ocpp.csms import Csms
from adapters.ocpp.facts import NO_QUIRKS
from adapters.ocpp.quirks import Quirks
from adapters.ocpp.receiver import Receiver
from adapters.ocpp.settings import OcppDeviceSettings, OcppSettings
from adapters.pki.keeper import Keeper
from gateway.config import SiteFile
from gateway.model.errors import StoreError
from gateway.model.site import Device
from gateway.ports import Clock, OnChange, Store
from gateway.runtime.supervisor import Supervisor

log = logging.getLogger(__name__)

PKI, UPLOADS = "pki", "uploads"


class ChargerHouse:
    """Makes each CSMS once and keeps it running: `take` fits them to a site file, `start` runs them, `stop` ends all.

    Certificates and uploads lie in folders of `data`, made when the first site file with a CSMS comes.
    """

    def __init__(self, data: Path, clock: Clock, quirks: Quirks = NO_QUIRKS) -> None:
        self.uploads = data / UPLOADS
        """The folder of the logs that chargers upload."""
        self.supervisor = Supervisor(clock)
        self.authority: Keeper | None = None
        self.trouble = ""
        """Why there are no certificates, in words; empty while there are."""
        self._pki = data / PKI
        self._clock = clock
        self._quirks = quirks
        self._csms: dict[str, Csms] = {}
        self._receivers: dict[str, Receiver] = {}
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    def take(self, site_file: SiteFile, store: Store, on_change: OnChange) -> dict[str, Csms]:
        """The CSMS of each connection of kind ocpp, with what it had where its settings are the same."""
        wanted = {name: each for name, each in site_file.connections.items() if isinstance(each, OcppSettings)}
        if wanted and self.authority is None:
            self.authority = self._opened(getattr(site_file.web, "allowed_hosts", ()))
        for name in [name for name, csms in self._csms.items() if wanted.get(name) != csms.settings]:
            self._drop(name)
        for name, settings in wanted.items():
            if name in self._csms:
                elsewhere = {each for other in wanted if other != name for each in _devices(site_file, other)}
                self._csms[name].take_over(on_change, _devices(site_file, name), elsewhere)
            else:
                self._csms[name] = self._made(name, settings, store, on_change)
        return dict(self._csms)

    def _made(self, name: str, settings: OcppSettings, store: Store, on_change: OnChange) -> Csms:
        if settings.uploads_port is not None:
            self._receivers[name] = Receiver(settings.host, settings.uploads_port, self.uploads, self._clock)
        receiver = self._receivers.get(name)
        return Csms(name, settings, self._clock, store, store, on_change, self.authority, receiver, self._quirks)

    def _opened(self, extra_names: Sequence[str]) -> Keeper | None:
        """The certificate authority; a damaged one costs TLS, not the charging."""
        try:
            return Keeper.open(self._pki, self._clock, extra_names)
        except StoreError as error:
            self.trouble = str(error)
            log.error("%s", error)
            return None

    def start(self) -> None:
        """Run whatever does not run yet."""
        if self.authority is not None and not self.supervisor.tasks("certificates"):
            self.supervisor.start("certificates", self.authority.run)
        for name, csms in self._csms.items():
            if name not in self._tasks:
                self._tasks[name] = [self.supervisor.start(f"connection {name}", csms.run)]
                if name in self._receivers:
                    self._tasks[name].append(self.supervisor.start(f"uploads of {name}", self._receivers[name].run))

    def _drop(self, name: str) -> None:
        for task in self._tasks.pop(name, ()):
            task.cancel()
        self._receivers.pop(name, None)
        del self._csms[name]

    async def stop(self) -> None:
        """End all connections and wait for it."""
        await self.supervisor.stop()


def _devices(site_file: SiteFile, connection: str) -> dict[str, list[tuple[Device, OcppDeviceSettings]]]:
    """The devices of each identity on one connection, in the order of the site file."""
    found: dict[str, list[tuple[Device, OcppDeviceSettings]]] = {}
    for entry in site_file.devices:
        if entry.connection == connection and isinstance(entry.settings, OcppDeviceSettings):
            found.setdefault(entry.settings.charge_point_id, []).append((entry.device, entry.settings))
    return found
