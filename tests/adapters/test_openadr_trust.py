"""TLS both ways, the token's life, and that no secret ever shows: against a real HTTPS server with a CA of its own."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.openadr.client import Vtn
from adapters.openadr.web import wants_certificate
from gateway.model.errors import HearthError, ServerError, ServerRefused
from tests.adapters.openadr_lab import REPORT, Server, event, listed, running, vtn
from tests.adapters.test_mqtt_security import make_certificates
from tests.fakes import FakeClock

SECRET, TOKEN = "hunter2-secret", "token-of-the-utility"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = tmp_path_factory.mktemp("tls")
    make_certificates(made)
    return made


@contextmanager
def https(folder: Path, *, mutual: bool = False, oldest: bool = False) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.crt")
    if oldest:
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with running(context) as state:
        state.objects["/events"] = [event("e")]
        yield state


def trusting(server: Server, folder: Path, **more: Any) -> Vtn:
    return vtn(server, local=False, ca_file=str(folder / "ca.crt"), **more)


@pytest.mark.slow
async def test_an_own_authority_is_trusted_when_it_is_named(folder):
    with https(folder) as server:
        assert await listed(trusting(server, folder)) == ["e"]


async def test_a_server_that_nobody_vouches_for_is_refused_with_a_remedy(folder):
    with https(folder) as server, pytest.raises(ServerRefused, match=r"cannot be trusted.*ca_file"):
        await listed(vtn(server, local=False))


async def test_verification_can_be_switched_off_for_a_test(folder):
    with https(folder) as server:
        assert await listed(vtn(server, local=False, verify=False)) == ["e"]


async def test_a_client_certificate_opens_a_server_that_asks_for_one(folder):
    pair = {"cert_file": str(folder / "client.crt"), "key_file": str(folder / "client.key")}
    with https(folder, mutual=True) as server:
        assert await listed(trusting(server, folder, **pair)) == ["e"]


async def test_without_it_we_are_told_what_may_be_missing(folder):
    # TLS 1.3 asks for it after the handshake: we see an alert, or only that the connection ends
    with https(folder, mutual=True) as server, pytest.raises(ServerError, match="cert_file"):
        await listed(trusting(server, folder))


@pytest.mark.parametrize(
    ("reason", "ours"),
    [("TLSV13_ALERT_CERTIFICATE_REQUIRED", True), ("TLSV1_ALERT_UNKNOWN_CA", True), ("SSLV3_ALERT_BAD_CERTIFICATE", True),
     ("CERTIFICATE_VERIFY_FAILED", False), ("WRONG_VERSION_NUMBER", False)],
)  # fmt: skip
def test_whose_certificate_an_alert_is_about(reason, ours):
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    outer = OSError()
    outer.__cause__ = error
    assert wants_certificate(outer) is ours


@pytest.mark.parametrize("pair", [("none.crt", "client.key"), ("client.crt", "server.key"), ("ca.crt", "ca.crt")])
async def test_a_certificate_that_cannot_be_read_is_told_not_asked_for_at_the_terminal(folder, pair):
    with https(folder) as server, pytest.raises(ServerRefused, match="not a readable certificate"):
        await listed(trusting(server, folder, cert_file=str(folder / pair[0]), key_file=str(folder / pair[1])))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_less_than_tls_1_2_is_not_spoken(folder):
    with https(folder, oldest=True) as server, pytest.raises(HearthError):
        await listed(trusting(server, folder))


@pytest.mark.parametrize(("life", "early_s"), [(3600, 1801), (140, 71), (100, 41)])
async def test_the_token_is_renewed_at_half_its_life_or_a_minute_before_its_end(life, early_s):
    with running() as server:
        server.token_life, clock = life, FakeClock()
        client = vtn(server, clock)
        await client.programs()
        await clock.advance(early_s - 2)
        await client.programs()
        assert server.tokens == 1
        await clock.advance(2)
        await client.programs()
        await client.close()
        assert server.tokens == 2


async def test_many_that_wait_share_one_new_token_when_the_old_one_is_void():
    with running() as server:
        client = vtn(server)
        await client.programs()
        server.token = "t2"
        await asyncio.gather(*(client.programs() for _ in range(5)))
        await client.close()
        assert server.tokens == 2


async def test_a_token_refused_again_and_again_is_an_error_after_one_renewal():
    with running() as server:
        client = vtn(server)
        await client.programs()
        server.asked.clear()
        server.fail["/programs"] = (401, {})
        with pytest.raises(ServerRefused, match="401"):
            await client.programs()
        await client.close()
        assert (server.asked.count("GET /programs"), server.tokens) == (2, 2)


async def test_no_secret_shows_in_logs_errors_facts_or_reprs(folder, caplog):
    """Every path with a secret in it: tokens good and refused, lists, reports, failures, all at the finest level."""
    said: list[str] = []
    with caplog.at_level(logging.DEBUG), https(folder) as server:
        server.secret, server.token = SECRET, TOKEN
        client = trusting(server, folder, client_secret=SECRET)
        await client.programs()
        await client.events()
        await client.send(REPORT)
        for path, status in (("/events", 500), ("/programs", 403), ("/reports", 400)):
            server.fail[path] = (status, {})
        for ask in (client.events, client.programs, lambda: client.send(REPORT)):
            with pytest.raises(HearthError) as raised:
                await ask()
            said += [
                str(raised.value),
                repr(raised.value),
                repr(raised.value.__context__),
                repr(raised.value.__cause__),
            ]
        server.secret = "changed"
        other = trusting(server, folder, client_secret=SECRET)
        with pytest.raises(ServerRefused) as raised:
            await other.events()
        said += [str(raised.value), repr(client), repr(client.facts), repr(client._settings), repr(vars(client))]
        await client.close()
        await other.close()
    everything = "\n".join([*said, caplog.text, *(repr(vars(record)) for record in caplog.records)])
    assert SECRET not in everything and TOKEN not in everything


async def test_the_facts_tell_how_it_stands():
    with running() as server:
        server.objects["/vens"] = [{"id": "v1", "venName": "ven-1", "targets": ["street"]}]
        server.objects["/events"] = [event("a"), event("b", duration="soon")]
        client = vtn(server)
        assert (client.facts.events, client.facts.ven, client.facts.clock_skew_s) == (None, "", None)
        await client.events()
        await client.close()
    facts = client.facts
    assert (facts.version, facts.ven, facts.groups, facts.events) == ("3.1.0", "v1", ("street",), 1)
    assert facts.clock_skew_s is not None
    assert facts.unreadable == ("event b: 'soon' is not an ISO 8601 duration",)
