"""The pages of a living home in a real browser: phone and desk, light and dark, with scripts and without."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.demo import ROOT
from tests.end_to_end.harness import LivingHome, free_port

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (sudo apt install chromium)"),
]
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATHS = {"/": "car", "/plan": "hours cost about", "/charging": "", "/programs": "program", "/events": "Evening peak relief", "/loadshape": "day", "/preferences": "", "/energy": "", "/devices": ""}  # fmt: skip
WIDTHS, SCHEMES = (360, 1440), ("light", "dark")
AXE = Path(os.environ.get("HEARTH_AXE", "axe.min.js"))
"""axe-core's script where a developer has put it (`npm pack axe-core`); the repository carries no copy."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def home() -> Iterator[LivingHome]:
    """The signature scene, entered at 17:58 with the event announced; two minutes before the car pauses."""
    with LivingHome(20, start=(17, 58)) as living:
        living.until(lambda: living.state()["headline"].startswith("The car waits until 22:0"), 60)
        yield living


def address(home: LivingHome, path: str = "/") -> str:
    return f"http://127.0.0.1:{home.port}{path}"


@contextlib.contextmanager
def watched(chromium: Any, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page of a new visitor and the list of what went wrong on it."""
    context = chromium.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if outside(request.url) else None)
    try:
        yield page, wrong
    finally:
        context.close()


def outside(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1"


@pytest.mark.parametrize(("width", "scheme"), list(itertools.product(WIDTHS, SCHEMES)))
def test_every_page_fits_and_asks_nothing_of_the_outside(
    home: LivingHome, chromium: Any, width: int, scheme: str
) -> None:
    with watched(chromium, viewport={"width": width, "height": 800}, color_scheme=scheme) as (page, wrong):
        for path, word in PATHS.items():
            page.goto(address(home, path))
            assert word in page.inner_text("h1"), path
            page.wait_for_timeout(150)  # the chart draws after the load
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
            small = page.evaluate(
                "[...document.querySelectorAll('button, nav a, a.button')].map(b => b.getBoundingClientRect())"
                ".filter(r => r.width && r.height && r.height < 43.5).length"
            )
            assert small == 0, path
            dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] < 60")
            assert dark is (scheme == "dark"), path
        assert wrong == []


@pytest.mark.skipif(not AXE.is_file(), reason="HEARTH_AXE names no axe.min.js")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious(home: LivingHome, chromium: Any, scheme: str) -> None:
    # axe evaluates code, which our own policy rightly forbids to pages.
    with watched(chromium, color_scheme=scheme, bypass_csp=True) as (page, _):
        found = []
        for path in (*PATHS, "/login"):
            page.goto(address(home, path))
            page.evaluate(AXE.read_text())
            for item in page.evaluate("axe.run().then(r => r.violations)"):
                if item["impact"] in ("serious", "critical"):
                    found.append(
                        (
                            path,
                            item["id"],
                            item["nodes"][0]["html"][:120],
                            item["nodes"][0].get("failureSummary", "")[:200],
                        )
                    )
    assert found == []


def test_the_plan_tells_what_a_touched_time_is_about(home: LivingHome, chromium: Any) -> None:
    with watched(chromium) as (page, wrong):
        page.goto(address(home, "/plan"))
        page.wait_for_selector("#chart canvas")
        assert "per kWh" in page.inner_text("#touched")
        page.focus("#chart")
        before = page.inner_text("#touched")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("text => document.getElementById('touched').innerText !== text", arg=before)
        assert wrong == []


def test_the_page_shows_a_change_of_the_house_within_two_seconds(home: LivingHome, chromium: Any) -> None:
    with watched(chromium) as (page, _):
        page.goto(address(home))
        assert re.fullmatch(r"[\d.]+ k?W", page.text_content("#node-grid .fig"))
        # The grid's figure may rest at 0: the battery covers the home in an event.
        shown = page.locator(".node .fig").all_text_contents()
        home.until(lambda: page.locator(".node .fig").all_text_contents() != shown, 30)
        # The page's clock is the age of what it shows.
        minute = page.inner_text("#clock")
        home.until(lambda: home.get("/").split('id="clock">')[1][:5] != minute, 10, every_s=0.05)
        page.wait_for_function("old => document.getElementById('clock').innerText !== old", arg=minute, timeout=2000)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_next_change_says_what_it_saves_and_override_undoes_it(
    home: LivingHome, chromium: Any, scripts: bool
) -> None:
    home.until(lambda: car_follows_plan(home), 30)
    with watched(chromium, java_script_enabled=scripts, viewport={"width": 360, "height": 800}) as (page, wrong):
        page.goto(address(home))
        card = page.inner_text(".change")
        assert re.search(r"\b22:0\d\b", card)
        assert re.search(r"Waiting saves €\d+\.\d\d and [\d.]+ k?g CO₂\.", card)
        page.click("text=Override: charge now")
        page.wait_for_selector(".said")
        assert "Car runs until" in page.inner_text(".said")
        took = home.until(lambda: home.truth()["ev"]["power_w"] > 4000, 20)
        assert took < 20
        page.goto(address(home, "/charging"))
        assert "Your override" in page.inner_text("main")
        page.click("text=Follow the plan again")
        page.wait_for_selector(".said")
        assert wrong == []
    home.until(lambda: home.truth()["ev"]["power_w"] < 100, 20)


def car_follows_plan(home: LivingHome) -> bool:
    change = home.state()["next_change"]
    return bool(change and change["refuse"] == "run" and change["saves_micro"] and change["saves_co2_g"])


def test_an_event_is_skipped_and_joined_again_with_a_button(home: LivingHome, chromium: Any) -> None:
    with watched(chromium) as (page, wrong):
        page.goto(address(home, "/events"))
        card = page.locator("section.event.active")
        assert "Use much less" in card.inner_text()
        card.get_by_role("button", name="Skip").click()
        page.wait_for_selector("text=skipped, nothing will change")
        assert opts(home) == {"Evening peak relief": "skipped"}
        page.locator("section.event", has_text="Evening peak relief").get_by_role("button", name="Join").click()
        page.wait_for_selector("text=Evening peak relief: joined.")
        assert opts(home) == {"Evening peak relief": "joined"}
        assert page.locator("section.event", has_text="Carbon intensity").get_by_role("button").count() == 0
        assert wrong == []


def opts(home: LivingHome) -> dict[str, str]:
    events = home.get("/api/v1/dr/events")
    return {e["name"]: e["opt"] for e in events if e["name"] == "Evening peak relief"}


def test_a_lost_connection_is_said_and_the_page_comes_back_by_itself(home: LivingHome, chromium: Any) -> None:
    """Last of this home: the gateway is killed and started again."""
    with watched(chromium) as (page, _):
        page.goto(address(home))
        page.wait_for_function("document.getElementById('lost').hidden")
        dead = home.kill("gateway")
        page.wait_for_selector("#lost:visible", timeout=30000)
        assert "Connection lost" in page.inner_text("#lost")
        assert "is-lost" in page.get_attribute("body", "class")
        home.again(dead)
        page.wait_for_selector("#lost", state="hidden", timeout=45000)


SITE = """\
site: {name: My home, timezone: Europe/Brussels, latitude: 50.85, longitude: 4.35, main_fuse_a: 25, tariff: demo_tou}
web: {port: PORT}
"""


def test_a_real_home_is_read_only_until_the_set_up_code_is_entered(chromium: Any) -> None:
    """Without --demo nobody is logged in; the code printed at the start makes the home one's own, once."""
    with tempfile.TemporaryDirectory(prefix="hearth-e2e-") as folder:
        site, port = Path(folder) / "home.yaml", free_port()
        site.write_text(SITE.replace("PORT", str(port)))
        command = [sys.executable, "-m", "gateway", "run", "--site", str(site), "--data", folder]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert process.stdout is not None
            code = next(line for line in process.stdout if line.startswith("Set-up code: ")).split()[2]
            with watched(chromium) as (page, _):
                log_in(page, f"http://127.0.0.1:{port}", code)
        finally:
            process.terminate()
            assert process.wait(10) == 0


def log_in(page: Any, base: str, code: str) -> None:
    page.goto(f"{base}/preferences")
    assert "You may look." in page.inner_text("footer")
    page.click("text=Keep these")
    page.wait_for_url(f"{base}/login")
    assert "Make this home yours" in page.inner_text("h1")
    for given, password in (("WRONGCODE1", "three good words"), (code, "three good words")):
        page.fill("[name=code]", given)
        page.fill("[name=password]", password)
        page.click("text=Set password and log in")
        page.wait_for_load_state()
    page.wait_for_url(f"{base}/")
    assert "Log out" in page.inner_text("footer")
    page.goto(f"{base}/preferences")
    page.fill("[name=comfort_low_c]", "18.5")
    page.click("text=Keep these")
    page.wait_for_selector("text=Kept.")
    page.click("text=Log out")
    page.goto(f"{base}/login")
    assert page.inner_text("h1") == "Log in"
    page.fill("[name=password]", "three good words")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{base}/")
    assert page.context.cookies()[0]["httpOnly"] is True
