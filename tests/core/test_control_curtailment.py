"""Export limits: the inverter's own limit follows the meter, quickly down and slowly up, with few writes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from gateway.core.control.curtailment import PATIENCE_S, ExportMemory, curtail, export_limit
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.plan import Plan, PlanSlot
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.setpoint import Limit, LimitKind, Setpoint, SetpointKind, slot_of
from gateway.model.site import Device, Role, Site
from gateway.model.snapshot import DeviceState, Snapshot
from tests.core.homes import SITE, snapshot
from tests.fakes import START

SUN = replace(SITE, devices=(SITE.devices[0], Device("pv", "Solar", Role.PV)))
BOUND = Limit(LimitKind.SITE_EXPORT, 3_000, START, START + timedelta(hours=9), Authority.BINDING_LIMIT, "ev", "no more")


@dataclass
class Roof:
    """Panels behind an inverter of `rated_w` that follows its limit within some seconds."""

    limits: tuple[Limit, ...] = (BOUND,)
    site: Site = SUN
    rated_w: float = 8_000.0
    can: bool = True
    planned: Plan | None = None
    memory: ExportMemory = field(default_factory=ExportMemory)
    second: int = 0
    made_w: float = 0.0
    percent: float = 100.0
    writes: int = 0
    held: Setpoint | None = None
    alarms: list[tuple[str, str]] = field(default_factory=list)

    def run(self, seconds: int, sun_w: float, load_w: float, *, look: Callable[[float], None] | None = None) -> None:
        for _ in range(seconds):
            target = min(sun_w, self.rated_w * self.percent / 100)
            self.made_w += (target - self.made_w) * (0.5 if target > self.made_w - 1e-6 else 0.7)
            grid = load_w - self.made_w
            if look is not None:
                look(-grid)
            told = {slot_of("pv", SetpointKind.PV_LIMIT): self.held} if self.held is not None else {}
            devices = {
                "meter": DeviceState("meter", Role.MAIN_METER, True, 0.5, {Q.POWER: grid}),
                "pv": DeviceState("pv", Role.PV, True, 0.5, {Q.POWER: -self.made_w}),
            }
            shot = Snapshot(START, devices, {}, Preferences(), self.limits, plan=self.planned, commanded=told,
                            curtailable=frozenset({"pv"} if self.can else ()))  # fmt: skip
            setpoints, self.memory, self.alarms = curtail(
                self.site, shot, self.memory, ControlTiming(), float(self.second)
            )
            for setpoint in setpoints:
                self.writes += not setpoint.same_wish(self.held)
                self.held, self.percent = setpoint, setpoint.value
            self.second += 1


@pytest.mark.parametrize("rated_w", [3_700.0, 8_000.0, 15_000.0])
@pytest.mark.parametrize(("sun_w", "load_w"), [(7_000, 500), (3_600, 200), (6_000, 2_500), (12_000, 0)])
def test_what_is_fed_in_is_below_the_limit_within_ten_seconds(rated_w: float, sun_w: float, load_w: float) -> None:
    roof = Roof(rated_w=rated_w)
    roof.run(30, 1_000, 2_000)
    roof.run(10, sun_w, load_w)
    fed = list[float]()
    roof.run(120, sun_w, load_w, look=fed.append)
    assert max(fed) <= 3_000
    assert roof.made_w >= min(sun_w, rated_w, 3_000 + load_w) - 900


def test_a_load_that_goes_off_is_answered_within_ten_seconds_and_one_that_comes_gets_the_sun_back() -> None:
    roof = Roof()
    roof.run(60, 7_000, 4_500)
    assert roof.percent == 100
    roof.run(10, 7_000, 300)
    fed = list[float]()
    roof.run(60, 7_000, 300, look=fed.append)
    assert max(fed) <= 3_000
    roof.run(300, 7_000, 4_500)
    assert roof.made_w > 6_500


@pytest.mark.slow
def test_a_cloudy_day_costs_few_writes() -> None:
    dice, roof = random.Random(3), Roof()
    fed = list[float]()
    for _ in range(240):
        roof.run(60, dice.uniform(1_500, 6_000), dice.uniform(200, 1_500), look=fed.append)
    assert roof.writes <= 120
    assert sum(watts > 3_000 for watts in fed) / len(fed) < 0.1


def test_when_the_limit_ends_the_inverter_is_told_so_once() -> None:
    roof = Roof()
    roof.run(60, 7_000, 300)
    before = roof.writes
    roof.limits = ()
    roof.run(60, 7_000, 300)
    assert roof.percent == 100 and roof.writes == before + 1


def test_where_no_inverter_takes_a_limit_a_person_is_told() -> None:
    roof = Roof(can=False)
    roof.run(int(PATIENCE_S) + 5, 7_000, 300)
    assert "no inverter here takes a limit" in dict(roof.alarms)["export"]
    assert roof.held is None
    roof.run(5, 2_000, 300)
    assert roof.alarms == []


def test_nothing_is_fed_in_while_that_costs_money_and_only_then() -> None:
    def paying(micro: int) -> Plan:
        slot = PlanSlot(START, 900, {}, None, None, None, 100_000, micro)
        return Plan(START, "test", "optimised", (slot,), (), 0, 0, 0.0, 1.0)

    roof = Roof(limits=(), planned=paying(-20_000))
    roof.run(90, 5_000, 1_000)
    assert -100 <= 1_000 - roof.made_w <= 400 and roof.held is not None
    assert roof.held.authority is Authority.PLAN
    fine = Roof(limits=(), planned=paying(20_000))
    fine.run(30, 5_000, 1_000)
    assert fine.held is None


def test_the_narrowest_limit_counts_with_its_own_authority() -> None:
    site = replace(SUN, export_limit_w=5_000.0)
    wide = export_limit(site, snapshot())
    narrow = export_limit(site, snapshot(limits=(BOUND,)))
    assert wide is not None and (wide.watts, wide.authority) == (5_000, Authority.ELECTRICAL_SAFETY)
    assert narrow is not None and (narrow.watts, narrow.authority) == (3_000, Authority.BINDING_LIMIT)
    assert export_limit(SUN, snapshot()) is None
