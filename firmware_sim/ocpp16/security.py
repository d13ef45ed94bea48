"""Certificates and logs of OCPP 1.6: the security whitepaper, edition 3, and GetDiagnostics of section 5.9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_sim.ocppj.line import UNREACHABLE, Payload
from firmware_sim.ocppj.upload import NAME, log_text, upload

if TYPE_CHECKING:
    from firmware_sim.ocpp16.station import Station16


def sign(station: Station16) -> None:
    """Ask the central system to sign a certificate over a new key (A02)."""
    organization = station.config.keys["CpoName"].value or station.options.vendor
    station.notice("SignCertificate", {"csr": station.security.csr(station.options.id, organization)})


def certificate_signed(station: Station16, payload: Payload) -> Payload:
    """Take the certificate for the last request and dial again with it."""
    taken = station.security.signed(payload["certificateChain"])
    if taken:
        station.later(station.line.redial())
    return {"status": "Accepted" if taken else "Rejected"}


def install_certificate(station: Station16, payload: Payload) -> Payload:
    """A root of the central system is trusted from the next dial on; a maker's root is only kept."""
    if payload["certificateType"] != "CentralSystemRootCertificate":
        return {"status": "Accepted"}
    return {"status": "Accepted" if station.security.install_root(payload["certificate"]) else "Rejected"}


def delete_certificate(station: Station16, payload: Payload) -> Payload:
    """A root is trusted no longer."""
    found = station.security.forget(payload["certificateHashData"])
    return {"status": "Accepted" if found else "NotFound"}


def installed_certificates(station: Station16, payload: Payload) -> Payload:
    """The roots in the trust store."""
    held = station.security.installed() if payload["certificateType"] == "CentralSystemRootCertificate" else []
    return {"status": "Accepted", "certificateHashData": held} if held else {"status": "NotFound"}


def get_diagnostics(station: Station16, payload: Payload) -> Payload:
    """Section 5.9: the file's name, and nothing where there is no way to upload it."""
    location = payload["location"]
    if not location.startswith(("http://", "https://")):
        return {}
    station.later(_send(station, location, "DiagnosticsStatusNotification", {}))
    return {"fileName": NAME}


def get_log(station: Station16, payload: Payload) -> Payload:
    """N01 of the security whitepaper."""
    location = payload["log"]["remoteLocation"]
    if not location.startswith(("http://", "https://")):
        return {"status": "Rejected"}
    station.later(_send(station, location, "LogStatusNotification", {"requestId": payload["requestId"]}))
    return {"status": "Accepted", "filename": NAME}


async def _send(station: Station16, location: str, action: str, named: Payload) -> None:
    failed = "UploadFailed" if action == "DiagnosticsStatusNotification" else "UploadFailure"
    try:
        await station.line.call(action, {"status": "Uploading", **named})
        body = log_text(station.heard)
        sent = await upload(location, body, station.security.tls(), ("PUT", "POST"))
        await station.line.call(action, {"status": "Uploaded" if sent else failed, **named})
    except UNREACHABLE:
        return
