"""What a connection that breaks below the library becomes for those who share our HTTP client."""

from __future__ import annotations

import ssl

import httpx
import pytest

from adapters.openadr import web as web3
from adapters.openadr2b import web as web2b
from adapters.openadr2b.messages import poll
from gateway.model.errors import ServerRefused
from tests.fakes import FakeClock

HOME = {"url": "https://vtn.example", "ven_name": "home-1"}


@pytest.fixture(autouse=True)
def _alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of TLS 1.3 that wants a client certificate: its alert comes with the answer, as a plain SSLError."""
    error = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
    error.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"

    async def handle(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        raise error

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)


async def test_a_late_alert_of_a_2b_server_leaves_the_adapter_as_one_of_our_errors() -> None:
    web = web2b.Web("utility", web2b.OpenAdr2bSettings(kind="openadr2b", **HOME), FakeClock())
    with pytest.raises(ServerRefused, match="refuses this home's certificate"):
        await web.post("OadrPoll", poll("ven-1"))
    await web.close()


async def test_a_late_alert_of_a_3_x_server_leaves_the_adapter_as_one_of_our_errors() -> None:
    web = web3.Web("utility", web3.OpenAdrSettings(kind="openadr", **HOME), FakeClock())
    with pytest.raises(ServerRefused, match="without a client certificate"):
        await web.exchange("GET", "https://vtn.example/programs")
    await web.close()
