"""What the home could shift: less in the evening, more at noon, with its cost, and never against comfort or departure."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import time, timedelta

import pytest

from gateway.core.demand_response.flexibility import LEAST_WH, PRIOR_SPREAD, asked, offer, spread_of, windows
from gateway.core.planning.beside import beside
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import Worked, make_plan, work_out
from gateway.model.authority import Authority
from gateway.model.effect import Beside
from gateway.model.flex import Direction, FlexOffer
from gateway.model.plan import Plan
from gateway.model.preferences import ChargeMode
from gateway.model.setpoint import Limit, LimitKind
from tests.core.test_planning_properties import at, request

NOW = at("2026-11-21 16:00")
START = at("2026-11-21 18:00")
END = START + timedelta(hours=1)


def told(base: PlanRequest) -> tuple[Worked, Plan]:
    worked = work_out(base)
    return worked, make_plan(base, alternatives=False, worked=worked)


def offered(base: PlanRequest, direction: Direction, start=START, end=END) -> tuple[FlexOffer | None, Plan]:
    """The offer of a home for a window, and the plan by which it would be kept."""
    (way, plan), (instead, other) = told(base), told(asked(base, direction, start, end))
    return offer(plan, other, beside(way, instead), direction, start, end, 0.2, 200.0), other


def made(direction: Direction, **home: object) -> tuple[FlexOffer | None, Plan]:
    return offered(request(home.pop("now", NOW), **home), direction)  # type: ignore[arg-type]


def test_a_home_that_charges_now_offers_its_car_and_says_what_waiting_costs() -> None:
    found, other = made(Direction.DOWN, now=START - timedelta(minutes=15), mode=ChargeMode.NOW, car_w=11_000.0)
    assert found is not None and found.per_device.get("car", 0) + found.per_device.get("inverter", 0) > 1_000
    assert found.low_wh == pytest.approx(0.8 * found.energy_wh, abs=1) and found.high_wh > found.energy_wh
    assert not other.relaxed, "no wish of the owner gives way for an offer"


def test_more_is_offered_where_there_is_room_for_it_and_energy_is_bought_for_it() -> None:
    found, _ = made(Direction.UP, soc=20.0)
    assert found is not None and found.energy_wh > 1_000 and found.power_w == pytest.approx(found.energy_wh)
    assert found.cost_micro > 0, "at the true price of the evening more costs money"


def test_a_home_with_nothing_to_shift_offers_nothing() -> None:
    bare = replace(request(NOW), limits=())
    bare = replace(bare, site=replace(bare.site, devices=tuple(d for d in bare.site.devices if d.spec is None)))
    for direction in Direction:
        found, _ = offered(bare, direction)
        assert found is None or found.energy_wh < LEAST_WH


def test_plans_of_other_slots_are_not_compared() -> None:
    plan, later = make_plan(request(NOW)), make_plan(request(NOW + timedelta(minutes=5)))
    assert offer(plan, later, Beside(), Direction.DOWN, START, END, 0.2, 200.0) is None


def test_the_interval_is_the_homes_own_record_and_before_it_a_stated_prior() -> None:
    assert spread_of([]) == spread_of([1.0] * 4) == PRIOR_SPREAD
    assert spread_of([1.0] * 20) == pytest.approx(0.05)
    assert spread_of([1.0, 0.9, 1.1, 0.8, 1.2, 0.6, 1.0, 1.0, 1.0, 0.5]) == pytest.approx(0.4)


def test_windows_begin_at_quarter_hours_to_come() -> None:
    first = windows(NOW + timedelta(minutes=3))[0]
    assert first == (NOW + timedelta(minutes=15), NOW + timedelta(minutes=75))


CENT = 10_000


def random_home(seed: int) -> PlanRequest:
    """A home with everything, in any state, whose car is charged as cheaply as it can be."""
    dice = random.Random(seed)
    return request(
        at(f"2026-11-21 {dice.randrange(24):02d}:{dice.choice(('00', '05', '20', '40'))}"),
        soc=dice.uniform(10, 95), tank_c=dice.uniform(46, 60), room_c=dice.uniform(19.6, 21.8),
        ready_by=time(dice.randrange(24)), target_wh=dice.choice([3_000.0, 10_000.0, 20_000.0]),
        load_w=dice.choice([200.0, 500.0, 1_500.0]), sun_w=dice.choice([0.0, 3_000.0, 6_000.0]),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_no_offer_of_any_home_is_cheaper_than_the_plan_which_is_the_cheapest_way(seed: int) -> None:
    base = random_home(seed)
    for start, end in windows(base.now)[::2]:
        for direction in Direction:
            found, _ = offered(base, direction, start, end)
            assert found is None or found.cost_micro >= -CENT, (
                found,
                "energy that is taken out of storage is not free",
            )


def test_what_is_left_stored_counts_at_the_cheapest_price_and_at_the_sites_carbon() -> None:
    base = random_home(0)
    (start, end), direction = windows(base.now)[0], Direction.UP
    (way, plan), (instead, other) = told(base), told(asked(base, direction, start, end))
    change = beside(way, instead)
    assert change.stored_wh < -1_000, "this home ends with less in store, so that the grid alone would look like a gain"
    paid, drawn_kwh = 0.0, 0.0
    for before, after in zip(plan.slots, other.slots, strict=True):
        hours = before.duration_s / 3_600_000
        for slot, sign in ((before, -1), (after, 1)):
            kwh = slot.power_w["grid"] * hours
            price = before.import_price_micro_per_kwh if kwh > 0 else before.export_price_micro_per_kwh
            paid, drawn_kwh = paid + sign * kwh * price, drawn_kwh + sign * kwh
    cheapest = min(slot.import_price_micro_per_kwh for slot in plan.slots)
    found = offer(plan, other, change, direction, start, end, 0.2, 200.0)
    assert found is not None and paid < found.cost_micro
    assert found.cost_micro == pytest.approx(paid - change.stored_wh / 1000 * cheapest, abs=CENT)
    assert found.co2_g == pytest.approx((drawn_kwh - change.stored_wh / 1000) * 200, abs=20)


def test_what_a_battery_holds_at_the_end_is_what_it_can_still_give() -> None:
    (way, plan), (instead, other) = (told(request(NOW, soc=95.0, sun_w=0.0, reserve=kept)) for kept in (10.0, 90.0))
    first, last = (each.slots[-1].soc_percent for each in (plan, other))
    assert first is not None and last is not None
    more = (last - first) / 100 * 10_000 * way.home.batteries[0].spec.discharge_efficiency
    heat = [each.schedule.state[name][-1] for each in (way, instead) for name in ("tank", "pump")]
    assert heat[:2] == pytest.approx(heat[2:], abs=0.05), "only the battery ends at another state"
    assert more > 3_000 and beside(way, instead).stored_wh == pytest.approx(more, abs=200)


def test_where_a_car_would_not_be_ready_nothing_is_offered() -> None:
    base = request(NOW, ready_by=time(22), target_wh=20_000.0)
    words = "The car may not charge."
    held = Limit(LimitKind.DEVICE_POWER, 0.0, NOW, NOW + timedelta(hours=5), Authority.BINDING_LIMIT, "x", words, "car")
    (way, plan), (instead, other) = told(base), told(replace(base, limits=(held,)))
    change = beside(way, instead)
    assert change.gives_way[0] == "car" and other.relaxed and not plan.relaxed
    assert offer(plan, other, replace(change, gives_way=()), Direction.DOWN, NOW, START, 0.2, 200.0) is not None
    assert offer(plan, other, change, Direction.DOWN, NOW, START, 0.2, 200.0) is None


@pytest.mark.parametrize("state", [{"room_c": 20.5}, {"tank_c": 52.0}])
def test_a_way_without_heat_gives_up_comfort(state: dict[str, float]) -> None:
    base = request(NOW, **state)
    name = "pump" if "room_c" in state else "tank"
    end = NOW + timedelta(hours=24)
    off = Limit(LimitKind.DEVICE_POWER, 0.0, NOW, end, Authority.BINDING_LIMIT, "x", "It stays off.", name)
    (way, _), (instead, _) = told(base), told(replace(base, limits=(off,)))
    assert name in beside(way, instead).gives_way and beside(way, way).gives_way == ()


@pytest.mark.parametrize("direction", Direction)
def test_an_offer_under_a_binding_limit_keeps_to_it(direction: Direction) -> None:
    words = "The utility limits this home."
    bound = Limit(LimitKind.SITE_IMPORT, 1_500.0, START, END, Authority.BINDING_LIMIT, "vtn:cap", words)
    _, free = made(direction, soc=20.0)
    found, other = offered(replace(request(NOW, soc=20.0), limits=(bound,)), direction)
    drawn = [slot.power_w["grid"] for slot in other.slots if START <= slot.start < END]
    assert max(drawn) <= 1_502 and (found is None or found.power_w <= 1_502 + 5_000)
    if direction is Direction.UP:
        assert max(s.power_w["grid"] for s in free.slots if START <= s.start < END) > 1_502, (
            "it is the limit that holds"
        )
