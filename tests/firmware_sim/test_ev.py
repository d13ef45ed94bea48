"""The car of a charger without a house: delay, ramp, phases, taper, moods, and energy that is never lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firmware_sim.physics.ev import Ev, Kind

NOW = datetime(2026, 11, 21, 17, 20, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def charging(amps: float = 16.0, offered: int = 3, **kind) -> Ev:
    ev = Ev(Kind(**kind))
    ev.advance(NOW)
    ev.plug()
    ev.offer(amps, offered, NOW)
    return ev


def test_it_starts_after_its_delay_and_ramps_up():
    ev = charging(start_delay_s=30.0)
    ev.advance(at(29))
    assert ev.current_a == 0.0
    ev.advance(at(32))
    assert 6.0 <= ev.current_a < 16.0
    ev.advance(at(40))
    assert ev.current_a == 16.0


@pytest.mark.parametrize(
    ("car", "offered", "drawn"),
    [(3, 3, (10.0, 10.0, 10.0)), (1, 3, (10.0, 0.0, 0.0)), (2, 3, (10.0, 10.0, 0.0)), (3, 1, (10.0, 0.0, 0.0))],
)
def test_it_uses_the_phases_both_sides_have_from_l1_on(car, offered, drawn):
    ev = charging(10.0, offered, phases=car)
    ev.advance(at(60))
    assert ev.currents_a == drawn


@pytest.mark.parametrize(("offered", "drawn"), [(5.9, 0.0), (6.0, 6.0), (20.0, 16.0), (0.0, 0.0)])
def test_it_draws_nothing_below_its_least_and_never_more_than_its_most(offered, drawn):
    ev = charging(offered)
    ev.advance(at(60))
    assert ev.current_a == drawn


@pytest.mark.parametrize(("wakes", "drawn"), [(True, 16.0), (False, 0.0)])
def test_after_a_pause_it_wakes_or_sleeps_until_it_is_plugged_in_again(wakes, drawn):
    ev = charging(wakes=wakes)
    ev.advance(at(60))
    ev.offer(0.0, 3, at(60))
    ev.offer(16.0, 3, at(120))
    ev.advance(at(180))
    assert ev.current_a == drawn
    ev.unplug()
    ev.plug()
    ev.offer(16.0, 3, at(200))
    ev.advance(at(260))
    assert ev.current_a == 16.0


def test_it_tapers_and_ends_full():
    ev = charging()
    ev.stored_wh = 57_000.0  # 95 %
    ev.advance(at(60))
    assert 10.0 < ev.current_a < 12.0
    ev.advance(at(3600))
    assert ev.soc_percent == pytest.approx(100.0, abs=0.1)
    assert ev.current_a == 0.0


def test_the_register_counts_what_the_battery_took_and_what_was_lost():
    ev = charging()
    ev.advance(at(3600))
    assert ev.register_wh == pytest.approx(11_040, rel=0.005)
    assert ev.stored_wh - 30_000 == pytest.approx(ev.register_wh * 0.92)


def test_long_steps_and_short_ones_come_to_the_same():
    long, short = charging(), charging()
    long.advance(at(1800))
    for second in range(1801):
        short.advance(at(second))
    assert long.register_wh == pytest.approx(short.register_wh, rel=1e-3)
