"""The sentences a person reads: what the home does now, and what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.model.audit import Notification
from gateway.model.authority import Authority
from gateway.model.plan import Block, IntentKind
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.snapshot import Snapshot
from gateway.runtime.words import car_sentence, change_sentence, headline, local_time, next_block
from tests.core.homes import SITE, car, plan, snapshot
from tests.fakes import START

BRUSSELS = ZoneInfo("Europe/Brussels")
NO_CAR = car(0.0, plugged=False)


def told(amps: float, authority: Authority, reason: str) -> dict[str, Setpoint]:
    return {"car": Setpoint("car", SetpointKind.CURRENT, amps, START, authority, reason)}


def at(kind: IntentKind, start_h: float, end_h: float, device: str = "car", power_w: float = 0.0) -> Block:
    hour = timedelta(hours=1)
    return Block(device, kind, START + start_h * hour, START + end_h * hour, power_w, 0.0, "Power is cheap then.")


def test_before_the_first_tick_the_home_says_so() -> None:
    assert headline(SITE, None, {}, []) == "Hearth has just started and is reading the meters."


def test_an_alarm_comes_first_and_a_warning_does_not() -> None:
    warning = Notification(START, "silent tank", "warning", "The tank does not answer.")
    alarm = Notification(START, "fuse", "alarm", "L1 draws 27 A.")
    charging = told(16.0, Authority.PLAN, "You asked to charge now.")
    assert headline(SITE, snapshot(charger=car(16.0)), charging, [warning, alarm]) == "L1 draws 27 A."
    assert "charges with 11.0 kW" in headline(SITE, snapshot(charger=car(16.0)), charging, [warning])


@pytest.mark.parametrize(
    ("status", "setpoints", "sentence"),
    [
        (
            car(16.0),
            told(16.0, Authority.PLAN, "You asked to charge now."),
            "The car charges with 11.0 kW. You asked to charge now.",
        ),
        (
            car(0.0),
            told(0.0, Authority.DEMAND_RESPONSE, "The utility asked to wait."),
            "The car waits. The utility asked to wait.",
        ),
        (
            car(0.0),
            told(0.0, Authority.PLAN, "The car waits for the cheap night."),
            "The car waits for the cheap night.",
        ),
        (
            car(0.0),
            told(16.0, Authority.PLAN, "You asked to charge now."),
            "The car is plugged in and takes no power; it may be full.",
        ),
    ],
)
def test_a_plugged_car_is_what_the_headline_is_about(status: object, setpoints: object, sentence: str) -> None:
    assert headline(SITE, snapshot(charger=status), setpoints, []) == sentence  # type: ignore[arg-type]


def test_a_charger_with_a_name_of_its_own_is_called_by_it() -> None:
    """Wrong before: "The with password waits."."""
    garage = replace(SITE.devices[2], name="Garage left")
    waits = told(0.0, Authority.PLAN, "Power is dear.")["car"]
    assert car_sentence(garage, snapshot(charger=car(0.0)), waits) == "Garage left waits. Power is dear."
    charges = told(16.0, Authority.PLAN, "You asked to charge now.")["car"]
    assert car_sentence(garage, snapshot(charger=car(16.0)), charges).startswith("Garage left charges with 11.0 kW.")


@pytest.mark.parametrize(
    ("authority", "sentence"),
    [
        (Authority.DEMAND_RESPONSE, "Power is cheap then."),
        (Authority.ELECTRICAL_SAFETY, "The car waits. The fuse is full."),
    ],
)
def test_a_wait_the_plan_intends_is_told_in_the_plans_words(authority: Authority, sentence: str) -> None:
    """The plan's reason knows until when and what follows; the fuse's own word comes before it."""
    setpoints = told(0.0, authority, "The fuse is full." if authority == 1 else "The utility asks.")
    waiting = plan(at(IntentKind.HOLD, 0, 4.5), at(IntentKind.CHARGE_AT, 4.5, 8))
    assert headline(SITE, snapshot(charger=car(0.0)), setpoints, [], waiting) == sentence


def test_a_car_that_has_what_it_needs_is_done() -> None:
    sentence = change_sentence(SITE.devices[2], at(IntentKind.IDLE, 4.5, 8), START, BRUSSELS)
    assert sentence == "Car is done charging at 22:00. Power is cheap then."


@pytest.mark.parametrize(
    ("shot", "sentence"),
    [
        (
            snapshot((-5, -5, -5), pv_w=-5000, charger=NO_CAR),
            "The sun gives 5.0 kW, and 3.5 kW of it goes to the grid.",
        ),
        (
            snapshot((0, 0, 0), pv_w=-3000, battery_w=2000, charger=NO_CAR),
            "The sun gives 3.0 kW and charges the battery with 2.0 kW.",
        ),
        (
            snapshot((0, 0, 0), battery_w=-800, charger=NO_CAR),
            "The battery feeds the home with 0.8 kW, so little is bought.",
        ),
        (snapshot((1, 1, 1), charger=NO_CAR), "The home draws 0.7 kW from the grid."),
        (snapshot((0, 0, 0), charger=NO_CAR), "The home is in balance: nearly nothing is bought or sold."),
        (
            Snapshot(START, {}, {}, snapshot().preferences),
            "The main meter is silent, so what the home draws is not known.",
        ),
    ],
)
def test_without_a_car_the_headline_tells_of_sun_battery_and_grid(shot: Snapshot, sentence: str) -> None:
    assert headline(SITE, shot, {}, []) == sentence


def test_the_next_change_is_the_nearest_and_at_equal_times_the_cars() -> None:
    blocks = (
        at(IntentKind.IDLE, 0, 2, "tank"),
        at(IntentKind.RUN, 2, 3, "tank"),
        at(IntentKind.HOLD, 0, 2),
        at(IntentKind.CHARGE_AT, 2, 4),
    )
    found = next_block(SITE, plan(*blocks), START)
    assert found is not None and found[0].id == "car" and found[1].kind is IntentKind.CHARGE_AT


def test_more_power_is_no_change_but_its_end_is() -> None:
    """Wrong before: with another power in between, the change after it was not told."""
    blocks = (
        at(IntentKind.CHARGE_AT, 0, 1, power_w=4000),
        at(IntentKind.CHARGE_AT, 1, 2, power_w=11_000),
        at(IntentKind.HOLD, 2, 8),
    )
    found = next_block(SITE, plan(*blocks), START)
    assert found is not None and found[1] == blocks[2]


def test_without_a_plan_or_a_change_nothing_is_next() -> None:
    assert next_block(SITE, None, START) is None
    assert next_block(SITE, plan(at(IntentKind.HOLD, 0, 8)), START) is None


def test_a_change_is_told_with_its_local_time_and_why() -> None:
    device = SITE.devices[2]
    sentence = change_sentence(device, at(IntentKind.CHARGE_AT, 4.5, 8), START, BRUSSELS)
    assert sentence == "Car starts charging at 22:00. Power is cheap then."


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (datetime(2026, 11, 21, 21, 0, tzinfo=UTC), "22:00"),
        (datetime(2026, 11, 21, 23, 0, tzinfo=UTC), "Sun 00:00"),  # midnight is tomorrow
        (datetime(2026, 11, 22, 6, 0, tzinfo=UTC), "Sun 07:00"),
    ],
)
def test_local_time_names_the_day_when_it_is_not_today(when: datetime, words: str) -> None:
    assert local_time(when, START, BRUSSELS) == words


def test_local_time_follows_the_change_of_the_clocks() -> None:
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert local_time(before, before, BRUSSELS) == "02:30"
    assert local_time(before + timedelta(hours=1), before, BRUSSELS) == "02:30"
    assert local_time(before + timedelta(hours=2), before, BRUSSELS) == "03:30"
