"""One home through a whole day at speed, and its twin without the event: what everybody said.

15:00        17:20  17:45 18:00             22:00            07:00        14:00
|------------|car---|told-|=== the event ===|--- charging ---|leaves------|
             (same seed, same wishes, no event) |twin 15:00 ... 22:10|

The twin lives its evening while the first home sleeps: two evenings at once would be more than a small machine keeps
up with at this speed, and the evening is what is compared.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from zoneinfo import ZoneInfo

from gateway.demo import ROOT
from tests.end_to_end.harness import LivingHome
from tests.end_to_end.witness import Truth, Witness

ZONE = ZoneInfo("Europe/Brussels")
DAY = date(2026, 11, 19)
"""A Thursday, so that the days before it are alike."""
SPEED = 300.0
LASTS = timedelta(hours=23)
START = (15, 0)
EVENT = "Evening peak relief"
DEVICES = ("grid_meter", "car", "tank", "heat_pump", "house", "solar")
LOOK_S = 0.5
"""Real seconds between two looks at the gateway."""


def local(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
    """A local time of the day (or of one after), UTC."""
    return datetime.combine(DAY + timedelta(days=days), clock_time(hour, minute), ZONE).astimezone(UTC)


EVENING = local(22, 10)
"""When the event and what follows at once are over."""


def script(*, event: bool) -> list[dict[str, Any]]:
    """The signature scene's script, with or without the event itself."""
    entries = json.loads((ROOT / "firmware_sim" / "scripts" / "signature_scene.json").read_text())
    return [entry for entry in entries if event or entry.get("event", {}).get("eventName") != EVENT]


@dataclass
class Look:
    """What the gateway said at one moment."""

    at: datetime
    ready: str
    """Empty when /readyz said yes, else its reasons."""
    state: dict[str, Any]
    car: dict[str, Any]
    plan_made_at: datetime | None


@dataclass
class HomeDay:
    """Everything one home said of its day, and what was true."""

    truth: Truth = field(default_factory=Truth)
    looks: list[Look] = field(default_factory=list)
    intervals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    registers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notifications: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    house: dict[str, Any] = field(default_factory=dict)
    metrics: str = ""
    error: BaseException | None = None


def live(*, event: bool, until: datetime, found: HomeDay, evening_over: threading.Event) -> None:
    """Let a home live from START until a home time; `found` is filled in, `evening_over` set past EVENING."""
    try:
        with LivingHome(SPEED, start=START, day=DAY, script=script(event=event)) as home:
            witness = Witness(home.child("house").port or 0)
            try:
                while home.now() < until:
                    found.looks.append(look(home))
                    time.sleep(LOOK_S)
                    if home.now() > EVENING:
                        evening_over.set()
                ask(home, found)
            finally:
                witness.stop()
                found.truth = witness.truth
    except BaseException as error:
        found.error = error
    finally:
        evening_over.set()


def look(home: LivingHome) -> Look:
    """The gateway's word at this moment."""
    try:
        home.get("/readyz")
        ready = ""
    except urllib.error.HTTPError as error:
        ready = error.read().decode()
    plan = None
    with contextlib.suppress(urllib.error.HTTPError):
        plan = datetime.fromisoformat(home.get("/api/v1/plan")["made_at"])
    return Look(home.now(), ready, home.state(), home.get("/api/v1/chargers")[0], plan)


def ask(home: LivingHome, found: HomeDay) -> None:
    """What is left to ask at the end of the day."""
    span = f"start={_iso(local(*START))}&end={_iso(home.now())}"
    for device in DEVICES:
        found.intervals[device] = home.get(f"/api/v1/intervals?device={device}&{span}")["intervals"]
    for quantity in ("energy_import_wh", "energy_export_wh"):
        path = f"/api/v1/readings?device=grid_meter&quantity={quantity}&{span}"
        found.registers[quantity] = home.get(path)["rollups"]
    found.notifications = home.get("/api/v1/notifications")
    found.events = home.get("/api/v1/dr/events")
    found.audit = home.get(f"/api/v1/audit?{span}")
    found.reports = home.get("/sim/reports", port=home.vtn)
    found.metrics = home.get("/metrics")
    found.house = home.report()


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def whole_day() -> tuple[HomeDay, HomeDay]:
    """The day with the event, and the evening of the twin that begins when the first home's is over."""
    day, twin, evening_over = HomeDay(), HomeDay(), threading.Event()
    first = {"event": True, "until": local(*START) + LASTS, "found": day, "evening_over": evening_over}
    life = threading.Thread(target=live, kwargs=first)
    life.start()
    evening_over.wait()
    live(event=False, until=EVENING, found=twin, evening_over=evening_over)
    life.join()
    for found in (day, twin):
        if found.error is not None:
            raise found.error
    return day, twin
