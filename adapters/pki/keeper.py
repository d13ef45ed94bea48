"""The home's certificate authority as the gateway keeps it.

Certificates are made a few times a year, and the library that makes them is 8 MB: it works in a process of its own, for
the moment it takes. What the gateway needs every day stands in files.

    folder/server.json    what is known of the files beside it: serial number, life, names, and of which files it is
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from adapters.pki.asking import ask
from adapters.pki.files import read_bytes, write_private
from adapters.pki.names import HubNames, flat, hub_names
from gateway.model.errors import StoreError
from gateway.ports import Clock

log = logging.getLogger(__name__)

LOOK_S = 3600.0
KNOWN = "server.json"
FILES = ("ca.key", "ca.pem", "server.pem")


class Keeper:
    """A CertificateAuthority over the files of one folder; made by `open`, kept fresh by `run`."""

    name = "certificates"

    def __init__(self, folder: Path, clock: Clock, extra_names: Sequence[str]) -> None:
        self._folder, self._clock, self._extra_names = folder, clock, extra_names
        self._known: dict[str, Any] = {}

    @classmethod
    def open(cls, folder: Path, clock: Clock, extra_names: Sequence[str] = ()) -> Self:
        """The authority of this folder, made with its root and server certificate at the first time; raises StoreError."""
        keeper = cls(folder, clock, extra_names)
        keeper.renew_if_due()
        return keeper

    # ---- what the CSMS needs

    def root_pem(self) -> str:
        """The root's certificate in PEM, for chargers to trust; no secret."""
        return (read_bytes(self.root_file()) or b"").decode()

    def root_file(self) -> Path:
        """Where the root's certificate lies."""
        return self._folder / "ca.pem"

    def server_file(self) -> Path:
        """Key and certificate of the CSMS in one PEM file."""
        return self._folder / "server.pem"

    def server_serial(self) -> int:
        """Changes with each new server certificate."""
        return int(self._known["serial"])

    def names(self) -> HubNames:
        """Under which names and addresses the hub is reached now."""
        return hub_names(self._extra_names)

    def issue(self, request_pem: str, identity: str, serial_number: str = "") -> str:
        """A certificate in PEM for a charger's own request; raises WishRefused, StoreError. Takes a good part of a second."""
        answer = self._ask({"do": "issue", "request": request_pem, "identity": identity, "serial": serial_number})
        log.info("%s: a certificate was signed for the charger %s", self.name, identity)
        return str(answer["made"])

    # ---- keeping it fresh

    async def run(self) -> None:
        """Renew the server certificate in time, until cancelled."""
        failing = False
        while True:
            try:
                await asyncio.to_thread(self.renew_if_due)
                failing = False
            except StoreError as error:
                if not failing:
                    log.error("%s: %s", self.name, error)
                failing = True
            await self._clock.sleep(LOOK_S, real_floor=1.0)

    def renew_if_due(self) -> None:
        """Have the certificates looked after where what is known of them does not say that all is well; raises StoreError."""
        if self._is_well(self._known) or self._is_well(self._kept()):
            return
        answer = self._ask({"do": "look"})
        for words in answer["made"]:
            log.info("%s: %s", self.name, words)
        self._known = {**answer["known"], "files": self._marks()}
        write_private(self._folder / KNOWN, json.dumps(self._known).encode())

    def _kept(self) -> dict[str, Any]:
        try:
            self._known = json.loads(read_bytes(self._folder / KNOWN) or b"{}")
        except ValueError:
            self._known = {}
        return self._known

    def _is_well(self, known: dict[str, Any]) -> bool:
        try:
            start, due = (datetime.fromisoformat(known[key]) for key in ("start", "due"))
            named = set(known["names"]) >= set(flat(self.names()))
            return named and start <= self._clock.now() < due and known["files"] == self._marks()
        except (KeyError, TypeError, ValueError):
            return False

    def _marks(self) -> list[str]:
        return [sha256(read_bytes(self._folder / name) or b"").hexdigest() for name in FILES]

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        asked = {"now": self._clock.now().isoformat(), "names": list(self._extra_names)}
        return ask(self._folder, asked | question, "certificates cannot be made")
