"""Days of planning anew each half hour: what was planned is what happens, and nothing is put off for ever."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta

import pytest

from gateway.core.control.heating import tank_wish
from gateway.core.control.loads import relay_wish
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import make_plan
from gateway.model.loads import ApplianceRun, RunPhase, Standing, next_window
from gateway.model.plan import Plan
from gateway.model.site import PoolPumpSpec
from tests.core.loads_home import POOL, WASH_H, asked, wish
from tests.core.test_planning_properties import ZONE, at

STEP = timedelta(minutes=30)
COARSE = ((3.0, 900), (24.0, 900), (48.0, 3600))


@dataclass
class Day:
    """A home whose loads obey the tick; the plan is made anew at each step."""

    pool: PoolPumpSpec
    run: ApplianceRun
    now: datetime
    tank_c: float = 50.0
    hot_at: datetime | None = None
    ran_s: float = 0.0
    pool_on: Standing = field(init=False)
    hours_of_day: dict[str, float] = field(default_factory=dict)
    starts: int = 0
    washed: list[datetime] = field(default_factory=list)
    hottest: float = 0.0

    def __post_init__(self) -> None:
        self.pool_on = Standing(0.0, self.now)
        self.ends = next_window(self.pool, ZONE, self.now)[1]

    def request(self) -> PlanRequest:
        loads = {
            "ran_s": {"pool": self.ran_s}, "seen": {"pool": self.pool_on}, "stands": {"pool": self.pool_on},
            "hot_at": {"tank": self.hot_at} if self.hot_at else {},
        }  # fmt: skip
        return asked(
            self.now, pool=self.pool, run=self.run, loads=loads, pool_w=1_100.0 * self.pool_on.value,
            wash_w=700.0 if self.run.phase is RunPhase.RUNNING else 0.0, tank_c=self.tank_c, steps=COARSE,
        )  # fmt: skip

    def step(self) -> Plan:
        request = self.request()
        plan = make_plan(request, alternatives=False)
        seen = replace(request.snapshot, plan=plan)
        devices = {device.id: device for device in request.site.devices}
        on = relay_wish(request.site, seen, devices["pool"]).value
        wash = relay_wish(request.site, seen, devices["dishwasher"]).value
        heat = tank_wish(seen, devices["tank"]).value
        if on != self.pool_on.value:
            self.starts += on == 1
            self.pool_on = Standing(on, self.now)
        self._pass(on, wash, heat)
        return plan

    def _pass(self, on: float, wash: float, heat: float) -> None:
        day = self.now.astimezone(ZONE).date().isoformat()
        hours = STEP.total_seconds() / 3600
        self.hours_of_day[day] = self.hours_of_day.get(day, 0.0) + on * hours
        self.ran_s += on * STEP.total_seconds()
        if self.run.phase is RunPhase.WAITING and wash:
            self.run = replace(self.run, started_at=self.now, ends_at=self.now + timedelta(hours=WASH_H))
        if self.run.phase is RunPhase.RUNNING:
            assert wash == 1, "never interrupted"
            self.washed.append(self.now)
        self.tank_c += heat * 2_000 * hours / 232.6 - 0.08
        self.now += STEP
        if self.run.ends_at is not None and self.run.phase is RunPhase.RUNNING and self.now >= self.run.ends_at:
            self.run = replace(self.run, done_at=self.now)
        if self.now >= self.ends:
            self.ran_s, self.ends = 0.0, next_window(self.pool, ZONE, self.now)[1]
        if self.tank_c >= 59.5 and self.hot_at is not None:
            self.hot_at = self.now
        self.hottest = max(self.hottest, self.tank_c)


@pytest.mark.slow
@pytest.mark.parametrize("summer", [True, False], ids=["June", "November"])
def test_over_two_days_the_hours_are_run_the_dishes_are_washed_once_and_the_water_was_hot(summer):
    start = at("2026-06-20T00:00") if summer else at("2026-11-20T00:00")
    pool = replace(POOL, hours_per_day=5, earliest=time(8), latest=time(22))
    day = Day(pool, wish(start, start + timedelta(hours=31)), start, hot_at=start - timedelta(days=6))
    for _ in range(2 * 48):
        day.step()
    assert all(hours == pytest.approx(5, abs=0.5) for hours in day.hours_of_day.values()), day.hours_of_day
    assert day.starts <= 6
    assert len(day.washed) == 3 and day.run.done_at is not None and day.run.done_at <= day.run.done_by
    assert day.hot_at is not None and day.hot_at >= start and day.hottest < 66


@pytest.mark.slow
def test_without_any_plan_the_tick_alone_runs_the_hours():
    start = at("2026-06-20T00:00")
    pool = replace(POOL, hours_per_day=5, earliest=time(8), latest=time(22))
    day = Day(pool, wish(start, start + timedelta(hours=31)), start)
    for _ in range(2 * 24):
        request = day.request()
        seen = request.snapshot
        on = relay_wish(request.site, seen, request.site.device("pool")).value
        wash = relay_wish(request.site, seen, request.site.device("dishwasher")).value
        day.pool_on = day.pool_on if on == day.pool_on.value else Standing(on, day.now)
        day._pass(on, wash, 0.0)
    assert day.hours_of_day["2026-06-20"] == pytest.approx(5, abs=0.5)
