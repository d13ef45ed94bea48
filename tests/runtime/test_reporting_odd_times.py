"""Events at odd seconds, shorter than a quarter hour, and announced just before: measured like any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.model.audit import AuditRow
from gateway.model.dr import Duration, IntervalPeriod, ReportDescriptor
from gateway.model.plan import Plan
from gateway.model.quantity import Quantity
from gateway.model.reading import Rollup
from tests.fakes import START
from tests.runtime.test_demand_response import event
from tests.runtime.test_reporting import END, Proof, planned
from tests.runtime.test_reporting_kinds import snapshot

ODD = START + timedelta(minutes=37, seconds=13)
ASKED = (ReportDescriptor("USAGE", units="KWH"), ReportDescriptor("DEMAND", units="KW"))


def minutes(device: str, watts: dict[int, float], otherwise: float = 0.0) -> list[Rollup]:
    """One-minute roll-ups from START to the last quarter hour's end, by minute after START."""
    found = []
    for number in range(90):
        power = watts.get(number, otherwise)
        at = START + timedelta(minutes=number)
        found.append(Rollup(device, Quantity.POWER, at, power, power, power, power, 60))
    return found


async def run(home: Proof, start: datetime, length: timedelta, until: datetime = END) -> None:
    period = IntervalPeriod(start=start, duration=Duration(seconds=int(length.total_seconds())))
    await home.utility.look(replace(event(start=start), period=period, reports=ASKED))
    await home.to(until + timedelta(minutes=5))


def told(home: Proof) -> dict[str, tuple[float, str]]:
    return {r.payload_type: (r.rows[0].value, r.rows[0].quality) for r in home.store.outbox.values()}  # type: ignore[misc]


@pytest.mark.parametrize(("start", "length"), [(ODD, 20), (ODD, 5), (ODD, 10), (ODD + timedelta(seconds=0.4), 20)])
async def test_an_event_at_odd_seconds_is_measured_in_proportion_to_its_quarter_hours(
    start: datetime, length: int
) -> None:
    """Wrong before: the quarter hour that holds the start was not asked for, so nothing was ever known."""
    home = Proof()
    for device, watts in (("meter", 1200.0), ("car", 600.0)):
        await home.measured(device, lambda at, watts=watts: watts)  # type: ignore[misc]
    await run(home, start, timedelta(minutes=length))
    assert told(home) == {
        "USAGE": (pytest.approx(1.2 * length / 60, abs=0.001), "ESTIMATED"),
        "DEMAND": (pytest.approx(1.2, abs=0.003), "ESTIMATED"),
    }
    assert home.record.delivered_wh == pytest.approx(3400.0 * length / 60, abs=3)
    assert home.record.delivered_low_wh is not None and home.record.delivered_high_wh is not None


async def test_the_minutes_in_the_store_say_what_was_used_in_a_part_of_a_quarter_hour() -> None:
    """1200 W for the first five minutes of the quarter hour, nothing in the event: 0 kWh and not a proportional part."""
    home = Proof()
    start = START + timedelta(minutes=35)
    await home.store.save_rollups(minutes("meter", dict.fromkeys(range(30, 35), 1200.0)))
    await home.measured("meter", lambda at: 400.0 if at == START + timedelta(minutes=30) else 0.0)
    await run(home, start, timedelta(minutes=5))
    assert told(home) == {"USAGE": (0.0, "OK"), "DEMAND": (0.0, "OK")}


async def test_a_report_waits_for_the_quarter_hour_that_holds_the_end() -> None:
    home = Proof()
    await home.measured("meter", lambda at: 1200.0)
    await run(home, ODD, timedelta(minutes=5), until=START + timedelta(minutes=39))
    assert not home.store.outbox
    await home.to(START + timedelta(minutes=48))
    assert set(told(home)) == {"USAGE", "DEMAND"}


def plan_of(made_at: datetime, **power_w: float) -> Plan:
    return replace(planned(START, **power_w), made_at=made_at)


async def test_of_an_event_announced_a_minute_ahead_the_plan_followed_at_receipt_says_what_would_have_been() -> None:
    """Wrong before: a plan was made anew after receipt, which found the tank hot or put its run elsewhere."""
    home = Proof(power_w={"tank": 0.0})
    seen = snapshot()
    home.reporting.tick.last = replace(seen, plan=plan_of(START - timedelta(minutes=5), tank=2000.0))
    await home.reporting.once()
    await home.clock.advance(30)
    home.reporting.tick.last = replace(seen, plan=plan_of(START + timedelta(seconds=40), tank=0.0))
    await home.measured("tank", lambda at: 0.0)
    await run(home, START + timedelta(minutes=2), timedelta(minutes=30))
    assert home.record.delivered_wh == pytest.approx(1000.0, abs=20)


async def commands(home: Proof, device: str, *rows: tuple[float, str]) -> None:
    for minute, text in rows:
        at = START + timedelta(minutes=minute)
        await home.store.append(AuditRow(at, "commanded", device, f"{text} until 17:00:00 UTC by the plan: Cheap.", 7))


SETPOINTS = {
    "a current by phases and voltage, over the time it held": ("car", [(-60, "8.0 A"), (60, "16.0 A")], 8.28, "OK"),
    "a switch by its rated power": ("tank", [(-60, "on"), (75, "off")], 1.5, "OK"),
    "a temperature is no power": ("heat_pump", [(-60, "21.5 °C")], None, "MISSING"),
    "a fixed battery": ("inverter", [(-60, "between -1500 W and -1500 W")], -1.5, "OK"),
    "a battery that is free": ("inverter", [(-60, "between -1500 W and 1500 W")], None, "MISSING"),
    "a panel limit is not the battery's": ("inverter", [(-60, "between 900 W and 900 W"), (40, "50 %")], 0.9, "OK"),
    "nothing known of the beginning": ("car", [(45, "8.0 A")], None, "MISSING"),
}


@pytest.mark.parametrize("name", SETPOINTS)
async def test_a_setpoint_in_kw_is(name: str) -> None:
    """The event runs from minute 30 to 90. Wrong before: the number at the time of the report, whatever its unit."""
    device, rows, value, quality = SETPOINTS[name]
    home = Proof()
    await commands(home, device, *rows)
    asked = ReportDescriptor("SETPOINT", units="KW", targets=(device,))
    await home.utility.look(replace(event(), reports=(asked,)))
    await home.to(END + timedelta(minutes=20))
    assert told(home) == {"SETPOINT": (value if value is None else pytest.approx(value), quality)}


async def test_a_setpoint_without_a_unit_is_the_one_longest_in_force() -> None:
    home = Proof()
    await commands(home, "heat_pump", (-60, "21.5 °C"), (50, "19.0 °C"))
    await home.utility.look(replace(event(), reports=(ReportDescriptor("SETPOINT", targets=("heat_pump",)),)))
    await home.to(END + timedelta(minutes=20))
    assert told(home) == {"SETPOINT": (19.0, "OK")}
