"""The battery gives what a fuse or an import limit does not bear, whatever it was to do, and closes again calmly."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest

from gateway.core.control.dispatch import ControlMemory, decide
from gateway.model.authority import Authority
from gateway.model.plan import IntentKind
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Override, Setpoint
from gateway.model.site import BatterySpec, ChargerSpec, Device, Role
from gateway.model.snapshot import Snapshot
from tests.core.homes import SITE, block, plan, snapshot
from tests.core.overload_world import BATTERY_W, STEP_S, TIMING, VOLTS, Car, Home
from tests.fakes import START

KINDS = [(IntentKind.HOLD, 0.0), (IntentKind.SURPLUS_ONLY, 0.0), (IntentKind.CHARGE_AT, 3_000.0)]


@dataclass(slots=True)
class Planned(Home):
    """A home whose battery follows a plan."""

    intent: tuple[IntentKind, float] = (IntentKind.HOLD, 0.0)
    soc: float = 60.0
    paused: bool = False

    def _seen(self) -> Snapshot:
        seen = Home._seen(self)
        told = seen.devices["inverter"]
        told = replace(told, values={**told.values, Quantity.SOC: self.soc})
        pause = Override("1", "inverter", "pause", START, START, "owner") if self.paused else None
        return replace(
            seen, plan=plan(block("inverter", *self.intent)), devices={**seen.devices, "inverter": told},
            overrides=(pause,) if pause else (),
        )  # fmt: skip


def home(intent=KINDS[0], *, with_car=False, limit_w=None, spec=None, soc=60.0, paused=False) -> Planned:
    spec = spec or BatterySpec(10_000, BATTERY_W, BATTERY_W)
    charger = Device("car0", "Car", Role.EV_CHARGER, ChargerSpec())
    devices = [Device("meter", "Meter", Role.MAIN_METER), Device("inverter", "Battery", Role.HYBRID_INVERTER, spec)]
    cars = {"car0": Car(charger, ChargerSpec(), 16.0, 0.0)} if with_car else {}
    devices += [one.device for one in cars.values()]
    site = replace(SITE, main_fuse_a=25.0, import_limit_w=limit_w, devices=tuple(devices))
    return Planned(random.Random(1), site, cars, (3.0,) * 3, True, intent=intent, soc=soc, paused=paused)


def live(one: Planned, seconds: float, most_w: float = float("inf")) -> tuple[float, int]:
    """The longest time above the fuse (or `most_w` of import), s, and how often the battery's band was changed."""
    lasting, longest, writes, before = 0.0, 0.0, 0, None
    end = one.now + seconds
    while one.now < end:
        one.step()
        over = max(one.flows()) > one.site.main_fuse_a or sum(one.flows()) * VOLTS > most_w
        lasting = lasting + STEP_S if over else 0.0
        longest = max(longest, lasting)
        writes += before is not None and one.band != before
        before = one.band
    return longest, writes


@pytest.mark.parametrize("with_car", [False, True], ids=["alone", "beside a car"])
@pytest.mark.parametrize("intent", KINDS, ids=[kind.value for kind, _ in KINDS])
def test_a_battery_that_was_to_rest_or_to_charge_gives_what_the_fuse_does_not_bear(intent, with_car) -> None:
    """Wrong before: 30 A stood on a 25 A fuse for ever beside a battery of 5 kW at 60 %."""
    one = home(intent, with_car=with_car)
    live(one, 20)
    one.jump(27.0, (2,))
    longest, writes = live(one, 120)
    assert longest <= 8.0 and writes <= 6
    told = one.commanded["inverter"]
    assert told.low <= -3_700 and told.authority is Authority.ELECTRICAL_SAFETY and "fuse" in told.reason


@pytest.mark.parametrize("intent", KINDS, ids=[kind.value for kind, _ in KINDS])
def test_an_exceeded_import_limit_opens_the_battery_as_well(intent) -> None:
    one = home(intent, limit_w=6_000.0)
    live(one, 20)
    one.jump(9.0, (1, 2, 3))
    longest, _ = live(one, 90, most_w=6_100.0)
    assert longest <= 8.0
    told = one.commanded["inverter"]
    assert told.authority is Authority.BINDING_LIMIT and "import limit" in told.reason


def test_an_owners_pause_does_not_stand_above_the_fuse() -> None:
    one = home(paused=True)
    live(one, 20)
    one.jump(27.0, (2,))
    assert live(one, 60)[0] <= 8.0


def test_a_battery_at_its_technical_least_gives_nothing_and_one_at_its_reserve_does() -> None:
    spec = BatterySpec(10_000, BATTERY_W, BATTERY_W)
    for soc, gives in ((spec.min_soc_percent, False), (spec.min_soc_percent + 1, True)):
        one = home(soc=soc)
        live(one, 20)
        one.jump(27.0, (2,))
        live(one, 30)
        assert (one.battery_w < -3_000) is gives, soc


@pytest.mark.slow
def test_a_load_that_pulses_opens_the_band_once_and_it_closes_when_it_has_gone() -> None:
    one = home()
    live(one, 20)
    writes = 0
    for _ in range(8):
        one.jump(27.0, (2,))
        writes += live(one, 5)[1]
        one.jump(-27.0, (2,))
        writes += live(one, 15)[1]
    assert writes <= 4
    live(one, 150)
    assert one.band[0] == 0.0, "and then it holds as planned"


@pytest.mark.slow
def test_what_the_battery_gives_for_the_fuse_charges_no_car() -> None:
    """28 A and then 20 A of other loads: with the battery still open the meter shows room for a car, but it is lent."""
    one = home(with_car=True)
    live(one, 20)
    one.jump(25.0, (2,))
    live(one, 70)
    one.jump(-8.0, (2,))
    live(one, 40)
    assert one.flows()[1] < 18.0, "the battery still gives"
    assert one.cars["car0"].draws_a == 0.0


def test_one_that_cannot_follow_the_meter_is_told_what_to_give() -> None:
    spec = BatterySpec(10_000, BATTERY_W, BATTERY_W, follows_meter=False)
    one = home(spec=spec)
    live(one, 20)
    one.jump(27.0, (2,))
    assert live(one, 60)[0] <= 8.0
    assert one.band[0] == one.band[1] <= -3_700


def test_a_full_fuse_within_its_rating_opens_nothing() -> None:
    snap = replace(snapshot((24.9, 5, 5)), plan=plan(block("inverter", IntentKind.HOLD)))
    band: Setpoint = next(
        s for s in decide(SITE, snap, ControlMemory(), TIMING, 1000.0).setpoints if s.device == "inverter"
    )
    assert band.low == 0.0
