"""What differs from the plan for long enough is planned anew, and never more often than every ten minutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.model.authority import Authority
from gateway.model.plan import Plan, PlanSlot
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.snapshot import Snapshot
from gateway.runtime.surprise import Surprise
from tests.core.homes import snapshot
from tests.fakes import START

MINUTE = 60
PLAN = Plan(
    START, "time", "optimised",
    (PlanSlot(START, 3_600, {"house": 500.0, "pv": -4_000.0}, 60.0, None, None, 300_000, 50_000),), (), 0, 0, 0.0, 0.0,
)  # fmt: skip


def seen(*, house_w: float = 500.0, sun_w: float = -4_000.0, soc: float = 50.0) -> Snapshot:
    """The battery may be anywhere from 50 to 60 percent."""
    amps = (house_w + sun_w) / 690
    return snapshot((amps, amps, amps), pv_w=sun_w, soc=soc)


def plans(snapshots: list[Snapshot]) -> list[int]:
    """At which second each surprise is sure, when there is one snapshot a second."""
    watch = Surprise()
    return [second for second, snap in enumerate(snapshots) if watch.sure(snap, PLAN, 50.0, float(second))]


@pytest.mark.parametrize(
    ("odd", "sure"),
    [
        (seen(), False),
        (seen(soc=60.0), False),
        (seen(house_w=2_100.0), True),
        (seen(sun_w=0.0), True),
        (seen(sun_w=-6_000.0), True),
        (seen(soc=44.0), True),
        (seen(soc=66.0), True),
        (seen(house_w=1_500.0, sun_w=-3_000.0, soc=47.0), False),
    ],
    ids=["as planned", "full early", "house", "no sun", "more sun", "emptier", "fuller", "all a little"],
)
def test_house_sun_and_battery_are_a_surprise_from_two_minutes_on(odd: Snapshot, sure: bool) -> None:
    """Wrong before: 6 kW of sun that never came was none."""
    assert plans([odd] * 3 * MINUTE) == ([120] if sure else [])


def test_a_cloud_that_passes_is_no_surprise_and_one_that_flickers_at_its_edge_is() -> None:
    shines, dark, edge = seen(), seen(sun_w=-500.0), seen(sun_w=-2_800.0)
    assert plans(([dark] * MINUTE + [shines] * 10) * 30) == []
    assert plans(([dark] * 10 + [edge] * 10) * 10) == [120]


def test_a_dark_hour_is_planned_anew_once_in_ten_minutes() -> None:
    assert plans([seen(sun_w=0.0)] * 60 * MINUTE) == [120 + 600 * i for i in range(6)]


def test_a_sun_that_is_held_back_or_not_heard_is_no_surprise() -> None:
    dark = seen(sun_w=0.0)
    until = START + timedelta(hours=1)
    held = Setpoint("inverter", SetpointKind.PV_LIMIT, 0.0, until, Authority.PLAN, "Power costs money to give away.")
    silent = replace(dark.devices["inverter"], online=False, values={})
    assert plans([replace(dark, commanded={"inverter power limit": held})] * 3 * MINUTE) == []
    unheard = replace(dark, devices={**dark.devices, "inverter": silent})
    assert plans([unheard] * 3 * MINUTE) == []


def test_without_a_plan_or_before_it_begins_nothing_is_a_surprise() -> None:
    odd, watch = seen(sun_w=0.0), Surprise()
    early = replace(odd, now=START - timedelta(seconds=1))
    for second in range(200):
        assert not watch.sure(odd, None, 50.0, float(second))
        assert not watch.sure(early, PLAN, 50.0, float(second))
