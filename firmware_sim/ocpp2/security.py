"""Certificates and logs of OCPP 2.x: part 2, blocks A, M and N."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_sim.ocppj.line import UNREACHABLE, Payload
from firmware_sim.ocppj.upload import NAME, log_text, upload

if TYPE_CHECKING:
    from firmware_sim.ocpp2.station import Station2

OWN_ROOT = "CSMSRootCertificate"


def sign(station: Station2) -> None:
    """Ask the central system to sign a certificate over a new key (A02)."""
    organization = station.model.text("SecurityCtrlr", "OrganizationName")
    csr = station.security.csr(station.options.id, organization)
    station.notice("SignCertificate", {"csr": csr, "certificateType": "ChargingStationCertificate"})


def certificate_signed(station: Station2, payload: Payload) -> Payload:
    """A02: take the certificate for the last request and dial again with it."""
    taken = station.security.signed(payload["certificateChain"])
    if not taken:
        return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidCertificate"}}
    station.later(station.line.redial())
    return {"status": "Accepted"}


def install_certificate(station: Station2, payload: Payload) -> Payload:
    """M05: a root of the central system is trusted from the next dial on; other roots are only kept."""
    if payload["certificateType"] != OWN_ROOT or station.security.install_root(payload["certificate"]):
        return {"status": "Accepted"}
    return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidCertificate"}}


def delete_certificate(station: Station2, payload: Payload) -> Payload:
    """M04."""
    found = station.security.forget(payload["certificateHashData"])
    return {"status": "Accepted" if found else "NotFound"}


def installed_certificates(station: Station2, payload: Payload) -> Payload:
    """M03."""
    held = station.security.installed() if OWN_ROOT in payload.get("certificateType", [OWN_ROOT]) else []
    if not held:
        return {"status": "NotFound"}
    chain = [{"certificateType": OWN_ROOT, "certificateHashData": one} for one in held]
    return {"status": "Accepted", "certificateHashDataChain": chain}


def get_log(station: Station2, payload: Payload) -> Payload:
    """N01."""
    location = payload["log"]["remoteLocation"]
    if not location.startswith(("http://", "https://")):
        return {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedParam"}}
    station.later(_send(station, location, payload["requestId"]))
    return {"status": "Accepted", "filename": NAME}


async def _send(station: Station2, location: str, request_id: int) -> None:
    try:
        await station.line.call("LogStatusNotification", {"status": "Uploading", "requestId": request_id})
        sent = await upload(location, log_text(station.heard), station.security.tls(), ("PUT", "POST"))
        status = "Uploaded" if sent else "UploadFailure"
        await station.line.call("LogStatusNotification", {"status": status, "requestId": request_id})
    except UNREACHABLE:
        return
