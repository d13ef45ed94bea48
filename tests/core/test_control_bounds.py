"""What a car may be drawing while its limit changes faster than its charger tells: each bound a short story."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.control.dispatch import ControlMemory, decide
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec, Device, Role
from gateway.model.snapshot import ChargePhase, ChargerStatus, Snapshot
from tests.core.homes import SITE, car, meter, snapshot
from tests.fakes import START

FUSE_25_A = SITE


def told(name: str, amps: float) -> Setpoint:
    return Setpoint(name, SetpointKind.CURRENT, amps, START, Authority.PLAN, "")


def limit_of(shown: float, limit: float, drawn: float, age_s: float, memory: ControlMemory) -> float:
    """What the car is told at second 1000 with `shown` A on each phase of a 25 A fuse."""
    snap = snapshot((shown,) * 3, charger=car(drawn, age_s=age_s), commanded={"car": told("car", limit)})
    decision = decide(FUSE_25_A, snap, memory, ControlTiming(), 1000.0)
    return next(s.value for s in decision.setpoints if s.device == "car")


def changed(at: float, drew: float, *limits: tuple[float, float], meter_a: float = 0.0, calm_a: float = 0.0):
    """The memory of a limit changed at `at`, when the car drew `drew` A; `limits`: those before, until when and A."""
    known = {"car": (meter_a,) * 3} if meter_a else {}
    calm = (calm_a,) * 3 if calm_a else ()
    return ControlMemory({"car": at}, {"car": drew}, known, {"car": limits}, calm_a=calm)


def test_a_car_cut_twice_within_seconds_counts_with_the_first_cut_once_it_had_its_time_to_follow() -> None:
    """Wrong before: it counted with the 16 A from before the first cut, and the second overload stood for 13 s."""
    memory = changed(996, 16.0, (988, 16.0), (996, 10.0))
    assert limit_of(28.0, 8.0, 16.0, 14.0, memory) == pytest.approx(6.5)


def test_a_cut_of_a_second_ago_is_not_yet_believed() -> None:
    assert limit_of(28.0, 8.0, 16.0, 9.0, changed(999, 16.0, (995, 16.0), (999, 10.0))) == 8.0


def test_a_car_that_drew_far_below_its_limit_does_not_explain_a_jump_of_the_meter_by_being_raised() -> None:
    """Wrong before: a jump of another load within 7 s of the raise counted as the car's, and little was cut."""
    assert limit_of(26.0, 16.0, 8.0, 1.0, changed(998, 8.0, (998, 12.0), meter_a=18.0)) == pytest.approx(6.5)


def test_a_sample_just_after_a_raise_still_tells_what_the_car_drew_under_the_limit_before() -> None:
    memory = changed(998, 12.0, (990, 6.0), (998, 12.0), meter_a=18.0)
    assert limit_of(26.0, 16.0, 8.0, 1.0, memory) == pytest.approx(6.5)
    early = changed(998, 12.0, (996, 6.0), (998, 12.0), meter_a=18.0)
    assert limit_of(26.0, 16.0, 8.0, 1.0, early) > 12.0, "3 s after the raise before, it may have been on its way"


def test_in_an_overload_a_raised_car_that_has_not_told_since_counts_with_what_it_surely_drew() -> None:
    """A battery that gave what the car took may have hidden its rise; what it told is all that it can surely give."""
    hidden = changed(994, 8.0, (994, 8.0), meter_a=14.0, calm_a=14.0)
    assert limit_of(26.4, 16.0, 8.0, 7.0, hidden) == 6.0
    assert limit_of(30.0, 16.0, 8.0, 7.0, hidden) == 0.0


def test_a_raised_car_that_told_nothing_since_counts_with_no_more_than_the_meter_saw_rising() -> None:
    memory = changed(988, 8.0, (988, 8.0), meter_a=18.0)
    assert limit_of(25.0, 16.0, 8.0, 13.0, memory) == pytest.approx(14.5)


def test_a_car_that_was_raised_long_ago_takes_no_share_of_what_the_meter_sees_rising_now() -> None:
    devices = (SITE.devices[0], *(Device(name, name, Role.EV_CHARGER, ChargerSpec()) for name in "ab"))
    site = replace(SITE, devices=devices, main_fuse_a=32.0)
    long_ago, now = car(16.0, age_s=1.0), car(6.0, age_s=6.0)
    snap = Snapshot(
        START, {"meter": meter((32.5, 32.5, 32.5))}, {"a": replace(long_ago, id="a"), "b": replace(now, id="b")},
        Preferences(charging={name: ChargingPreference(ChargeMode.NOW) for name in "ab"}),
        commanded={name: told(name, 16.0) for name in "ab"},
    )  # fmt: skip
    memory = ControlMemory(
        {"a": 500.0, "b": 995.0}, {"a": 6.0, "b": 6.0}, {"a": (6.0,) * 3, "b": (22.5,) * 3},
        {"a": ((500.0, 6.0),), "b": ((995.0, 6.0),)},
    )  # fmt: skip
    found = decide(site, snap, memory, ControlTiming(), 1000.0).setpoints
    assert sum(s.value for s in found if s.device in "ab") == pytest.approx(31.0, abs=0.2), (
        "both draw 16 A: 1 A too much"
    )


def test_the_phases_of_an_old_sample_are_not_believed() -> None:
    """A one-phase car that told nothing for longer than two intervals may have become a three-phase one."""
    spec = ChargerSpec()
    devices = (
        Device("meter", "Meter", Role.MAIN_METER),
        Device("a", "A", Role.EV_CHARGER, spec),
        Device("b", "B", Role.EV_CHARGER, replace(spec, phases=(2,))),
    )
    site = replace(SITE, devices=devices, main_fuse_a=20.0)

    def b_is_told(age_s: float) -> float:
        a = ChargerStatus(
            "a", ChargePhase.CHARGING, True, "1", current_a=(16.0, 0.0, 0.0), phases_in_use=1, meter_age_s=age_s
        )
        b = ChargerStatus("b", ChargePhase.CHARGING, True, "1", current_a=(None, 6.0, None), meter_age_s=0.0)
        snap = Snapshot(
            START, {"meter": meter((18, 7, 2))}, {"a": a, "b": b},
            Preferences(charging={name: ChargingPreference(ChargeMode.NOW) for name in "ab"}),
            commanded={"a": told("a", 16.0), "b": told("b", 6.0)},
        )  # fmt: skip
        found = decide(site, snap, ControlMemory(), ControlTiming(), 1000.0).setpoints
        return next(s.value for s in found if s.device == "b")

    assert b_is_told(20.0) == 16.0
    assert b_is_told(20.5) <= 6.0
