"""Several cars: who gets how much, whose turn it is, and what a circuit, a silent meter or a liar changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from gateway.core.control import phase_switching
from gateway.core.control.dispatch import ControlMemory, decide
from gateway.core.control.phase_switching import PhaseRun
from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.preferences import ChargeMode, ChargingPreference, Preferences
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec, Circuit, Device, Role, Sharing, Site, WaterHeaterSpec
from gateway.model.snapshot import ChargePhase, ChargerStatus, DeviceState, Snapshot
from tests.core.homes import SITE, meter
from tests.fakes import START

TIMING = ControlTiming()
HOUR = timedelta(hours=1)


def street(
    *chargers: Device, fuse_a: float = 25.0, circuits: tuple[Circuit, ...] = (), sharing: Sharing = Sharing.FAIR
):
    meters = [Device(c.meter, c.meter, Role.SUB_METER) for c in circuits if c.meter]
    devices = (Device("meter", "Main meter", Role.MAIN_METER), *meters, *chargers)
    return replace(SITE, devices=devices, main_fuse_a=fuse_a, circuits=circuits, sharing=sharing)


def charger(name: str, circuit: str = "", **spec: object) -> Device:
    return Device(name, name, Role.EV_CHARGER, ChargerSpec(**spec), circuit)  # type: ignore[arg-type]


def status(name: str, amps: float | tuple[float | None, ...] = 0.0, **known: object) -> ChargerStatus:
    current = amps if isinstance(amps, tuple) else (amps,) * 3
    drawing = any(a for a in current)
    base = ChargerStatus(
        name, ChargePhase.CHARGING if drawing else ChargePhase.PLUGGED, True, "1", current_a=current,
        power_w=sum(a or 0 for a in current) * 230, meter_age_s=0.0,
    )  # fmt: skip
    return replace(base, **known)


def told(name: str, amps: float, phases: int = 0) -> Setpoint:
    return Setpoint(name, SetpointKind.CURRENT, amps, START + HOUR, Authority.PLAN, "", phases=phases)


def at(
    grid: tuple[float, float, float],
    cars: list[ChargerStatus],
    limits: dict[str, float],
    *,
    age_s: float = 0.5,
    lies: frozenset[str] = frozenset(),
    others: dict[str, tuple[float, float, float]] | None = None,
    wishes: dict[str, ChargingPreference] | None = None,
) -> Snapshot:
    modes = {car.id: ChargingPreference(ChargeMode.NOW) for car in cars} | (wishes or {})
    meters = {name: replace(meter(amps, 0.5), id=name, role=Role.SUB_METER) for name, amps in (others or {}).items()}
    return Snapshot(
        START, {"meter": meter(grid, age_s), **meters}, {car.id: car for car in cars}, Preferences(charging=modes),
        commanded={name: told(name, amps) for name, amps in limits.items()}, disobeying=lies,
    )  # fmt: skip


def amps(
    site: Site, snapshot: Snapshot, memory: ControlMemory = ControlMemory(), mono: float = 1000.0
) -> dict[str, float]:
    return {s.device: s.value for s in decide(site, snapshot, memory, TIMING, mono).setpoints}


def run(site: Site, seconds: int, base: float, cars: dict[str, tuple[float, float]], memory=ControlMemory()):
    """Cars that follow at once: name -> (limit at first, appetite); yields what each is told, second by second."""
    limits, history = {name: first for name, (first, _) in cars.items()}, []
    for second in range(seconds):
        draws = {name: min(limits[name], cars[name][1]) for name in cars}
        snap = at((base + sum(draws.values()),) * 3, [status(n, a) for n, a in draws.items()], limits)
        decision = decide(site, snap, memory, TIMING, 1000.0 + second)
        memory, limits = decision.memory, {s.device: s.value for s in decision.setpoints}
        history.append(limits)
    return history


TWO = (charger("a"), charger("b"))


def test_two_cars_share_what_the_fuse_leaves_alike() -> None:
    assert run(street(*TWO), 90, 4.0, {"a": (16.0, 32.0), "b": (0.0, 32.0)})[-1] == pytest.approx(
        {"a": 10.2, "b": 10.2}, abs=0.5
    )


def test_an_overload_is_cut_from_all_cars_together_in_one_tick_and_only_once() -> None:
    """Wrong before: every car was cut by the whole overload."""
    snap = at((40.5, 10, 10), [status("a", 12), status("b", 12)], {"a": 12, "b": 12})
    assert sum(amps(street(*TWO, fuse_a=35), snap).values()) == pytest.approx(18.0, abs=0.11)


def test_ten_cars_are_all_cut_in_the_same_tick() -> None:
    names = [f"car{n}" for n in range(10)]
    snap = at((240, 160, 160), [status(n, 16) for n in names], dict.fromkeys(names, 16.0))
    found = amps(street(*(charger(n) for n in names), fuse_a=200), snap)
    assert max(found.values()) < 16 and sum(found.values()) == pytest.approx(160 - 40.5, abs=1.01)


def test_a_car_that_takes_nothing_leaves_its_room_to_the_one_that_draws() -> None:
    assert run(street(*TWO), 120, 4.0, {"a": (12.0, 0.0), "b": (6.0, 32.0)})[-1]["b"] == pytest.approx(14.5, abs=0.6)


def test_an_empty_place_holds_no_seat_against_a_car() -> None:
    empty = status("a", 0.0, transaction="", phase=ChargePhase.AVAILABLE)
    snap = at((15, 15, 15), [empty, status("b", 0.0)], {"a": 6.0, "b": 0.0})
    assert amps(street(*TWO), snap)["a"] == 0.0


@pytest.mark.slow
def test_three_cars_that_do_not_fit_together_take_turns() -> None:
    site = street(*TWO, charger("c"), fuse_a=17)
    history = run(site, 4000, 2.0, {"a": (0.0, 16.0), "b": (0.0, 16.0), "c": (0.0, 16.0)})
    assert all(sum(now.values()) <= 14.6 for now in history)
    served = {name: sum(now[name] > 0 for now in history) for name in ("a", "b", "c")}
    assert min(served.values()) > 1500, served
    changes = sum(one[n] == 0 < two[n] for one, two in pairwise(history) for n in one)
    assert changes <= 12, "a turn lasts a quarter of an hour"


@pytest.mark.parametrize(
    ("sharing", "a", "b"),
    [(Sharing.FAIR, 10.2, 10.2), (Sharing.PRIORITY, 14.5, 6.0)],
    ids=["fair: alike", "priority: the least for all, then the higher one"],
)
def test_priority_gets_more_but_the_others_minimum_comes_first(sharing: Sharing, a: float, b: float) -> None:
    wishes = {"a": ChargingPreference(ChargeMode.NOW, priority=2), "b": ChargingPreference(ChargeMode.NOW)}
    memory, limits = ControlMemory(), {"a": 6.0, "b": 6.0}
    for second in range(40):
        snap = at((4 + sum(limits.values()),) * 3, [status(n, x) for n, x in limits.items()], limits, wishes=wishes)
        decision = decide(street(*TWO, sharing=sharing), snap, memory, TIMING, 1000.0 + second)
        memory, limits = decision.memory, {s.device: s.value for s in decision.setpoints}
    assert limits == pytest.approx({"a": a, "b": b}, abs=0.6)


def test_where_only_one_fits_the_higher_priority_has_the_seat() -> None:
    wishes = {"a": ChargingPreference(ChargeMode.NOW), "b": ChargingPreference(ChargeMode.NOW, priority=1)}
    snap = at((21, 5, 5), [status("a", 6), status("b", 0)], {"a": 6.0, "b": 0.0}, wishes=wishes)
    found = amps(street(*TWO, fuse_a=25, sharing=Sharing.PRIORITY), snap)
    assert found == {"a": 0.0, "b": 0.0}, "the lower one is stopped first; the other begins once that is seen"


def test_a_car_is_not_raised_into_the_room_of_one_that_has_not_accepted_its_cut() -> None:
    snap = at((20, 20, 20), [status("a", 16), status("b", 0)], {"a": 16.0, "b": 0.0})
    found = amps(street(*TWO), snap)
    assert found["a"] == pytest.approx(10.2, abs=0.1) and found["b"] == 0.0


def test_one_that_does_not_obey_counts_at_its_maximum_for_the_others() -> None:
    snap = at((12, 12, 12), [status("a", 6), status("b", 6)], {"a": 6.0, "b": 6.0}, lies=frozenset({"a"}))
    assert amps(street(*TWO), snap)["b"] == pytest.approx(8.5, abs=0.1)


GARAGE = Circuit("garage", "Garage", (16.0, 16.0, 16.0))


def test_a_circuit_without_a_meter_counts_cars_by_their_limits_and_what_else_hangs_there_by_its_rating() -> None:
    boiler = Device("tank", "Tank", Role.WATER_HEATER, WaterHeaterSpec(920, 100, phase=1), "garage")
    site = street(charger("a", "garage"), charger("b"), circuits=(GARAGE,), fuse_a=63)
    snap = at((6, 6, 6), [status("a", 6), status("b", 0)], {"a": 6.0, "b": 6.0})
    assert amps(site, snap)["a"] == pytest.approx(15.5)
    site = replace(site, devices=(*site.devices, boiler))
    tank = DeviceState("tank", Role.WATER_HEATER, True, 1.0, {Quantity.TEMPERATURE: 60.0})
    snap = replace(snap, devices={**snap.devices, "tank": tank})
    assert amps(site, snap)["a"] == pytest.approx(11.5)


def test_below_an_unmetered_circuit_an_offline_charger_counts_at_its_maximum() -> None:
    site = street(charger("a", "garage"), charger("b", "garage", max_current_a=8.0), circuits=(GARAGE,), fuse_a=63)
    gone = status("b", 0.0, connected=False)
    snap = at((6, 6, 6), [status("a", 6), gone], {"a": 6.0, "b": 6.0})
    assert amps(site, snap)["a"] == pytest.approx(7.5)


def test_a_metered_circuit_guards_its_own_loads_though_the_main_fuse_has_room() -> None:
    circuit = replace(GARAGE, meter="m")
    site = street(charger("a", "garage"), circuits=(circuit,), fuse_a=63)
    snap = at((20, 20, 20), [status("a", 12)], {"a": 12.0}, others={"m": (19.5, 14, 14)})
    assert amps(site, snap)["a"] == pytest.approx(8.0)


def test_a_circuit_above_another_binds_it_too_and_a_power_limit_counts_every_phase() -> None:
    house = Circuit("house", "House", (20.0,) * 3, limit_w=6900.0)
    site = street(charger("a", "garage"), circuits=(replace(GARAGE, parent="house"), house), fuse_a=63)
    assert amps(site, at((6, 6, 6), [status("a", 6)], {"a": 6.0}))["a"] == pytest.approx(10.0)


def test_a_silent_circuit_meter_gives_the_cars_below_it_their_safe_current_and_leaves_the_others() -> None:
    circuit = replace(GARAGE, meter="m")
    site = street(charger("a", "garage"), charger("b"), circuits=(circuit,), fuse_a=63)
    snap = at((24, 24, 24), [status("a", 12), status("b", 12)], {"a": 12.0, "b": 12.0})
    decision = decide(site, snap, ControlMemory(), TIMING, 1000.0)
    assert {s.device: s.value for s in decision.setpoints} == {"a": 6.0, "b": 16.0}
    assert "Garage is silent" in decision.alarms[0][1]


@pytest.mark.parametrize(("fuse", "cars"), [(16, 1), (25, 2), (40, 3), (63, 5)])
def test_on_a_silent_main_meter_as_many_safe_currents_are_given_as_fit_beside_half_the_fuse(
    fuse: float, cars: int
) -> None:
    names = [f"car{n}" for n in range(6)]
    snap = at((50, 50, 50), [status(n, 16) for n in names], dict.fromkeys(names, 16.0), age_s=11)
    found = amps(street(*(charger(n) for n in names), fuse_a=fuse), snap)
    assert sorted(found.values(), reverse=True) == [6.0] * cars + [0.0] * (6 - cars)


def test_a_car_that_came_while_the_meter_was_long_silent_gets_its_safe_current() -> None:
    """Wrong before: a car at 0 A was never raised while the meter was dead, be it for days."""
    snap = at((5, 5, 5), [status("a", 0)], {"a": 0.0}, age_s=61)
    assert amps(street(charger("a")), snap)["a"] == 6.0
    assert amps(street(charger("a")), replace(snap, devices={"meter": meter((5, 5, 5), 30)}))["a"] == 0.0


def test_a_car_stopped_for_a_silent_meter_starts_again_soon_after_it_is_back() -> None:
    """Wrong before: it rested a minute, as if it had lacked room, while another car took all of it."""
    site = street(charger("a", safe_current_a=0.0))
    silent = at((5, 5, 5), [status("a", 10)], {"a": 10.0}, age_s=11)
    memory = decide(site, silent, ControlMemory(), TIMING, 100.0).memory
    back = at((5, 5, 5), [status("a", 0)], {"a": 0.0})
    given = [decide(site, back, memory, TIMING, at_s).setpoints[0].value for at_s in (105.0, 111.0)]
    assert given[0] == 0.0
    assert given[1] >= 6.0


def test_a_one_phase_car_leaves_the_other_phases_to_others() -> None:
    one = status("a", (16.0, 0.0, 0.0), phases_in_use=1)
    site = street(charger("a"), charger("b", phases=(2,)), fuse_a=20)
    snap = at((18, 7, 2), [one, status("b", (None, 6.0, None))], {"a": 16.0, "b": 6.0})
    assert amps(site, snap) == {"a": 16.0, "b": 16.0}
    snap = at((18, 7, 2), [replace(one, phases_in_use=None), status("b", (None, 6.0, None))], {"a": 16.0, "b": 6.0})
    assert amps(site, snap)["b"] == 6.0, "while it may start on all three it keeps its room there"


def test_the_rotation_of_a_charger_names_the_phase_that_is_full() -> None:
    site = street(charger("a", phases=(2,)), charger("b", phases=(1,)))
    cars = [status("a", (None, 10.0, None)), status("b", (10.0, None, None))]
    assert amps(site, at((10, 30, 0), cars, {"a": 10.0, "b": 10.0})) == {"a": 0.0, "b": 16.0}


def test_a_fall_of_the_meter_since_a_cars_last_word_is_in_nobodys_room() -> None:
    """Wrong before: a car that had dropped by itself left its room to the others, and came back to it."""
    memory = decide(
        street(*TWO),
        at((24.5,) * 3, [status("a", 12), status("b", 6)], {"a": 12.0, "b": 6.0}),
        ControlMemory(),
        TIMING,
        1000,
    ).memory
    old = [status("a", 12, meter_age_s=5.0), status("b", 6, meter_age_s=5.0)]
    assert amps(street(*TWO), at((12.5,) * 3, old, {"a": 12.0, "b": 6.0}), memory, 1005)["b"] <= 6.5


# --- one phase or three

SPEC = ChargerSpec()


@pytest.mark.parametrize(
    ("name", "phases", "on_three", "on_one", "wanted"),
    [
        ("too little sun for three, enough for one", 3, 0.0, 9.0, 1),
        ("too little for either", 3, 0.0, 0.0, 3),
        ("enough for three", 3, 6.0, 16.0, 3),
        ("back up needs a margin", 1, 6.2, 16.0, 1),
        ("back up", 1, 6.5, 16.0, 3),
    ],
)
def test_the_phases_wanted(name: str, phases: int, on_three: float, on_one: float, wanted: int) -> None:
    assert phase_switching.wanted(PhaseRun(phases), on_three, on_one, SPEC) == wanted, name


def test_a_switch_waits_its_dwell_and_the_day_allows_ten() -> None:
    run_, switched, today = PhaseRun(3), [], START.date()
    for second in range(4000):
        after = phase_switching.step(run_, 1 if run_.phases == 3 else 3, TIMING, float(second), today)
        if after.phases != run_.phases:
            switched.append(second)
        run_ = after
    assert len(switched) == 10 and switched[0] == 120
    assert min(b - a for a, b in pairwise(switched)) >= 120
    assert phase_switching.step(run_, 4 - run_.phases, TIMING, 4000.0, today + timedelta(days=1)).count == 1


@pytest.mark.slow
def test_a_car_on_a_little_sun_goes_over_to_one_phase_with_zero_current_around_it() -> None:
    site, memory, limits, history = street(charger("a")), ControlMemory(), {"a": 0.0}, []
    wishes = {"a": ChargingPreference(ChargeMode.SOLAR)}
    setpoint = told("a", 0.0)
    for second in range(400):
        own = limits["a"] if setpoint.phases == 1 else 0.0
        car = status("a", (own, 0.0, 0.0), switches_phases=True, phases_in_use=1 if own else None)
        snap = at((-9.0 + own, -1, -1), [car], limits, wishes=wishes)
        snap = replace(snap, commanded={"a": setpoint})
        decision = decide(site, snap, memory, TIMING, 1000.0 + second)
        memory, setpoint = decision.memory, decision.setpoints[0]
        limits = {"a": setpoint.value}
        history.append((setpoint.phases, setpoint.value))
    first = next(second for second, (phases, _) in enumerate(history) if phases == 1)
    assert first >= 120 and history[first] == (1, 0.0)
    assert history[-1][0] == 1 and history[-1][1] >= 6.0


def test_a_restart_leaves_a_charger_on_the_phases_it_was_told() -> None:
    car = status("a", (8.0, 0.0, 0.0), switches_phases=True, phases_in_use=1)
    snap = replace(at((5, 1, 1), [car], {"a": 8.0}), commanded={"a": told("a", 8.0, phases=1)})
    setpoint = decide(street(charger("a")), snap, ControlMemory(), TIMING, 5.0).setpoints[0]
    assert (setpoint.phases, setpoint.value) == (1, 16.0)
