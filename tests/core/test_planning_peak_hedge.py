"""What is kept against peaks nobody can foresee, and the room that is kept for a brighter day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.core.planning.hedge import reserves, rooms_for_sun
from gateway.core.planning.home import make_home
from gateway.core.planning.peak_hedge import against_peaks
from gateway.core.planning.request import PlanRequest
from gateway.core.planning.scheduler import make_plan
from gateway.core.tariff.rates import parse_tariff
from gateway.model.plan import Plan
from gateway.model.tariff import ToDate
from tests.core.fuzz_requests import BASE
from tests.core.test_planning_hedge import unsure
from tests.core.test_planning_properties import at, request

EVENING = at("2026-11-18 17:00")
MONTHLY = {"name": "month", "per_kw_month": 4.0, "least_kw": 2.5}
STEPS = {"name": "month", "steps": [{"up_to_kw": 3, "per_month": 14.0}, {"per_month": 25.0}]}
NO_DEMAND: dict[str, Any] = {}


def asked(demand: dict[str, Any] = MONTHLY, reached_w: float = 0.0, **change: Any) -> PlanRequest:
    """A winter evening at one price for energy; the house may draw twice what is expected."""
    flat = {**BASE, "rates": [{"name": "all", "import": 0.3, "export": 0.05}]}
    tariff = parse_tariff({**flat, **({"demand": [demand]} if demand else {})})
    what = request(EVENING, **{"sun_w": 0.0, "load_w": 1_000.0, "target_wh": 0.0, **change})
    seen = ToDate(peaks_w=(("month", (reached_w,)),)) if reached_w else ToDate()
    return unsure(replace(what, tariff=tariff, to_date=seen, steps=((24.0, 900),)), 1.0)


def kept_wh(what: PlanRequest) -> float:
    """How much is worth keeping at more than a cent a kWh, in the piece in which that is most."""
    found = against_peaks(make_home(what))
    return max((sum(w for w, v in zip(r.widths_wh, r.worth, strict=True) if v > 10.0) for r in found), default=0.0)


def soc_at(plan: Plan, hours: int) -> float:
    return plan.slots[hours * 4 - 1].soc_percent or 0.0


@pytest.mark.parametrize(
    ("story", "more", "less"),
    [
        ("the month reached more already", asked(reached_w=3_000.0), asked(reached_w=6_000.0)),
        ("the house draws less", asked(), asked(load_w=500.0)),
        ("a kilowatt costs less", asked(), asked({**MONTHLY, "per_kw_month": 0.4})),
        ("the charge has another time", asked(), asked({**MONTHLY, "from": "02:00", "to": "05:00"}, load_w=800.0)),
        ("no step is left above", asked(STEPS), asked(STEPS, reached_w=4_000.0)),
    ],
)
def test_less_is_kept_against_peaks_where(story: str, more: PlanRequest, less: PlanRequest) -> None:
    assert kept_wh(less) < kept_wh(more), story


def test_each_part_is_worth_less_than_the_one_before_and_never_more_than_the_peak_it_saves() -> None:
    found = against_peaks(make_home(asked()))
    assert found
    for reserve in found:
        assert list(reserve.worth) == sorted(reserve.worth, reverse=True)
        # 4.00 a kW and month, drawn for half an hour: 8.00 a kWh.
        assert 0 < reserve.worth[0] < 8_000


def test_an_expected_load_twice_its_band_above_the_level_is_met_for_certain() -> None:
    """A slot whose expected load is above what is free counts whole, not by chance."""
    sure = against_peaks(make_home(asked(load_w=9_000.0)))
    assert sure[0].worth[0] > 0.7 * 8_000 * 0.95


@pytest.mark.parametrize("what", [asked(NO_DEMAND), replace(asked(), load=request(EVENING, load_w=1_000.0).load)])
def test_nothing_is_kept_without_a_priced_peak_or_without_doubt(what: PlanRequest) -> None:
    assert against_peaks(make_home(what)) == ()


def test_the_plan_keeps_energy_through_dear_hours_that_may_bring_a_peak() -> None:
    """Money alone empties the battery by 22:00: the night is cheap."""
    tariff = parse_tariff({**BASE, "demand": [MONTHLY]})
    risky, calm = (
        make_plan(replace(asked(reached_w=reached, soc=60.0, load_w=1_600.0), tariff=tariff), alternatives=False)
        for reached in (2_600.0, 9_900.0)
    )
    assert soc_at(risky, 5) > soc_at(calm, 5) + 5.0


def sunny(share: float) -> PlanRequest:
    """A summer morning; the sun may be stronger by `share` of what is expected."""
    what = request(at("2026-06-18 06:00"), sun_w=3_000.0, load_w=400.0, target_wh=0.0)
    mean = what.solar.mean
    low, high = (tuple(w * (1 + sign * share) for w in mean) for sign in (1, -1))
    return replace(what, solar=replace(what.solar, low=low, high=high), steps=((24.0, 900),))


def test_room_for_a_brighter_day_is_worth_what_the_sun_saves_later_less_what_it_sells_for() -> None:
    found = rooms_for_sun(make_home(sunny(0.4)))
    assert found
    for room in found:
        assert list(room.worth) == sorted(room.worth, reverse=True)
        # At most 38 % of the night's price (0.19 a kWh), less what selling brings (0.05).
        assert 0 < room.worth[0] < 0.38 * (190 * 0.95 - 50)
    assert rooms_for_sun(make_home(sunny(0.0))) == ()


def test_reserves_against_dear_hours_and_against_peaks_stand_side_by_side() -> None:
    tariff = parse_tariff({**BASE, "demand": [MONTHLY]})
    home = make_home(replace(asked(), tariff=tariff))
    assert len(reserves(home)) > len(against_peaks(home)) > 0
