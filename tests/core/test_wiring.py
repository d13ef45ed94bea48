"""Wiring mistakes, found in samples that true physics gives a meter whose transformers were moved about."""

from __future__ import annotations

import cmath
import math
import random
from dataclasses import dataclass, replace

import pytest

from gateway.core.metering.wiring import (
    VOTES,
    KnownStep,
    Mistake,
    WiringFinding,
    WiringSample,
    WiringWatch,
    explain,
    explain_step,
)

VOLTS = (231.0, 229.0, 230.0)
ANGLES = (0.0, -120.0, 120.0)


@dataclass(frozen=True)
class Wires:
    """How a meter is wired: input k has the transformer of phase `cts[k]` with `turns[k]`, and voltage `taps[k]`."""

    cts: tuple[int, int, int] = (1, 2, 3)
    taps: tuple[int, int, int] = (1, 2, 3)
    turns: tuple[int, int, int] = (1, 1, 1)


RIGHT = Wires()


def powers(currents: list[complex], wires: Wires) -> tuple[float, float, float]:
    """Active power of each input: the real part of its voltage times the conjugate of its current."""
    found = []
    for ct, tap, turn in zip(wires.cts, wires.taps, wires.turns, strict=True):
        voltage = cmath.rect(VOLTS[tap - 1], math.radians(ANGLES[tap - 1]))
        found.append((voltage * (turn * currents[ct - 1]).conjugate()).real)
    return (found[0], found[1], found[2])


def conductor(phase: int, watts: float, factor: float, *, capacitive: bool = False) -> complex:
    """The current in a phase's conductor for a load of `watts` (negative: production) at a power factor."""
    lag = math.acos(factor) * (-1 if capacitive else 1)
    magnitude = abs(watts) / VOLTS[phase - 1] / factor
    turn = math.pi if watts < 0 else 0.0
    return cmath.rect(magnitude, math.radians(ANGLES[phase - 1]) - lag + turn)


def sample(currents: list[complex], wires: Wires = RIGHT, *, generating: bool | None = False) -> WiringSample:
    watts = powers(currents, wires)
    amps = tuple(abs(currents[ct - 1]) for ct in wires.cts)
    volts = tuple(VOLTS[tap - 1] for tap in wires.taps)
    return WiringSample(volts, (amps[0], amps[1], amps[2]), watts, sum(watts), generating)  # type: ignore[arg-type]


def home(rng: random.Random) -> list[complex]:
    """An evening's loads: 300 to 3000 W on each phase, power factors of 0.85 to 1, mostly inductive."""
    return [
        conductor(phase, rng.uniform(300, 3000), rng.uniform(0.85, 1.0), capacitive=rng.random() < 0.3)
        for phase in (1, 2, 3)
    ]


def watched(samples: list[WiringSample]) -> list[WiringFinding]:
    watch = WiringWatch("grid_meter", "Main meter")
    for each in samples:
        watch.add(each)
    return watch.findings()


def an_evening(wires: Wires, seed: int = 1) -> list[WiringSample]:
    rng = random.Random(seed)
    return [sample(home(rng), wires) for _ in range(3 * VOTES)]


@pytest.mark.parametrize(
    ("name", "wires", "cause", "remedy"),
    [
        ("turned on L2", Wires(turns=(1, -1, 1)), "turned L2", "`invert_phases: [2]` in devices.grid_meter"),
        ("turned on L1 and L3", Wires(turns=(-1, 1, -1)), "turned L1 and L3", "`invert_phases: [1, 3]`"),
        ("whole meter", Wires(turns=(-1, -1, -1)), "whole", "`invert: true` in devices.grid_meter"),
        ("L1 and L2 exchanged", Wires(cts=(2, 1, 3)), "crossed L1 and L2", "Exchange them"),
        ("L1 and L3 exchanged", Wires(cts=(3, 2, 1)), "crossed L1 and L3", "Exchange them"),
        ("L2 and L3 exchanged", Wires(cts=(1, 3, 2)), "crossed L2 and L3", "Exchange them"),
        ("moved on by one", Wires(cts=(2, 3, 1)), "crossed L1 and L2 and L3", "two ways"),
        ("moved back by one", Wires(cts=(3, 1, 2)), "crossed L1 and L2 and L3", "two ways"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_mistake_is_named_with_its_remedy(name: str, wires: Wires, cause: str, remedy: str, seed: int) -> None:
    found = watched(an_evening(wires, seed))
    assert [finding.cause for finding in found] == [cause], name
    assert remedy in found[0].remedy
    assert found[0].sure == "likely"


def test_right_wiring_is_never_blamed() -> None:
    for seed in range(20):
        assert watched(an_evening(RIGHT, seed)) == []


def test_voltage_and_transformer_moved_together_look_right_until_a_known_load_changes() -> None:
    assert watched(an_evening(Wires(cts=(2, 1, 3), taps=(2, 1, 3)))) == []


NIGHT_LOADS = {
    "reactive loads at small currents": [conductor(p, 40, 0.3) for p in (1, 2, 3)],
    "a big reactive load on two phases": [conductor(1, 700, 0.35), conductor(2, 700, 0.35), conductor(3, 500, 0.95)],
    "capacitive standby": [conductor(p, 20, 0.1, capacitive=True) for p in (1, 2, 3)],
    "everything on one phase": [conductor(1, 6000, 0.98), 0j, 0j],
    "an idle house": [0j, 0j, 0j],
    "motors": [conductor(p, 900, 0.6) for p in (1, 2, 3)],
}


@pytest.mark.parametrize("name", NIGHT_LOADS)
def test_odd_loads_are_no_mistakes(name: str) -> None:
    assert watched([sample(NIGHT_LOADS[name])] * (3 * VOTES)) == []


def test_export_of_single_phase_panels_is_no_turned_transformer() -> None:
    sunny = [conductor(1, 400, 0.95), conductor(2, -3000, 0.99), conductor(3, 600, 0.95)]
    assert watched([sample(sunny, generating=True)] * (3 * VOTES)) == []


def test_near_balance_of_a_three_phase_inverter_is_no_crossing() -> None:
    # Little active and much reactive power: any power factor on all phases, but something generates.
    balanced = [conductor(p, -120, 0.3) for p in (1, 2, 3)]
    assert watched([sample(balanced, generating=True)] * (3 * VOTES)) == []


def test_when_nobody_knows_what_generates_a_finding_is_only_possible() -> None:
    unknown = [replace(each, generating=None) for each in an_evening(Wires(turns=(1, -1, 1)))]
    found = watched(unknown)
    assert [finding.sure for finding in found] == ["possible"]
    assert "Make sure that nothing" in found[0].remedy


def test_noise_among_the_samples_neither_hides_nor_makes_a_finding() -> None:
    rng = random.Random(5)
    noisy = [
        replace(each, watts=tuple(w + rng.gauss(0, 60) for w in each.watts if w is not None))  # type: ignore[arg-type]
        for each in an_evening(Wires(turns=(1, 1, -1)))
    ]
    assert [finding.cause for finding in watched(noisy)] == ["turned L3"]
    calm = [
        replace(each, watts=tuple(w + rng.gauss(0, 60) for w in each.watts if w is not None))  # type: ignore[arg-type]
        for each in an_evening(RIGHT)
    ]
    assert watched(calm) == []


def test_one_odd_sample_proves_nothing() -> None:
    turned = an_evening(Wires(turns=(1, -1, 1)))[: VOTES - 1]
    assert watched(turned) == []


def test_a_finding_ends_when_the_transformer_was_turned_back() -> None:
    watch = WiringWatch("grid_meter", "Main meter")
    for each in an_evening(Wires(turns=(1, -1, 1))):
        watch.add(each)
    assert watch.findings()
    for each in an_evening(RIGHT)[:20]:
        watch.add(each)
    assert watch.findings() == [] and watch.settled()


def test_a_single_phase_meter_that_counts_backwards_by_night_is_turned_round() -> None:
    backwards = WiringSample((230.0, None, None), (4.0, None, None), (-900.0, None, None), -900.0, False)
    assert [finding.cause for finding in watched([backwards] * VOTES)] == ["whole"]


def test_a_meter_without_currents_shows_its_direction_by_night_only() -> None:
    night = WiringSample(total_w=-700.0, generating=False)
    assert explain(night) == Mistake(whole=True)
    assert explain(replace(night, generating=None)) is None
    assert explain(replace(night, generating=True)) is None


def step(phases: tuple[int, ...], wires: Wires, amps: float = 12.0, noise: float = 0.0) -> KnownStep:
    """A charger changes by `amps` on its phases; the meter is wired as said; something else drifts by `noise` W."""
    currents = [conductor(p, amps * VOLTS[p - 1], 0.99) if p in phases else 0j for p in (1, 2, 3)]
    one, two, three = powers(currents, wires)
    return KnownStep("Wallbox", phases, amps * 230.0, (one + noise, two - noise, three + noise))


@pytest.mark.parametrize(
    ("phases", "wires", "mistake"),
    [
        ((1, 2, 3), RIGHT, Mistake()),
        ((2,), RIGHT, Mistake()),
        ((1,), Wires(cts=(2, 1, 3), taps=(2, 1, 3)), Mistake(moved=((1, 2),))),
        ((3,), Wires(cts=(3, 1, 2), taps=(3, 1, 2)), Mistake(moved=((3, 1),))),
        ((2,), Wires(turns=(1, -1, 1)), Mistake(turned=(2,))),
        ((1, 2, 3), Wires(turns=(1, 1, -1)), Mistake(turned=(3,))),
        ((1, 2, 3), Wires(turns=(-1, -1, -1)), Mistake(whole=True)),
        ((1, 2, 3), Wires(cts=(2, 1, 3)), Mistake(crossed=(1, 2))),
        ((1, 2, 3), Wires(cts=(2, 3, 1)), Mistake(crossed=(1, 2, 3))),
        ((1,), Wires(cts=(2, 1, 3)), Mistake(crossed=(1, 2))),
    ],
)
def test_a_chargers_change_shows_how_the_meter_is_wired(
    phases: tuple[int, ...], wires: Wires, mistake: Mistake
) -> None:
    assert explain_step(step(phases, wires)) == mistake
    assert explain_step(step(phases, wires, noise=120.0)) == mistake
    assert explain_step(step(phases, wires, amps=-8.0)) == mistake


def test_a_change_that_fits_nothing_or_is_too_small_proves_nothing() -> None:
    assert explain_step(step((1,), RIGHT, amps=2.0)) is None
    assert explain_step(step((1,), RIGHT, noise=1500.0)) is None


def test_three_changes_of_a_car_on_another_phase_name_the_order_of_the_inputs() -> None:
    watch = WiringWatch("grid_meter", "Main meter")
    wires = Wires(cts=(2, 1, 3), taps=(2, 1, 3))
    for amps in (10.0, -6.0):
        watch.add_step(step((1,), wires, amps))
    assert watch.findings() == []
    watch.add_step(step((1,), wires, 8.0))
    (found,) = watch.findings()
    assert found.sure == "certain"
    assert "Wallbox is on phase 1, but phase 2 of Main meter moved with it" in found.what
    assert "`phases: [2, 1, 3]` in devices.grid_meter" in found.remedy
    assert "correct Wallbox: `phases: [2]`" in found.remedy


def test_a_meter_that_the_site_file_cannot_correct_is_to_be_mended_at_its_place() -> None:
    watch = WiringWatch("p1", "Smart meter", keys=False)
    for each in an_evening(Wires(turns=(1, -1, 1))):
        watch.add(each)
    (found,) = watch.findings()
    assert found.remedy.startswith("Turn it at the meter.") and "`" not in found.remedy


def test_changes_that_contradict_each_other_prove_nothing() -> None:
    watch = WiringWatch("grid_meter", "Main meter")
    for wires in (Wires(turns=(-1, 1, 1)), RIGHT, Wires(turns=(-1, 1, 1))):
        watch.add_step(step((1,), wires))
    assert watch.findings() == []
