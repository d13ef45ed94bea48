"""Chargers by the dozen: their command lines, their security profiles, uploads, and 1.6's own operations."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import ssl
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import serve

from firmware_sim import chargers
from firmware_sim.chargers import Fleet
from firmware_sim.ocppj.security import Security
from firmware_sim.physics.ev import Kind
from firmware_sim.sim_charger import SimCharger
from tests.firmware_sim.central import Central, alone, until

PEM = serialization.Encoding.PEM


def at_once() -> float:
    """The pause before a redial, real seconds, where the pause is not the subject."""
    return 0.02


class Authority:
    """A certificate authority of one test: nothing is kept in the tree."""

    def __init__(self, name: str = "Home") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.root = self._sign(self.name, self.key.public_key(), [x509.BasicConstraints(ca=True, path_length=0)])

    @property
    def pem(self) -> str:
        return self.root.public_bytes(PEM).decode()

    def issue(self, name: str, key) -> str:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return self._sign(subject, key, [address]).public_bytes(PEM).decode()

    def _sign(self, subject, key, extensions):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def key_pem(key) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@contextlib.asynccontextmanager
async def secured(authority: Authority, folder: Path, version: str, *, mutual: bool = False):
    """A central system on wss; with `mutual` it wants a certificate of its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    chain, private = folder / "server.pem", folder / "server.key"
    chain.write_text(authority.issue("127.0.0.1", key.public_key()))
    private.write_bytes(key_pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    if mutual:
        context.load_verify_locations(cadata=authority.pem)
        context.verify_mode = ssl.CERT_REQUIRED
    central = Central(version)
    async with serve(central.handle, "127.0.0.1", 0, ssl=context, subprotocols=[f"ocpp{version}"]) as server:
        yield central, f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}"


# --- security profiles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_profile_1_and_2_bring_the_password_and_2_trusts_its_own_root_only(version, tmp_path):
    home, stranger = Authority(), Authority("Stranger")
    async with secured(home, tmp_path, version) as (central, url):
        known = Security("CP_1", "a-password-of-some-length", [home.pem])
        async with SimCharger(url, version=version, security=known) as charger:
            await central.seen("BootNotification")
            assert central.headers[0]["Authorization"].startswith("Basic ")
            assert charger.station.security.profile == 2
        doubting = Security("CP_1", "a-password-of-some-length", [stranger.pem])
        async with SimCharger(url, version=version, security=doubting) as charger:
            await until(lambda: "certificate verify failed" in charger.station.line.last_failure)
            assert not charger.connected


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_signed_certificate_is_really_used_at_the_next_dial(version, tmp_path):
    home = Authority()
    async with secured(home, tmp_path, version, mutual=True) as (central, url):
        key = ec.generate_private_key(ec.SECP256R1())
        first = Security("CP_1", None, [home.pem], home.issue("CP_1", key.public_key()), key)
        async with SimCharger(url, version=version, security=first) as charger:
            await central.seen("BootNotification")
            charger.station.line.redial_s = at_once
            assert charger.station.security.profile == 3
            serial = peer_serial(central)
            if version == "1.6":
                asked = ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
            else:
                asked = ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})
            assert await central.ask(*asked) == {"status": "Accepted"}
            csr = x509.load_pem_x509_csr((await central.seen("SignCertificate"))[0]["csr"].encode())
            assert csr.is_signature_valid
            chain = home.issue("CP_1", csr.public_key())
            wrong = home.issue("CP_1", key.public_key())
            assert (await central.ask("CertificateSigned", {"certificateChain": wrong}))["status"] == "Rejected"
            assert (await central.ask("CertificateSigned", {"certificateChain": chain}))["status"] == "Accepted"
            await until(lambda: central.closed == 1 and charger.connected)
            await central.seen("StatusNotification", 2)
            assert peer_serial(central) != serial
        assert central.bad == []


def peer_serial(central: Central) -> int:
    der = central.ws.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der).serial_number


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_root_is_installed_listed_and_deleted(version):
    home = Authority()
    kind = "CentralSystemRootCertificate" if version == "1.6" else "CSMSRootCertificate"
    listed = {"certificateType": kind if version == "1.6" else [kind]}
    async with alone(version, plugged=False) as (central, charger):
        await central.seen("BootNotification")
        assert (await central.ask("GetInstalledCertificateIds", listed))["status"] == "NotFound"
        install = {"certificateType": kind, "certificate": home.pem}
        assert await central.ask("InstallCertificate", install) == {"status": "Accepted"}
        bad = {"certificateType": kind, "certificate": "no certificate"}
        assert (await central.ask("InstallCertificate", bad))["status"] == "Rejected"
        assert charger.station.security.roots_pem == [home.pem]
        answer = await central.ask("GetInstalledCertificateIds", listed)
        if version == "1.6":
            found = answer["certificateHashData"][0]
        else:
            found = answer["certificateHashDataChain"][0]["certificateHashData"]
        assert found["serialNumber"] == f"{home.root.serial_number:x}"
        assert await central.ask("DeleteCertificate", {"certificateHashData": found}) == {"status": "Accepted"}
        assert await central.ask("DeleteCertificate", {"certificateHashData": found}) == {"status": "NotFound"}
        assert central.bad == []


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_new_password_is_really_used_at_the_next_dial(version):
    async with alone(version, plugged=False, password="the-old-password-01") as (central, charger):
        await central.seen("BootNotification")
        charger.station.line.redial_s = at_once
        for value, accepted in (("short", False), ("the-new-password-02", True)):
            if version == "1.6":
                wish = {"key": "AuthorizationKey", "value": value}
                status = (await central.ask("ChangeConfiguration", wish))["status"]
            else:
                place = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
                wish = {"setVariableData": [{**place, "attributeValue": value}]}
                status = (await central.ask("SetVariables", wish))["setVariableResult"][0]["attributeStatus"]
            assert status == ("Accepted" if accepted else "Rejected")
        await until(lambda: len(central.headers) == 2)
        assert central.headers[0]["Authorization"] != central.headers[1]["Authorization"]


# --- uploads --------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def receiver(takes: str):
    """An HTTP server that takes one method; (url, uploads)."""
    uploads: list[tuple[str, bytes]] = []

    async def handle(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        method = head[0].split()[0]
        length = int(next(line.split(":")[1] for line in head if line.lower().startswith("content-length")))
        body = await reader.readexactly(length)
        if method == takes:
            uploads.append((method, body))
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: 0\r\n\r\n" % (b"201 Created" if method == takes else b"405 No"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/logs/1", uploads


@pytest.mark.parametrize(
    ("version", "action", "told", "takes"),
    [
        ("1.6", "GetDiagnostics", "DiagnosticsStatusNotification", "PUT"),
        ("1.6", "GetLog", "LogStatusNotification", "POST"),
        ("2.0.1", "GetLog", "LogStatusNotification", "PUT"),
    ],
)
async def test_a_log_is_uploaded_to_where_it_was_asked_for(version, action, told, takes):
    async with receiver(takes) as (url, uploads), alone(version, plugged=False) as (central, _charger):
        await central.seen("BootNotification")
        if action == "GetDiagnostics":
            answer = await central.ask(action, {"location": url})
            assert answer == {"fileName": "diagnostics.log"}
        else:
            asked = {"logType": "DiagnosticsLog", "requestId": 4, "log": {"remoteLocation": url}}
            assert (await central.ask(action, asked))["status"] == "Accepted"
        states = [said["status"] for said in await central.seen(told, 2)]
        assert states == ["Uploading", "Uploaded"]
        assert uploads[0][0] == takes
        assert action.encode() in uploads[0][1]
        assert central.bad == []


# --- 1.6 ------------------------------------------------------------------------------------------------------------


async def test_two_connectors_of_1_6_charge_and_are_limited_apart():
    async with alone("1.6", cars=(Kind(), Kind(phases=1))) as (central, charger):
        charger.plug(connector=2)
        await central.seen("StartTransaction", 2)
        await until(lambda: all(place.transaction.id for place in charger.station.connectors))
        ids = {place.number: place.transaction.id for place in charger.station.connectors}
        assert await central.limit(central.profile(7.0, number=1, transaction=ids[1]), 1) == "Accepted"
        assert await central.limit(central.profile(11.0, number=2, transaction=ids[2]), 2) == "Accepted"
        await until(lambda: charger.currents_a == (18.0, 7.0, 7.0))
        unlocked = await central.ask("UnlockConnector", {"connectorId": 2})
        assert unlocked == {"status": "Unlocked"}
        assert (await central.seen("StopTransaction"))[0]["reason"] == "UnlockCommand"
        assert await central.ask("UnlockConnector", {"connectorId": 9}) == {"status": "NotSupported"}
        assert central.bad == []


async def test_a_whole_1_6_session_is_in_words_the_schemas_accept():
    async with alone("1.6") as (central, charger):
        await central.seen("MeterValues")
        await until(lambda: charger.current_a == 16.0)
        charger.unplug()
        stop = (await central.seen("StopTransaction"))[0]
        assert stop["meterStop"] == pytest.approx(charger.register_wh, abs=1)
        await central.seen("StatusNotification", where=lambda said: said["status"] == "Available")
        assert central.bad == []
        assert charger.wire_errors == []


# --- the fleet ------------------------------------------------------------------------------------------------------


def test_lines_are_obeyed_by_those_they_name_and_wrong_ones_are_named():
    fleet = Fleet([SimCharger("ws://127.0.0.1:1", f"CP_{number}") for number in (1, 2, 3)])
    assert [one["id"] for one in fleet.obey('{"plug": "CP_*", "soc_percent": 40}')] == ["CP_1", "CP_2", "CP_3"]
    assert fleet.chargers[0].evs[0].plugged
    assert fleet.obey('{"unplug": "CP_2"}')[0]["id"] == "CP_2"
    assert not fleet.chargers[1].evs[0].plugged
    assert fleet.obey('{"status": "CP_9"}') == [{"error": "no such charger"}]
    for line in ("nonsense", "[]", '{"fly": "CP_1"}', '{"quirk": "CP_1", "kind": "no-such"}', '{"clear": "CP_1"}'):
        assert "not understood" in fleet.obey(line)[0]["error"], line


@pytest.mark.slow
async def test_a_dozen_run_in_one_process_and_obey_a_control_port():
    central = Central("2.0.1")
    async with serve(central.handle, "127.0.0.1", 0, subprotocols=["ocpp2.0.1"]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "firmware_sim", "chargers", "--url", url, "--count", "12", "--version", "2.0.1",
            "--speed", "20", "--control", "0", "--every", "0", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            ready = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
            reader, writer = await asyncio.open_connection("127.0.0.1", int(ready.split("port=")[1]))
            await central.seen("TransactionEvent", 12, lambda said: said["eventType"] == "Started")
            writer.write(b'{"unplug": "CP_7"}\n')
            assert json.loads(await reader.readline())["id"] == "CP_7"
            await central.seen("TransactionEvent", 1, lambda said: said["eventType"] == "Ended")
            writer.write(b'{"status": "CP_1*"}\n')
            pictures = [json.loads(await reader.readline()) for _ in range(4)]
            assert [one["id"] for one in pictures] == ["CP_1", "CP_10", "CP_11", "CP_12"]
            assert {one["connected"] for one in pictures} == {True}
            writer.close()
        finally:
            process.terminate()
            await process.wait()
    assert process.returncode == 0
    assert central.bad == []


def test_the_command_line_names_its_quirks(capsys):
    chargers.main(["--quirks"])
    assert "Q6   no-zero" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--speed", "0"], ["--ca", "/no/such/file"], ["--needs", "much"]])
def test_what_cannot_be_is_said_in_one_line(words):
    with pytest.raises(SystemExit) as ended:
        chargers.main(["--url", "ws://127.0.0.1:1", *words])
    assert str(ended.value).startswith("chargers: ")
