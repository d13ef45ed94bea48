"""What the home reports of battery, plan and offers, to whom it may, and how its baseline is chosen and kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.core.demand_response.baseline.rows import BaselineRow
from gateway.core.demand_response.proof_rules import ProofRule, ProofRules
from gateway.model.agreement import Agreement, Shared
from gateway.model.dr import Duration, IntervalPeriod, ReportDescriptor
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity
from gateway.model.site import Role
from gateway.model.snapshot import DeviceState, Snapshot
from gateway.runtime.reporting import Reporting
from tests.fakes import START
from tests.runtime.test_demand_response import Utility, event
from tests.runtime.test_reporting import BEGIN, END, Proof, planned

MINUTE = timedelta(minutes=1)


def snapshot(**power_w: float) -> Snapshot:
    """A home with its battery at 40 % and a plan."""
    inverter = DeviceState("inverter", Role.HYBRID_INVERTER, True, 1.0, {Quantity.SOC: 40.0})
    main = DeviceState("meter", Role.MAIN_METER, True, 1.0, {Quantity.ENERGY_IMPORT: 5_000_000.0})
    return Snapshot(
        START,
        {"inverter": inverter, "meter": main},
        {},
        Preferences(),
        plan=planned(START, **(power_w or {"grid": 800.0})),
    )


def values(home: Proof) -> dict[str, Any]:
    return {report.payload_type: report.rows[0].value for report in home.store.outbox.values()}


async def test_an_event_that_only_asks_for_the_battery_is_answered_at_once() -> None:
    """User Guide 8.6: start 0001-01-01, no length, no intervals."""
    home = Proof()
    home.reporting.tick.last = snapshot()
    kinds = ("STORAGE_CHARGE_LEVEL", "STORAGE_USABLE_CAPACITY", "STORAGE_MAX_CHARGE_POWER")
    asked = tuple(ReportDescriptor(kind, frequency=0, report_intervals="OPEN_INTERVALS") for kind in kinds)
    ask = replace(event(), intervals=(), period=IntervalPeriod(start_now=True, duration=Duration()), reports=asked)
    await home.utility.look(ask)
    await home.to(START + 10 * MINUTE)
    assert values(home) == {
        "STORAGE_CHARGE_LEVEL": pytest.approx(0.4),
        "STORAGE_USABLE_CAPACITY": pytest.approx(9.5),
        "STORAGE_MAX_CHARGE_POWER": pytest.approx(5.0),
    }


async def test_a_forecast_of_the_plan_goes_out_when_its_first_interval_begins() -> None:
    home = Proof()
    home.reporting.tick.last = snapshot()
    await home.utility.look(replace(event(), reports=(ReportDescriptor("USAGE", historical=False),)))
    await home.to(BEGIN - MINUTE)
    assert not home.store.outbox
    await home.to(BEGIN + 2 * MINUTE)
    (told,) = home.store.outbox.values()
    assert (told.reading_type, told.rows[0].value) == ("FORECAST", pytest.approx(0.8))


async def test_what_the_home_offers_is_told_only_to_whom_the_owner_allows() -> None:
    def offers(now: datetime) -> dict[str, list[BaselineRow]]:
        return {"LOAD_SHED_DELTA_AVAILABLE": [BaselineRow(BEGIN, 3600, 1500.0)]}

    asked = replace(event(), reports=(ReportDescriptor("LOAD_SHED_DELTA_AVAILABLE", units="KW"),))
    for share, expected in (((), {}), ((Shared.FLEXIBILITY,), {"LOAD_SHED_DELTA_AVAILABLE": 1.5})):
        agreed = Preferences(agreements={"p1": Agreement("voluntary", share=share)})
        home = Proof(Utility(preferences=agreed))
        home.reporting = Reporting(
            home.reporting.site, home.clock, home.store, home.dr, home.reporting.tick, home.without, ahead=offers
        )
        await home.utility.look(asked)
        await home.to(BEGIN + 2 * MINUTE)
        assert values(home) == expected
        held = home.reporting.held_back(home.record)
        assert bool(held) is not bool(expected)


async def test_nothing_is_told_once_the_agreement_has_ended() -> None:
    ended = Agreement("voluntary", share=(Shared.USAGE,), until=BEGIN + 20 * MINUTE)
    home = Proof(Utility(preferences=Preferences(agreements={"p1": ended})))
    await home.utility.look(replace(event(), reports=(ReportDescriptor("USAGE"),)))
    await home.measured("meter", lambda at: 100.0)
    await home.to(END + 10 * MINUTE)
    assert not home.store.outbox


async def test_the_record_says_how_its_baseline_was_made_and_how_well_it_does() -> None:
    home = Proof(power_w={})
    await home.utility.look(event())
    await home.measured("house", lambda at: 600.0 + 100 * (at.day % 3), days=100)
    await home.measured("meter", lambda at: 100.0)
    for device in ("car", "tank", "heat_pump", "solar", "inverter/battery"):
        await home.measured(device, lambda at: 0.0)
    await home.to(END + 5 * MINUTE)
    record = home.record
    assert record.baseline_method and record.baseline_placebos >= 10 and record.baseline_error_percent is not None
    assert "days without an event" in home.store.audit_rows[-1].text


async def test_a_program_that_demands_a_method_gets_it() -> None:
    home = Proof()
    home.reporting = Reporting(
        home.reporting.site, home.clock, home.store, home.dr, home.reporting.tick, home.without,
        rules=ProofRules({"p1": ProofRule("5-in-10")}),
    )  # fmt: skip
    await home.utility.look(event())
    await home.measured("house", lambda at: 600.0, days=60)
    await home.measured("meter", lambda at: 100.0)
    await home.measured("car", lambda at: 0.0)
    await home.to(END + 5 * MINUTE)
    assert home.record.baseline_method == "5-in-10"


async def test_what_was_chosen_for_the_home_is_kept_and_an_event_stays_with_its_method() -> None:
    """The house follows what it used in the hours before: regression fits, and the choice outlives a restart."""
    home = Proof()
    strength = lambda at: 500.0 + 150 * ((at.toordinal() * 7) % 11)  # noqa: E731
    await home.utility.look(event())
    await home.measured("house", strength, days=106)
    first, _ = await home.reporting.baselines.of_event(home.record, BEGIN, END)
    assert first.method in ("10-in-10-wide", "ridge", "mean") and home.record.baseline_method == first.method
    assert await home.store.get("dr-baseline") == {"other": first.method}
    await home.store.put("dr-baseline", {"other": "weather"})
    again, _ = await home.again().baselines.of_event(home.record, BEGIN, END)
    assert again.method == first.method


async def test_a_holiday_is_asked_for_by_the_home_s_calendar() -> None:
    home = Proof()
    asked = []
    home.reporting.baselines.holiday = lambda day: bool(asked.append(day))
    await home.utility.look(event())
    await home.measured("house", lambda at: 600.0, days=20)
    await home.reporting.baselines.of_event(home.record, BEGIN, END)
    assert len(asked) > 100 and max(asked) == END.date()


async def test_told_temperatures_are_kept_longer_than_sources_keep_them() -> None:
    home = Proof()
    hour = int(START.timestamp()) // 3600
    await home.store.put("told temperature", {"first_hour": hour - 2, "values": [5.0, None, 7.0]})
    await home.reporting.once()
    await home.store.put("told temperature", {"first_hour": hour + 24, "values": [9.0]})
    await home.clock.advance(86_400)
    await home.reporting.once()
    kept = await home.store.get("dr-weather")
    assert kept is not None and kept["first_hour"] == hour - 2 and kept["values"][:3] == [5.0, None, 7.0]
    assert kept["values"][-1] == 9.0 and len(kept["values"]) == 27
