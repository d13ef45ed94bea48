"""Who may do what: nobody changes anything without a login, from another site, or under another name."""

from __future__ import annotations

import functools

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from gateway.web.app import create_app
from gateway.web.login import SESSIONS
from gateway.web.settings import WebSettings
from tests.web.conftest import OWN, browser
from tests.web.fake_home import FakeHome

LAN = "192.168.1.77"


def _routes(router) -> list[APIRoute]:
    found: list[APIRoute] = []
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        found += _routes(inner) if inner is not None else [route] if isinstance(route, APIRoute) else []
    return found


@functools.cache
def changing() -> list[tuple[str, str]]:
    """Every state-changing route of the application, found and not listed by hand."""
    app = create_app(FakeHome(), settings=WebSettings())
    pairs = [(m, r.path) for r in _routes(app) for m in r.methods - {"GET", "HEAD"} if r.path != "/login"]
    return [(method, path.replace("{event_id}", "ev-now")) for method, path in sorted(set(pairs))]


def test_the_matrix_is_not_empty():
    assert {("POST", "/api/v1/overrides"), ("PUT", "/api/v1/preferences"), ("POST", "/do/override")} <= set(changing())


@pytest.fixture(scope="module")
def untouched() -> tuple[FakeHome, FastAPI, FastAPI]:
    """One home that every refusal leaves as it is: (home, its pages, its pages logged in on loopback)."""
    home = FakeHome()
    return home, *(create_app(home, settings=WebSettings(demo_login=demo)) for demo in (False, True))


@pytest.mark.parametrize(("method", "path"), changing())
@pytest.mark.parametrize("address", ["127.0.0.1", LAN])
async def test_nothing_changes_without_a_login(untouched, method, path, address):
    home, app, _ = untouched
    async with browser(app, address) as client:
        answer = await client.request(method, path, json={}, headers={"origin": OWN})
    assert answer.status_code == 401
    assert home.wishes == []


@pytest.mark.parametrize(("method", "path"), [*changing(), ("POST", "/login")])
@pytest.mark.parametrize("headers", [
    {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9999"},
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
])  # fmt: skip
async def test_no_other_site_may_send_a_logged_in_browser(untouched, method, path, headers):
    home, _, app = untouched
    async with browser(app) as client:
        answer = await client.request(method, path, json={}, headers=headers)
    assert answer.status_code == 403
    assert home.wishes == []


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "10.9.9.9", ""]
)
@pytest.mark.parametrize("path", ["/", "/api/v1/state", "/static/hearth.css", "/healthz"])
async def test_a_name_that_is_not_ours_is_refused_everywhere(untouched, host, path):
    async with browser(untouched[2]) as client:
        answer = await client.get(path, headers={"host": host})
    assert answer.status_code == 421


@pytest.mark.slow
@pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "hearth.local", "127.0.0.1"])
async def test_own_names_and_allowed_ones_are_served(home, host):
    async with browser(create_app(home, settings=WebSettings(allowed_hosts=["hearth.local"]))) as client:
        assert (await client.get("/", headers={"host": host})).status_code == 200


async def test_own_address_is_served(home):
    async with browser(create_app(home, settings=WebSettings()), LAN, base_url="http://192.168.1.5:8080") as client:
        assert (await client.get("/login")).status_code == 200


async def test_a_stranger_in_the_network_sees_only_the_login(home):
    async with browser(create_app(home, settings=WebSettings()), LAN) as client:
        page = await client.get("/", headers={"accept": "text/html"})
        state = await client.get("/api/v1/state")
        health = await client.get("/healthz")
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    assert state.status_code == 401
    assert health.json() == {"status": "ok"}


async def test_a_visitor_of_this_machine_may_read(reader):
    assert (await reader.get("/api/v1/state")).status_code == 200


@pytest.mark.parametrize("why", ["from the network", "through a proxy", "under another name"])
async def test_the_demo_logs_in_only_this_machine(home, why):
    address = LAN if why == "from the network" else "127.0.0.1"
    headers = {"x-forwarded-for": LAN} if why == "through a proxy" else {}
    headers |= {"host": "hearth.local"} if why == "under another name" else {}
    settings = WebSettings(demo_login=True, allowed_hosts=["hearth.local"])
    async with browser(create_app(home, settings=settings), address) as client:
        answer = await client.post("/api/v1/overrides", json={"device": "charger", "action": "run"}, headers=headers)
    assert answer.status_code == 401


@pytest.fixture
async def lan(home: FakeHome):
    app = create_app(home, settings=WebSettings(allowed_hosts=["hearth.local"]))
    async with browser(app, LAN, base_url="http://hearth.local", headers={"origin": "http://hearth.local"}) as client:
        client.app = app  # type: ignore[attr-defined]
        yield client


async def set_up(client: httpx.AsyncClient) -> httpx.Response:
    code = client.app.state.login.setup_code  # type: ignore[attr-defined]
    return await client.post("/login", data={"code": code.lower(), "password": "three good words"})


@pytest.mark.slow
async def test_the_set_up_code_sets_a_password_once_and_logs_in(lan, home):
    answer = await set_up(lan)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await lan.post("/api/v1/overrides", json={"device": "charger", "action": "run"})).status_code == 200
    assert home.wishes[0][4] == "owner"
    assert (await set_up(lan)).status_code == 401
    token = lan.cookies["hearth_session"]
    assert token not in str(home.facts.documents)
    assert len(home.facts.documents[SESSIONS]) == 1


@pytest.mark.slow
async def test_logging_out_ends_the_session_and_the_password_opens_another(lan):
    await set_up(lan)
    token = lan.cookies["hearth_session"]
    await lan.post("/logout")
    lan.cookies.set("hearth_session", token)
    assert (await lan.get("/api/v1/state")).status_code == 401
    lan.cookies.clear()
    assert (await lan.post("/login", data={"password": "three bad words"})).status_code == 401
    assert (await lan.post("/login", data={"password": "three good words"})).status_code == 303
    assert (await lan.get("/api/v1/state")).status_code == 200


@pytest.mark.slow
async def test_a_session_ends_after_thirty_days(lan, home):
    await set_up(lan)
    home.clock.step(31 * 86400)
    assert (await lan.get("/api/v1/state")).status_code == 401


async def test_guessing_is_slowed_down_and_heard_again_later(lan, home):
    for _ in range(5):
        await lan.post("/login", data={"code": "WRONGCODE2", "password": "three good words"})
    assert "Too many wrong tries" in (await set_up(lan)).text
    await home.clock.advance(300)
    assert (await set_up(lan)).status_code == 303


async def test_a_short_password_is_refused_with_the_reason(lan):
    code = lan.app.state.login.setup_code
    assert "at least 10" in (await lan.post("/login", data={"code": code, "password": "short"})).text


async def test_a_cookie_is_secure_over_https(home):
    app = create_app(home, settings=WebSettings())
    async with browser(app, base_url="https://localhost") as client:
        code = app.state.login.setup_code
        answer = await client.post("/login", data={"code": code, "password": "three good words"})
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_huge_body_is_refused_before_it_is_read(demo):
    answer = await demo.post("/api/v1/overrides", content=b"x" * 70_000)
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/", "/api/v1/nothing", "/static/hearth.css"])
async def test_every_answer_carries_the_security_headers(demo, path):
    headers = (await demo.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert "server" not in headers
