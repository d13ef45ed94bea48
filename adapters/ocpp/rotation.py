"""New passwords and certificates for chargers, over the connection that the old ones opened."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from adapters.ocpp.certificates import Certificates
from adapters.ocpp.charge_point import Peer
from adapters.ocpp.credentials import Credentials, new_password
from adapters.ocpp.tls import CertificateAuthority, serial_in
from gateway.model.errors import (
    CommandRefused,
    DeviceAnswerWrong,
    DeviceError,
    DeviceUnreachable,
    StoreError,
    WishRefused,
)

log = logging.getLogger(__name__)

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]

TAKEN = ("Accepted", "RebootRequired")
ASKED_S = 600.0
"""So long (real s) an asked charger may take to make its key and send its request."""


class Rotated(Protocol):
    """The charge point, as far as rotation needs it."""

    identity: str
    version: str
    peer: Peer

    @property
    def connected(self) -> bool:
        """Whether it can be asked now."""
        ...

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Any OCPP call; raises DeviceError."""
        ...


class Rotation:
    """Passwords and certificates of the chargers of one CSMS."""

    def __init__(
        self,
        credentials: Credentials,
        authority: CertificateAuthority | None,
        certificates: Certificates | None = None,
        tell: Callable[[str, str], None] = lambda identity, text: None,
    ) -> None:
        self._credentials = credentials
        self._authority = authority
        self._certificates = certificates
        self._tell = tell
        self._asked: dict[str, tuple[Peer, float]] = {}
        """Whom the installer asked for a new certificate: on which connection, and until when (s of the loop)."""
        self._deliveries: set[asyncio.Task[None]] = set()

    # ---- passwords

    async def password(self, point: Rotated, site_password: str | None) -> str:
        """Give a charger a new random password; what came of it, in words; raises DeviceError, StoreError.

        Old and new hold until it comes back with the new one (security whitepaper A01; OCPP 2.x A01).
        """
        if not point.connected:
            raise DeviceUnreachable(point.identity, "rotate password", "not connected")
        password = new_password()
        proposed = await self._credentials.propose(point.identity, password, site_password)
        try:
            status = await self._send_password(point, password)
        except (CommandRefused, DeviceAnswerWrong):
            await self._credentials.withdraw_proposal(point.identity, proposed)
            raise
        if status not in TAKEN:
            await self._credentials.withdraw_proposal(point.identity, proposed)
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
        self._asked[point.identity] = (point.peer, asyncio.get_running_loop().time() + ASKED_S)
        if point.version == "1.6":
            action, message = "ExtendedTriggerMessage", "SignChargePointCertificate"
        else:
            action, message = "TriggerMessage", "SignChargingStationCertificate"
        status = (await point.call(action, {"requestedMessage": message})).get("status")
        if status != "Accepted":
            self._asked.pop(point.identity, None)
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
        """Take a charger's SignCertificate in; whether its certificate follows, by CertificateSigned.

        Only for who proved itself by a password or certificate, or whom the installer asked: a certificate is the
        highest trust there is. Raises StoreError.
        """
        if self._authority is None or self._certificates is None or kind == "V2GCertificate":
            return False
        try:
            self._check_may_ask(point)
            made = await asyncio.to_thread(self._authority.issue, request, point.identity, serial_number)
        except WishRefused as why:
            log.warning("%s: its certificate request is refused: %s", point.identity, why)
            self._tell(point.identity, f"its certificate request is refused: {why}")
            return False
        serial = serial_in(made)
        await self._certificates.propose(point.identity, serial)
        self._asked.pop(point.identity, None)
        delivery = asyncio.create_task(self._deliver(point, made, serial), name=f"certificate for {point.identity}")
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)
        return True

    def _check_may_ask(self, point: Rotated) -> None:
        """Raises WishRefused. TLS alone proves nothing: anybody can speak it."""
        peer, until_s = self._asked.get(point.identity, (None, 0.0))
        asked = peer is point.peer and asyncio.get_running_loop().time() < until_s
        if point.peer.security_profile == 0 and not asked:
            raise WishRefused("it proved itself by nothing; give it a password, or ask it for a new certificate")

    async def _deliver(self, point: Rotated, certificate: str, serial: int) -> None:
        kind = {} if point.version == "1.6" else {"certificateType": "ChargingStationCertificate"}
        try:
            status = (await point.call("CertificateSigned", {"certificateChain": certificate, **kind})).get("status")
            if status != "Accepted" and self._certificates is not None:
                await self._certificates.withdraw_proposal(point.identity, serial)
        except (DeviceError, StoreError) as error:  # whether it was taken is not known: it holds
            log.warning("%s", error)
            return
        log.info("%s: its new certificate: %s", point.identity, status)
        self._tell(point.identity, f"it answered {status} to its new certificate")
