"""New passwords and certificates for chargers, over the connection that the old ones opened."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from adapters.ocpp.credentials import Credentials, new_password
from adapters.ocpp.tls import CertificateAuthority
from gateway.model.errors import CommandRefused, DeviceAnswerWrong, DeviceError, WishRefused

log = logging.getLogger(__name__)

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]

TAKEN = ("Accepted", "RebootRequired")


class Rotated(Protocol):
    """The charge point, as far as rotation needs it."""

    identity: str
    version: str

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Any OCPP call; raises DeviceError."""
        ...


class Rotation:
    """Passwords and certificates of the chargers of one CSMS."""

    def __init__(self, credentials: Credentials, authority: CertificateAuthority | None) -> None:
        self._credentials = credentials
        self._authority = authority
        self._deliveries: set[asyncio.Task[None]] = set()

    # ---- passwords

    async def password(self, point: Rotated, site_password: str | None) -> str:
        """Give a charger a new random password; what came of it, in words; raises DeviceError, StoreError.

        Old and new hold until it comes back with the new one (security whitepaper A01; OCPP 2.x A01).
        """
        password = new_password()
        former = await self._credentials.propose(point.identity, password, site_password)
        try:
            status = await self._send_password(point, password)
        except (CommandRefused, DeviceAnswerWrong):
            await self._credentials.withdraw_proposal(point.identity, former)
            raise
        if status not in TAKEN:
            await self._credentials.withdraw_proposal(point.identity, former)
            raise CommandRefused(point.identity, "rotate password", f"the charger answered {status}")
        log.info("%s: took a new password", point.identity)
        comes = "once it is restarted" if status == "RebootRequired" else "when it connects again"
        return f"The charger took a new password; the old one ends {comes}."

    async def _send_password(self, point: Rotated, password: str) -> str:
        if point.version != "1.6":
            return await self._set_variable(point, password)
        # Interpretation: OCPP-J 1.6 section 6.2.2 notes the key in hexadecimal; firmware with a text field refuses 40.
        status = "Rejected"
        for written in (password.encode().hex(), password):
            answer = await point.call("ChangeConfiguration", {"key": "AuthorizationKey", "value": written})
            status = str(answer.get("status"))
            if status in (*TAKEN, "NotSupported"):
                break
        return status

    async def _set_variable(self, point: Rotated, password: str) -> str:
        variable = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
        wanted = {"attributeValue": password, **variable}
        answer = await point.call("SetVariables", {"setVariableData": [wanted]})
        results = answer.get("setVariableResult")
        first = results[0] if isinstance(results, list) and results else {}
        return str(first.get("attributeStatus")) if isinstance(first, dict) else "nothing"

    # ---- certificates

    async def certificate(self, point: Rotated) -> str:
        """Have a charger ask for a new certificate of its own; what came of it, in words; raises DeviceError."""
        if self._authority is None:
            raise CommandRefused(point.identity, "rotate certificate", "this hub has no certificate authority")
        root = await self._install_root(point, self._authority)
        if point.version == "1.6":
            action, message = "ExtendedTriggerMessage", "SignChargePointCertificate"
        else:
            action, message = "TriggerMessage", "SignChargingStationCertificate"
        status = (await point.call(action, {"requestedMessage": message})).get("status")
        if status != "Accepted":
            raise CommandRefused(point.identity, "rotate certificate", f"the charger answered {status}")
        return f"The charger asks for a new certificate now; {root}."

    async def renew(self, point: Rotated) -> None:
        """As `certificate`, by ourselves: a charger that will not now is asked again at the next look."""
        try:
            await self.certificate(point)
        except DeviceError as error:
            log.warning("%s", error)

    async def _install_root(self, point: Rotated, authority: CertificateAuthority) -> str:
        """Tell the charger whom to trust; one that has no room for it may know our root already."""
        kind = "CentralSystemRootCertificate" if point.version == "1.6" else "CSMSRootCertificate"
        payload = {"certificateType": kind, "certificate": authority.root_pem()}
        try:
            status = (await point.call("InstallCertificate", payload)).get("status")
        except DeviceError as error:
            return f"our root certificate could not be installed ({error.reason})"
        return "our root certificate is installed" if status == "Accepted" else f"our root certificate: {status}"

    async def sign(self, point: Rotated, request: str, kind: str, serial_number: str = "") -> bool:
        """Take a charger's SignCertificate in; whether its certificate follows, by CertificateSigned."""
        if self._authority is None or kind == "V2GCertificate":
            return False
        try:
            made = self._authority.issue(request, point.identity, serial_number)
        except WishRefused as why:
            log.warning("%s: its certificate request is refused: %s", point.identity, why)
            return False
        delivery = asyncio.create_task(self._deliver(point, made), name=f"certificate for {point.identity}")
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)
        return True

    async def _deliver(self, point: Rotated, certificate: str) -> None:
        kind = {} if point.version == "1.6" else {"certificateType": "ChargingStationCertificate"}
        try:
            status = (await point.call("CertificateSigned", {"certificateChain": certificate, **kind})).get("status")
        except DeviceError as error:
            log.warning("%s", error)
            return
        log.info("%s: its new certificate: %s", point.identity, status)
