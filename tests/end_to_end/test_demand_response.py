"""Demand response from the utility's call to the car's current, on a whole home of real processes at speed 1.

Two utilities: one calls by webhook, the other over MQTT; the gateway looks by itself only once a minute, so what happens
within seconds was pushed. Each figure is printed with its promise and fails at three times of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.end_to_end.dr_home import DrHome, later, pause_until
from tests.end_to_end.windows_tools import Figures, Witness, causes, charger, told

pytestmark = pytest.mark.end_to_end

USAGE = {"payloadType": "USAGE", "readingType": "DIRECT_READ", "units": "KWH"}
LIMIT_W = 8000.0
SLACK_W = 100.0
LASTS_S = 30.0


@pytest.fixture(scope="module")
def living() -> Iterator[tuple[DrHome, Witness]]:
    """The home with its car charging freely; both utilities can call it."""
    with DrHome() as home, Witness(home) as witness:
        home.wait_for_push()
        home.until(witness.charges, 60)
        yield home, witness


@pytest.fixture
def home(living: tuple[DrHome, Witness]) -> DrHome:
    """The home at the start of a story: no event at either utility, nothing held back."""
    home, _ = living
    for name in ("vtn", "second"):
        for event in home.utility("GET", "/events", at=name):
            home.utility("DELETE", f"/events/{event['id']}", at=name)
    home.until(lambda: (charger(home)["accepted_limit_a"] or 0) >= 6, 60)
    return home


@pytest.mark.parametrize(("utility", "way"), [("vtn", "webhook"), ("second", "MQTT")])
def test_a_pushed_event_reaches_the_charger_within_seconds(home: DrHome, utility: str, way: str) -> None:
    program = home.program(f"Peak by {way}", at=utility)
    figures = Figures(f"an event pushed by {way}, the gateway's own look a minute away")
    with told(figures):
        pushed = home.now()
        event = home.event(program, f"Now by {way}", ("SIMPLE", 2), pushed, 40, at=utility)
        figures.note("pushed: 0 A accepted by the charger", home.paused(pushed), 2)
        withdrawn = home.now()
        home.utility("DELETE", f"/events/{event['id']}", at=utility)
        # The way back is spread over a tenth of the event on purpose: 4 s; a car that just stopped rests 10 s.
        figures.note("withdrawn: limit raised", home.freed(withdrawn), 2 + 4 + 10, most=20)


def test_one_id_at_two_utilities_is_two_events_and_a_withdrawal_ends_only_its_own(home: DrHome) -> None:
    programs = {"vtn": home.program("One"), "second": home.program("Two", at="second")}
    ids = {name: published(home, name, program) for name, program in programs.items()}
    while ids["vtn"] != ids["second"]:
        behind = min(ids, key=lambda name: int(ids[name]))
        home.utility("DELETE", f"/events/{ids[behind]}", at=behind)
        ids[behind] = published(home, behind, programs[behind])
    home.until(lambda: phase_of(home, "At vtn") == phase_of(home, "At second") == "upcoming", 10)
    home.utility("DELETE", f"/events/{ids['second']}", at="second")
    home.until(lambda: phase_of(home, "At second") != "upcoming", 10)
    assert phase_of(home, "At vtn") == "upcoming"


def published(home: DrHome, at: str, program: str) -> str:
    return str(home.event(program, f"At {at}", ("SIMPLE", 1), later(home, 900), 60, at=at)["id"])


def phase_of(home: DrHome, name: str) -> str:
    """The phase of the newest event of this name."""
    found = [item for item in home.get("/api/v1/dr/events") if item["name"] == name]
    return str(max(found, key=lambda item: int(item["id"]))["phase"]) if found else "unknown"


def test_an_event_that_the_utility_and_the_gateway_both_do_not_survive_ends_on_time(home: DrHome) -> None:
    figures = Figures("a scheduled event, an override in it, then kill -9 of the utility's server and of the gateway")
    first, second = home.program("Scheduled"), home.program("Other utility", at="second")
    start = later(home, 6)
    home.event(first, "Scheduled peak", ("SIMPLE", 2), start, LASTS_S)
    home.event(second, "Tomorrow", ("SIMPLE", 1), later(home, 3600), 60, at="second")
    with told(figures):
        home.until(lambda: home.held("Scheduled peak") and home.held("Tomorrow"), 6)
        pause_until(home, start)
        figures.note("scheduled: 0 A accepted after the start", home.paused(start), 1)
        asked = home.now()
        home.post("/api/v1/overrides", {"device": "car", "action": "run", "minutes": 30})
        figures.note("override: limit raised", home.freed(asked), 2)
        asked = home.now()
        home.post("/api/v1/overrides", {"device": "car", "action": "auto"})
        figures.note("override ended: 0 A accepted", home.paused(asked), 2)
        # --- both die in the event
        home.event(first, "Over already", ("SIMPLE", 0), later(home, -1800), 300, reports=[USAGE])
        home.until(lambda: home.held("Over already"), 6)
        utility = home.kill("vtn")
        before = remembered(home)
        home.again(home.kill("gateway"))
        home.until(lambda: charger(home)["connected"], 20)
        assert remembered(home) == before
        held = home.held("Scheduled peak")
        assert held and held["phase"] == "active"
        # --- it ends as it was told, although nobody hears the utility
        end = start + timedelta(seconds=LASTS_S)
        pause_until(home, end)
        figures.note("the event's end: limit raised", home.freed(end), 2 + LASTS_S / 10)
        assert any(cause.startswith("server utility") for cause in causes(home)), "the silent utility is told of"
        # --- the utility is back: the report that waited arrives, once
        home.again(utility)
        figures.note("report at the utility after its return", home.until(lambda: reports(home), 70), 30, most=70)
        home.until(lambda: not any(cause.startswith("server utility") for cause in causes(home)), 60)
        assert len(reports(home)) == 1


def remembered(home: DrHome) -> dict[str, Any]:
    """What a gateway knows of each event and must know again after a kill."""
    keep = ("id", "opt", "first_seen", "start", "end", "cancelled")
    return {item["name"]: {key: item.get(key) for key in keep} for item in home.get("/api/v1/dr/events")}


def reports(home: DrHome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = home.get("/sim/reports", port=home.vtn)
    return found


def test_a_capacity_limit_is_met_at_the_meter_and_met_again_after_a_breach(
    home: DrHome, living: tuple[DrHome, Witness]
) -> None:
    witness = living[1]
    program = home.program("Envelope")
    figures = Figures(
        f"an import limit of {LIMIT_W / 1000:g} kW while the house draws more, then 4 kW more in the house"
    )
    with told(figures):
        home.hub({"house": {"extra_w": [1000, 1000, 1000]}})
        # A car that has not yet told its current since it began is stopped at once: this is about one that has.
        home.until(lambda: imported(witness) > LIMIT_W + 1000 and home.state()["car_w"] > 8000, 60)
        asked = home.now()
        home.event(program, "Limit", ("IMPORT_CAPACITY_LIMIT", LIMIT_W / 1000), asked, 120)
        figures.note("limit: met at the meter", met(home, witness, asked), 30, most=30)
        breached = home.now()
        home.hub({"house": {"extra_w": [2300, 2300, 2300]}})
        home.until(lambda: witness.first(breached, above), 10)
        figures.note("breach: met at the meter again", met(home, witness, breached), 10, most=30)
    home.hub({"house": {"extra_w": [0, 0, 0]}})


def imported(witness: Witness) -> float:
    return float(sum(witness.last()["grid_w"]))


def above(state: dict[str, Any]) -> bool:
    return bool(sum(state["grid_w"]) > LIMIT_W + SLACK_W)


def met(home: DrHome, witness: Witness, since: datetime) -> float:
    """Seconds from `since` to the house's last state above the limit, once it has kept to it for four of its seconds."""
    home.until(lambda: not any(above(state) for _, state in witness.seen[-4:]), 40)
    late = [(at - since).total_seconds() for at, state in witness.seen if at >= since and above(state)]
    assert late, "the limit was never exceeded: nothing was shown"
    return max(late)
