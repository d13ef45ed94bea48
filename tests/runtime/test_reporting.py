"""From an event to its proof: the plan without it, baselines, delivered energy, reports in the outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.model.archive import ArchivedDay, ArchivedQuarter, PlannedQuarter
from gateway.model.dr import DrInterval, EventRecord, OptState, Payload, ReportDescriptor
from gateway.model.plan import Plan, PlanSlot
from gateway.model.quantity import Quantity
from gateway.model.reading import Interval, IntervalQuality, Rollup
from gateway.runtime.dr_before import steady
from gateway.runtime.reporting import Reporting
from tests.core.homes import SITE, car
from tests.fakes import START, FakeStore
from tests.runtime.test_demand_response import Utility, event

BEGIN, END = START + timedelta(minutes=30), START + timedelta(minutes=90)
UNKNOWN = "event over; what was delivered is not known, because a measurement has gaps"
ASKED = (ReportDescriptor("USAGE", units="KWH"), ReportDescriptor("BASELINE", units="KWH"))


def planned(made_at: datetime, **power_w: float) -> Plan:
    """A plan of one level for four hours."""
    slots = tuple(
        PlanSlot(made_at + timedelta(minutes=15 * i), 900, dict(power_w), None, None, None, 0, 0) for i in range(16)
    )
    return Plan(made_at, "baseline", "optimised", slots, (), 0, 0, 0.0, 1.0)


@dataclass
class Proof:
    """A home with one event an hour long from 30 minutes on, and a planner that knows what would be without it."""

    utility: Utility = field(default_factory=Utility)
    power_w: dict[str, float] = field(default_factory=lambda: {"car": 4000.0, "inverter": -1000.0})
    asked: list[tuple[datetime, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock, self.store, self.dr = self.utility.clock, self.utility.store, self.utility.dr
        self.reporting = self.again()

    def again(self) -> Reporting:
        tick: Any = SimpleNamespace(last=None)
        return Reporting(SITE, self.clock, self.store, self.dr, tick, self.without)

    async def without(self, event_id: str) -> Plan:
        self.asked.append((self.clock.now(), event_id))
        return planned(self.clock.now(), **self.power_w)

    async def to(self, when: datetime) -> None:
        """Let time pass with a look a minute."""
        while self.clock.now() < when:
            await self.clock.advance(min(60.0, (when - self.clock.now()).total_seconds()))
            await self.reporting.once()

    async def measured(self, device: str, watts: Callable[[datetime], float], days: int = 0) -> None:
        """Quarter hours of constant power, up to the end of the event and from `days` before."""
        start, rows = START - timedelta(days=days), []
        while start < END:
            energy = watts(start) / 4
            rows.append(
                Interval(device, start, 900, max(energy, 0.0), max(-energy, 0.0), IntervalQuality.VALID, "counter")
            )
            start += timedelta(minutes=15)
        await self.store.save_intervals(rows)

    @property
    def record(self) -> EventRecord:
        return self.dr.records["utility:e1"]


async def test_plans_without_the_event_are_made_before_the_home_prepares_and_as_it_starts_and_kept_over_a_restart() -> (
    None
):
    """Wrong before: the one plan was made at the start, when tank and car had already been filled for the event."""
    start = START + timedelta(hours=4)
    home = Proof()
    await home.utility.look(event(start=start))
    await home.to(start - timedelta(hours=2, minutes=1))
    assert not home.asked
    await home.to(start - timedelta(minutes=1))
    assert [when for when, _ in home.asked] == [start - timedelta(hours=2)]
    await home.to(start + timedelta(minutes=10))
    assert [name for _, name in home.asked] == ["utility:e1"] * 2 and home.asked[1][0] <= start
    home.reporting = home.again()
    await home.to(start + timedelta(minutes=20))
    assert len(home.asked) == 2


async def test_a_car_that_comes_while_the_event_runs_is_planned_for_from_then_on() -> None:
    """Wrong before: what it did not draw was not counted, as the plan kept at the start did not know it."""
    home = Proof(power_w={"car": 0.0, "inverter": -1000.0})
    status = {"car": car(plugged=False)}
    home.reporting.tick.last = SimpleNamespace(chargers=status, plan=None)
    await home.utility.look(event())
    await home.measured("car", lambda at: 0.0)
    await home.to(BEGIN + timedelta(minutes=30))
    status["car"], home.power_w = car(0.0), {"car": 4000.0, "inverter": -3000.0}
    await home.to(BEGIN + timedelta(minutes=40))
    assert len(home.asked) == 3
    home.reporting.tick.last = None
    slots = home.reporting.before.slots(home.record.key, "inverter")
    assert {power for _, power in slots} == {-1000.0}
    await home.to(END + timedelta(minutes=5))
    assert home.record.delivered_wh == pytest.approx(2000.0, abs=100)


async def test_a_heat_pump_differs_from_its_plan_by_as_much_as_in_the_hour_before() -> None:
    """Planned 0 W, measured 350 W: without the event it would have gone on at 350 W."""

    async def archived(day: date) -> ArchivedDay:
        quarters = tuple(
            ArchivedQuarter(at, PlannedQuarter(at, {"heat_pump": 0.0}, None, 0), {"heat_pump": 350.0})
            for at in (START - timedelta(minutes=15 * i) for i in range(1, 9))
        )
        return ArchivedDay(day, START, START, quarters)

    home = Proof(power_w={"heat_pump": 0.0})
    tick: Any = SimpleNamespace(last=None)
    home.reporting = Reporting(SITE, home.clock, home.store, home.dr, tick, home.without, archive=archived)
    await home.utility.look(event())
    await home.measured("heat_pump", lambda at: 350.0)
    await home.to(END + timedelta(minutes=5))
    assert home.record.delivered_wh == pytest.approx(0.0)


async def test_the_loop_looks_just_before_an_event_starts() -> None:
    home = Proof()
    await home.utility.look(event(start=START + timedelta(seconds=40)))
    await home.reporting.once()
    assert home.reporting._pause_s() == pytest.approx(35.0)


@pytest.mark.parametrize(
    ("misses", "off"), [((350, 340, 360, 345), 340), ((2500, 2500, 0, 0), 0), ((-80, -60), -60), ((-5, 5), 0), ((), 0)]
)
def test_a_pump_that_ran_for_a_while_and_stopped_is_not_off_for_ever(misses: tuple[float, ...], off: float) -> None:
    assert steady(misses) == off


async def test_delivered_is_what_the_car_would_have_taken_less_what_it_took() -> None:
    home = Proof()
    await home.utility.look(event())
    await home.measured("car", lambda at: 0.0)
    await home.to(END + timedelta(minutes=5))
    assert home.record.delivered_wh == pytest.approx(4000.0)
    assert home.record.delivered_low_wh == pytest.approx(3600.0)


async def test_a_device_without_a_plan_would_have_gone_on_as_before() -> None:
    home = Proof(power_w={})
    minutes = [
        Rollup("tank", Quantity.POWER, BEGIN - timedelta(minutes=m), 2000.0, 2000.0, 2000.0, 2000.0, 60)
        for m in range(1, 15)
    ]
    await home.store.save_rollups(minutes)
    await home.utility.look(event())
    await home.measured("tank", lambda at: 500.0)
    await home.to(END + timedelta(minutes=5))
    assert home.record.delivered_wh == pytest.approx(1500.0)


async def test_the_whole_home_counts_sun_and_battery_as_they_would_have_been() -> None:
    """House 600 W as every day, car 4000 W, battery -1000 W planned, sun -200 W: 3400 W; the meter saw 100 W."""
    home = Proof()
    await home.utility.look(event())
    await home.measured("house", lambda at: 600.0, days=40)
    await home.measured("solar", lambda at: -200.0)
    await home.measured("car", lambda at: 0.0)
    await home.measured("meter", lambda at: 100.0)
    await home.to(END + timedelta(minutes=5))
    record = home.record
    assert record.home_delivered_wh == pytest.approx(3300.0)
    assert record.home_delivered_low_wh is not None and record.home_delivered_high_wh is not None
    assert record.home_delivered_low_wh < 3300 < record.home_delivered_high_wh
    assert "80 % interval" in home.store.audit_rows[-1].text


async def test_each_report_asked_for_is_queued_once() -> None:
    home = Proof()
    await home.utility.look(replace(event(), reports=ASKED))
    await home.measured("house", lambda at: 600.0, days=40)
    await home.measured("meter", lambda at: 100.0)
    await home.to(END + timedelta(minutes=10))
    home.reporting = home.again()
    await home.to(END + timedelta(minutes=20))
    found = {report.payload_type: report.rows[0] for report in home.store.outbox.values()}
    assert len(home.store.outbox) == 2
    assert (found["USAGE"].value, found["USAGE"].quality) == (pytest.approx(0.1), "OK")
    assert found["BASELINE"].value == pytest.approx(3.6) and found["BASELINE"].quality == "ESTIMATED"


async def test_a_skipped_event_delivers_nothing() -> None:
    home = Proof(Utility(FakeStore()))
    await home.utility.look(event())
    await home.dr.opt("e1", "skip", "owner")
    await home.measured("car", lambda at: 0.0)
    await home.to(END + timedelta(minutes=5))
    assert home.record.opt is OptState.SKIPPED and home.record.delivered_wh is None


async def test_news_about_carbon_delivers_nothing_and_spoils_no_baseline_day() -> None:
    """Wrong before: the car's pause in another event was counted as delivered for an event that asks nothing."""
    home = Proof()
    news = replace(event(), id="ghg", intervals=(DrInterval(0, (Payload("GHG", (310.0,)),)),))
    await home.utility.look(event(), news)
    await home.measured("car", lambda at: 0.0)
    await home.to(END + timedelta(minutes=5))
    assert home.dr.records["utility:ghg"].delivered_wh is None and home.record.delivered_wh is not None
    assert not home.reporting.baselines.event_days(home.record)


async def test_a_gap_is_told_once_and_filled_when_the_counter_speaks_late() -> None:
    """Wrong before: every minute wrote another row to the audit."""
    home = Proof()
    await home.utility.look(event())
    await home.to(END + timedelta(minutes=30))
    assert [row.text for row in home.store.audit_rows if row.step == "released"] == [UNKNOWN]
    await home.measured("car", lambda at: 0.0)
    await home.to(END + timedelta(minutes=50))
    assert home.record.delivered_wh == pytest.approx(4000.0)
    assert len([row for row in home.store.audit_rows if row.step == "released"]) == 2
