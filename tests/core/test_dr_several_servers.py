"""Several utilities and programs at once: one utility's word ends no other's limit, and what is granted adds up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.core.demand_response.capacity import capacity_limits
from gateway.core.demand_response.device_limits import device_limits
from gateway.core.demand_response.strategies import Strategies, Strategy
from gateway.core.demand_response.timeline import build_timeline
from gateway.model.dr import (
    DrEvent,
    DrInterval,
    DrProgram,
    Duration,
    EventRecord,
    IntervalPeriod,
    OptState,
    Payload,
)
from gateway.model.setpoint import LimitKind
from gateway.model.site import ChargerSpec, Device, PoolPumpSpec, Role, Site, WaterHeaterSpec

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CAR = Device("car", "Car", Role.EV_CHARGER, spec=ChargerSpec())
TANK = Device("tank", "Tank", Role.WATER_HEATER, spec=WaterHeaterSpec(power_w=2000.0, volume_l=200.0))
POOL = Device("pool", "Pool", Role.POOL_PUMP, spec=PoolPumpSpec(power_w=1100.0))
SITE = Site("Home", ZoneInfo("UTC"), 50.0, 4.0, "EUR", 3, 25.0, (POOL, CAR, TANK))


def record(
    server: str,
    program: str,
    name: str,
    kind: str,
    value: float,
    priority: int | None = None,
    targets: tuple[str, ...] = (),
) -> EventRecord:
    period = IntervalPeriod(NOW - timedelta(hours=1), duration=Duration(seconds=4 * 3600))
    told = (DrInterval(0, (Payload(kind, (value,)),), period),)
    event = DrEvent(name, server, program, name, told, period, priority=priority, targets=targets)
    return EventRecord(event, NOW - timedelta(hours=2), opt=OptState.JOINED)


def limits(*records: EventRecord) -> list[tuple[LimitKind, float]]:
    programs = {each.event.program_key: DrProgram(each.event.program, each.event.server, "x") for each in records}
    timeline = build_timeline(records, programs, NOW)
    table = Strategies({1: Strategy(), 2: Strategy(pool_pump="pause"), 3: Strategy(pool_pump="pause")})
    found = [*capacity_limits(timeline.signals, SITE, NOW), *device_limits(timeline.signals, POOL, table, SITE, NOW)]
    return sorted({(x.kind, x.value) for x in found if x.start <= NOW and (x.end is None or x.end > NOW)})


IMPORT = "IMPORT_CAPACITY_"
LOWER = LimitKind.SITE_IMPORT


@pytest.mark.parametrize(
    ("records", "held"),
    [
        ((record("dso", "p", "a", IMPORT + "LIMIT", 4), record("agg", "p", "b", IMPORT + "LIMIT", 20, 0)), 4_000),
        (
            (record("u", "p1", "a", IMPORT + "SUBSCRIPTION", 8, 1), record("u", "p2", "b", IMPORT + "SUBSCRIPTION", 4)),
            4_000,
        ),
        (
            (
                record("u", "p", "a", IMPORT + "SUBSCRIPTION", 3),
                record("u", "p", "b", IMPORT + "RESERVATION", 2),
                record("u", "p", "c", IMPORT + "RESERVATION", 1),
            ),
            6_000,
        ),
        (
            (
                record("u", "p", "a", IMPORT + "SUBSCRIPTION", 3),
                record("u", "p", "b", IMPORT + "RESERVATION", 2),
                record("u", "q", "c", IMPORT + "RESERVATION", 9, 0),
            ),
            5_000,
        ),
    ],
    ids=["limits of two utilities", "two contracts", "two grants", "another program's grant"],
)
def test_the_lowest_of_what_is_allowed_holds(records: tuple[EventRecord, ...], held: float) -> None:
    for told in (records, records[::-1]):
        assert min(value for kind, value in limits(*told) if kind is LOWER) == held


def test_a_level_of_one_utility_is_not_ended_by_the_other() -> None:
    asked, not_asked = record("dso", "p", "a", "SIMPLE", 2), record("agg", "p", "b", "SIMPLE", 0, 0)
    assert limits(asked, not_asked) == [(LimitKind.DEVICE_POWER, 0.0)]
    same = record("dso", "p", "b", "SIMPLE", 0, 0)
    assert limits(asked, same) == [], "within one utility its own priorities count"


@pytest.mark.parametrize("target", ["pool", "tank", "a group"])
def test_a_capacity_limit_for_what_only_runs_or_rests_limits_the_home(target: str) -> None:
    """A limit is never left out: a pump or a tank draws its power or none."""
    assert limits(record("u", "p", "a", IMPORT + "LIMIT", 0.5, targets=(target,))) == [(LOWER, 500.0)]


def test_a_capacity_limit_for_a_charger_limits_the_charger_alone() -> None:
    assert limits(record("u", "p", "a", IMPORT + "LIMIT", 4, targets=("car",))) == [(LimitKind.DEVICE_POWER, 4_000.0)]
    exports = record("u", "p", "a", "EXPORT_CAPACITY_LIMIT", 4, targets=("car",))
    assert limits(exports) == [(LimitKind.SITE_EXPORT, 4_000.0)]
