"""The certificates as the gateway keeps them: made by a process of its own, looked at again only when something changed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.ocpp.tls import serial_in
from adapters.pki.keeper import KNOWN, Keeper
from gateway.model.errors import StoreError, WishRefused
from tests.fakes import FakeClock

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def request_of(name: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return asked.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM
    ).decode()  # fmt: skip


def test_what_is_well_is_not_looked_at_again_and_what_is_gone_is_made_anew(tmp_path: Path) -> None:
    first = Keeper.open(tmp_path, FakeClock())
    serial, root = first.server_serial(), first.root_pem()
    kept = (tmp_path / KNOWN).stat().st_mtime_ns
    assert Keeper.open(tmp_path, FakeClock()).server_serial() == serial
    assert (tmp_path / KNOWN).stat().st_mtime_ns == kept
    (tmp_path / "server.pem").unlink()
    again = Keeper.open(tmp_path, FakeClock())
    assert again.server_serial() != serial
    assert again.root_pem() == root
    assert str(again.server_serial()) == json.loads((tmp_path / KNOWN).read_text())["serial"]


async def test_the_loop_renews_by_itself(tmp_path: Path) -> None:
    clock = FakeClock()
    keeper = Keeper.open(tmp_path, clock)
    before = keeper.server_serial()
    clock.step(300 * 86400)
    task = asyncio.create_task(keeper.run())
    async with asyncio.timeout(20):
        while keeper.server_serial() == before:
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_request_is_signed_or_refused_in_words(tmp_path: Path) -> None:
    keeper = Keeper.open(tmp_path, FakeClock())
    made = keeper.issue(request_of("CP1"), "CP1")
    certificate = x509.load_pem_x509_certificate(made.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(keeper.root_pem().encode()))
    assert serial_in(made) == certificate.serial_number
    with pytest.raises(WishRefused):
        keeper.issue(request_of("SOMEBODY"), "CP1")


def test_a_damaged_root_is_told_with_its_remedy(tmp_path: Path) -> None:
    Keeper.open(tmp_path, FakeClock())
    (tmp_path / "ca.key").write_text("nothing")
    with pytest.raises(StoreError, match="Mend: put both back"):
        Keeper.open(tmp_path, FakeClock())


def test_the_library_that_makes_certificates_does_not_live_in_the_gateway() -> None:
    said = "import sys, gateway.app, gateway.web.app, adapters.ocpp.csms; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"
