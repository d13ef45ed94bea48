"""What is learned of heat and hot water: from what the store holds, after midnight, kept over a restart, used by plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.learning.told import Told
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup
from gateway.model.series import Point, Series, SeriesKind
from gateway.model.site import HeatPumpSpec, WaterHeaterSpec
from gateway.runtime.learn import Learn
from gateway.runtime.learn_heat import KEY, HeatLearning
from tests.core import heated_home, watered_home
from tests.core.homes import SITE
from tests.fakes import FakeClock, FakeStore

MIDNIGHT = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
"""In Brussels."""
NOW = MIDNIGHT + timedelta(minutes=20)
DAYS = 14
NOTHING = Told()


async def lived(*, outdoor: bool = True, panels: bool = True) -> FakeStore:
    """A store with two weeks of a heated and watered home, one roll-up per quarter hour."""
    store, start = FakeStore(), MIDNIGHT - timedelta(days=DAYS)
    home = heated_home.live(DAYS, 1)
    water, heater, _ = watered_home.live(DAYS, 1)
    series = [("heat_pump", Quantity.TEMPERATURE, home["room"]), ("tank", Quantity.TEMPERATURE, water)]
    if outdoor:
        series.append(("meter", Quantity.OUTDOOR_TEMPERATURE, home["outdoor"]))
    rows, intervals = [], []
    powers = {"heat_pump": home["power"], "tank": heater} | ({"solar": -4 * home["sun"]} if panels else {})
    for quarter in range(DAYS * 96):
        at = start + timedelta(minutes=15 * quarter)
        for device, quantity, values in series:
            value = float(values[quarter])
            rows.append(Rollup(device, quantity, at, value, value, value, value, 1))
        for device, values in powers.items():
            wh = float(values[quarter]) / 4
            intervals.append(Interval(device, at, 900, max(wh, 0), max(-wh, 0), IntervalQuality.VALID, "counter"))
    await store.save_rollups(rows)
    await store.save_intervals(intervals)
    return store


@pytest.mark.slow
async def test_after_midnight_the_home_s_heat_and_hot_water_are_learned_from_the_store():
    heat = HeatLearning(SITE, await lived())
    assert await heat.refresh(NOW, NOTHING, NOTHING)
    model, pattern = heat.thermal["heat_pump"], heat.draws["tank"]
    assert model.loss_w_per_k == pytest.approx(heated_home.LOSS_W_PER_K, rel=0.1)
    assert model.capacitance_wh_per_k == pytest.approx(heated_home.WH_PER_K, rel=0.1)
    assert model.sun_from == "panels"
    # Panels made 4 W per W/m2, windows let 3 m2 of it in.
    assert model.sun_gain == pytest.approx(heated_home.SUN_M2 / 4, rel=0.15)
    assert 5_000 < pattern.day_wh < 7_000
    assert heat.why == {}


@pytest.mark.slow
async def test_it_learns_once_a_day_and_a_restart_takes_up_what_was_learned():
    store = await lived()
    first = HeatLearning(SITE, store)
    await first.refresh(NOW, NOTHING, NOTHING)
    assert not await first.refresh(NOW + timedelta(hours=20), NOTHING, NOTHING)
    again = HeatLearning(SITE, store)
    await again.resume()
    assert (again.thermal, again.draws) == (first.thermal, first.draws)
    assert not await again.refresh(NOW + timedelta(hours=1), NOTHING, NOTHING)
    assert len(str(store.documents[KEY])) < 16_384


@pytest.mark.slow
async def test_days_on_which_nothing_can_be_learned_leave_what_was_learned_before():
    store = await lived()
    heat = HeatLearning(SITE, store)
    await heat.refresh(NOW, NOTHING, NOTHING)
    before = dict(heat.thermal), dict(heat.draws)
    assert await heat.refresh(NOW + timedelta(days=200), NOTHING, NOTHING)
    assert (heat.thermal, heat.draws) == before and heat.why == {}


@pytest.mark.slow
async def test_another_efficiency_or_tank_in_the_site_file_is_learned_anew():
    store = await lived()
    await HeatLearning(SITE, store).refresh(NOW, NOTHING, NOTHING)
    specs = {"tank": WaterHeaterSpec(2_000, 300, phase=2), "heat_pump": HeatPumpSpec(2_500, cop=4.0, phase=3)}
    site = replace(SITE, devices=tuple(replace(d, spec=specs.get(d.id, d.spec)) for d in SITE.devices))
    heat = HeatLearning(site, store)
    await heat.resume()
    assert heat.thermal == heat.draws == {}
    assert await heat.refresh(NOW + timedelta(hours=1), NOTHING, NOTHING)
    assert heat.thermal["heat_pump"].cop == 4.0


async def test_a_new_home_is_told_what_is_missing():
    heat = HeatLearning(SITE, FakeStore())
    await heat.refresh(NOW, NOTHING, NOTHING)
    assert heat.thermal == heat.draws == {}
    assert "0 of 7 days" in heat.why["heat_pump"] and "0 of 7 days" in heat.why["tank"]


@pytest.mark.parametrize("document", [{"version": 1}, {"version": 1, "specs": {}, "thermal": 3}, {"version": 99}])
async def test_a_document_that_cannot_be_read_is_left(document):
    store = FakeStore()
    await store.put(KEY, document)
    heat = HeatLearning(SITE, store)
    await heat.resume()
    assert heat.thermal == heat.draws == heat.why == {}


@pytest.mark.slow
async def test_without_a_sensor_outdoors_the_weather_service_s_temperature_serves():
    store, home = await lived(outdoor=False, panels=False), heated_home.live(DAYS, 1)
    hours = home["outdoor"].reshape(-1, 4).mean(axis=1)
    light = home["sun"].reshape(-1, 4).mean(axis=1)
    first = int((MIDNIGHT - timedelta(days=DAYS)).timestamp()) // 3600
    heat = HeatLearning(SITE, store)
    await heat.refresh(NOW, Told(first, tuple(hours.tolist())), Told(first, tuple(light.tolist())))
    model = heat.thermal["heat_pump"]
    assert model.loss_w_per_k == pytest.approx(heated_home.LOSS_W_PER_K, rel=0.1)
    assert model.sun_from == "irradiance"


def sky(value: float, kind: SeriesKind = SeriesKind.IRRADIANCE) -> Series:
    points = tuple(Point(NOW + timedelta(hours=n), NOW + timedelta(hours=n + 1), value) for n in range(-60, 60))
    return Series(kind, points, "Sky", NOW)


async def test_what_the_sources_tell_of_the_weather_is_kept_and_taken_up_again():
    store, clock = FakeStore(), FakeClock(NOW)
    learn = Learn(SITE, clock, store, weather=lambda: sky(3.5, SeriesKind.TEMPERATURE), irradiance=lambda: sky(240.0))
    await learn.resume()
    await learn.once()
    assert learn.outdoor is not None and learn.outdoor.mean[5] == 3.5
    kept = {name: Told.from_document(store.documents[f"told {name}"]) for name in ("temperature", "irradiance")}
    now_hour = int(NOW.timestamp()) // 3600
    assert kept["temperature"].end_hour == now_hour and kept["irradiance"].end_hour == now_hour + 12
    commits = store.commits
    again = Learn(SITE, clock, store, weather=lambda: None, irradiance=lambda: sky(999.0))
    await again.resume()
    await again.once()
    assert Told.from_document(store.documents["told irradiance"]) == kept["irradiance"]
    assert store.commits <= commits + 1
