"""Stories of meters: resets, swaps, roll-overs, clocks that jump, gaps. The sum is always what the register says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.metering.exact import divide, exact
from gateway.core.metering.intervals import IntervalBuilder
from gateway.core.metering.resample import daily, local_day
from gateway.core.metering.typical import TypicalDays
from gateway.core.metering.validator import Validator
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Interval, IntervalQuality, Quality, Reading, Rule
from tests.core.homes import SITE

T0 = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
VALID, ESTIMATED, MISSING = IntervalQuality.VALID, IntervalQuality.ESTIMATED, IntervalQuality.MISSING


@dataclass
class Life:
    """One meter through validation into intervals: the true time runs, the clock may be wrong."""

    at: float = 0.0
    clock_error_s: float = 0.0
    register: float = 100_000.0
    modulus: float = 1e12
    validator: Validator = field(default_factory=lambda: Validator(SITE))
    builder: IntervalBuilder = field(default_factory=lambda: IntervalBuilder("meter"))
    found: dict[datetime, Interval] = field(default_factory=dict)
    refused: list[Reading] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tell(self.register)

    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.at + self.clock_error_s)

    def run(
        self, seconds: float, watts: float = 3600.0, *, step: float = 10.0, heard: bool = True, power: bool = True
    ) -> Life:
        """Let time pass; the register rises by `watts`, and is told every `step` s when the meter is heard."""
        for _ in range(round(seconds / step)):
            self.at += step
            self.register = (self.register + watts * step / 3600) % self.modulus
            if heard:
                self.tell(self.register, watts if power else None)
        return self

    def tell(self, register: float, watts: float | None = None, time: datetime | None = None) -> None:
        rows = [(Q.POWER, watts), (Q.ENERGY_IMPORT, register)]
        readings = [Reading("meter", q, v, time or self.now()) for q, v in rows if v is not None]
        for reading in self.validator.check(readings, self.now(), True):
            if reading.quality is not Quality.VALID:
                self.refused.append(reading)
            self.keep(self.builder.add(reading))

    def keep(self, intervals: list[Interval]) -> None:
        self.found |= {interval.start: interval for interval in intervals}

    def close(self) -> Life:
        self.keep(self.builder.close(self.now()))
        return self

    @property
    def sum_wh(self) -> float:
        return sum(interval.import_wh or 0.0 for interval in self.found.values())

    def rules(self) -> list[Rule | None]:
        return list(dict.fromkeys(reading.rule for reading in self.refused))


def test_a_counter_that_was_reset_loses_nothing_that_the_power_saw() -> None:
    life = Life().run(1800)
    life.register = 0.0
    life.run(1800).close()
    assert life.rules() == [Rule.COUNTER_RESET]
    assert life.sum_wh == pytest.approx(3600.0, abs=1)
    assert [i.quality for i in life.found.values()] == [VALID, VALID, ESTIMATED, VALID]
    assert "counter reset, bridged by power" in list(life.found.values())[2].method


@pytest.mark.parametrize("new_register", [12.0, 7_400_000.0], ids=["lower", "higher"])
def test_a_meter_that_was_replaced_while_nobody_listened_adds_nothing_of_its_own(new_register: float) -> None:
    life = Life().run(1800).run(1200, heard=False)
    before = life.register
    life.register = new_register
    life.run(1500).close()
    told = (before - 100_000.0 - 1200.0) + (life.register - new_register)
    assert told - 40.0 <= life.sum_wh <= told, "the pause and the readings of doubt are not known"
    assert {i.quality for i in life.found.values()} == {VALID, ESTIMATED}
    assert any("counter" in i.method and i.quality is ESTIMATED for i in life.found.values())


@pytest.mark.parametrize(
    "modulus",
    [2.0**31, 2.0**32, 1e6, 1e8, 1e9, 2.0**32 * 10, 2.0**16 * 100],
    ids=["31 bits", "32 bits", "6 digits Wh", "8 digits Wh", "6 digits kWh", "32 bits of 10 Wh", "16 bits of 100 Wh"],
)
def test_a_register_that_rolls_over_is_counted_through_its_end(modulus: float) -> None:
    life = Life(register=modulus - 1005.0, modulus=modulus).run(3600).close()
    assert life.sum_wh == 3600.0 and life.refused == []
    assert {i.quality for i in life.found.values()} == {VALID}


def test_a_roll_over_is_noted_and_believed() -> None:
    validator = Validator(SITE)
    first, second = (
        validator.check([Reading("meter", Q.ENERGY_IMPORT, value, T0 + timedelta(seconds=at))], T0, True)[0]
        for at, value in ((0, 2.0**32 - 5), (10, 5.0))
    )
    assert (first.rule, second.rule, second.quality) == (None, Rule.ROLL_OVER, Quality.VALID)


def test_our_clock_set_forward_spreads_the_energy_over_the_hours_that_never_were() -> None:
    life = Life().run(3600)
    life.clock_error_s = 7200.0
    life.run(3600).close()
    assert life.sum_wh == pytest.approx(7200.0), "nothing lost, nothing doubled"
    assert life.found[T0 + timedelta(hours=2)].quality is ESTIMATED


@pytest.mark.parametrize("power", [True, False], ids=["with power", "counter only"])
def test_our_clock_set_back_adds_to_the_hour_that_is_lived_again_and_says_so(power: bool) -> None:
    """Wrong before: nothing was counted until the clock had caught up, and then all of it was taken for a jump."""
    life = Life().run(7200, power=power)
    life.clock_error_s = -3600.0
    life.run(2 * 3600, power=power).close()
    assert life.refused == [], "the readings are believed at once"
    assert life.sum_wh == pytest.approx(life.register - 100_000.0)
    again = life.found[T0 + timedelta(minutes=75)]
    assert (again.import_wh, again.quality) == (1800.0, ESTIMATED) and "clock was set back" in again.method
    assert life.found[T0 + timedelta(minutes=135)].quality is VALID


def test_a_meter_without_counter_lives_an_hour_again_too() -> None:
    builder, found = IntervalBuilder("meter"), {}
    for at in [*range(0, 7200, 10), *range(3600, 7300, 10)]:
        rows = builder.add(Reading("meter", Q.POWER, 3600.0, T0 + timedelta(seconds=at)))
        found |= {row.start: row for row in rows}
    assert found[T0 + timedelta(minutes=75)].import_wh == pytest.approx(1800.0)
    assert found[T0 + timedelta(minutes=75)].quality is ESTIMATED


def test_a_clock_that_was_a_year_ahead_until_it_was_set_does_no_harm() -> None:
    life = Life(clock_error_s=365 * 86400.0).run(3600)
    life.clock_error_s = 0.0
    life.run(3600).close()
    today = [interval for interval in life.found.values() if interval.start < T0 + timedelta(days=1)]
    assert sum(interval.import_wh or 0 for interval in today) == pytest.approx(3600.0)
    assert life.sum_wh == pytest.approx(7200.0)


def test_a_small_step_back_of_our_clock_blinds_nobody() -> None:
    """Wrong before: for as long as the step the main meter counted as late and the home as unknown."""
    life = Life().run(600)
    life.clock_error_s = -40.0
    life.run(600).close()
    assert life.refused == [] and life.sum_wh <= life.register - 100_000.0


def test_a_device_whose_clock_is_ahead_is_not_believed_and_named() -> None:
    life = Life().run(60)
    life.tell(life.register + 5, 3600.0, life.now() + timedelta(hours=1))
    assert life.rules() == [Rule.TIME_FUTURE]


def test_late_and_repeated_values_move_no_energy() -> None:
    life = Life().run(1800)
    old = life.register
    for _ in range(5):
        life.tell(old, 3600.0)
        life.tell(old - 500, 3600.0, life.now() - timedelta(minutes=10))
    life.run(1800).close()
    assert life.rules() == [Rule.TIME_LATE]
    assert life.sum_wh == 3600.0 and {i.quality for i in life.found.values()} == {VALID}


def test_an_hour_of_silence_is_spread_by_what_the_device_usually_does_then() -> None:
    usual = TypicalDays(ZoneInfo("UTC"))
    for day in range(1, 6):
        for slot, wh in enumerate((100.0, 300.0, 500.0, 100.0), start=2):
            start = T0 - timedelta(days=day) + timedelta(minutes=15 * slot)
            usual.add(Interval("meter", start, 900, wh, 0.0, VALID, "counter"))
    life = Life(builder=IntervalBuilder("meter", typical=usual.power_w))
    life.run(1800).run(3600, 1000.0, heard=False).run(900).close()
    gap = [life.found[T0 + timedelta(minutes=15 * slot)] for slot in (2, 3, 4, 5)]
    assert [i.import_wh for i in gap] == pytest.approx([100.0, 300.0, 500.0, 100.0], rel=0.05)
    assert {(i.quality, i.method) for i in gap} >= {(ESTIMATED, "counter spread by typical profile")}
    assert life.sum_wh == pytest.approx(life.register - 100_000.0, abs=0.01)


def test_an_hour_of_silence_that_nobody_knows_anything_of_is_spread_evenly() -> None:
    life = Life().run(1800, power=False).run(3600, heard=False).run(910, power=False).close()
    gap = [life.found[T0 + timedelta(minutes=15 * slot)] for slot in (3, 4)]
    assert {(i.import_wh, i.method) for i in gap} == {(900.0, "counter spread evenly")}


def test_a_hybrids_panels_are_spread_by_their_own_usual_day() -> None:
    usual = TypicalDays(ZoneInfo("UTC"))
    for slot, wh in ((0, 300.0), (1, 100.0)):
        usual.add(Interval("inv/pv", T0 + timedelta(minutes=15 * slot), 900, 0.0, wh, VALID, "counter"))
    builder = IntervalBuilder("inv", typical=usual.power_w)
    builder.add(Reading("inv", Q.PV_ENERGY, 0.0, T0))
    rows = builder.add(Reading("inv", Q.PV_ENERGY, 800.0, T0 + timedelta(minutes=30)))
    assert [row.export_wh for row in rows] == [600.0, 200.0]


def test_only_valid_quarter_hours_teach_what_is_usual() -> None:
    usual = TypicalDays(ZoneInfo("Europe/Brussels"))
    usual.add(Interval("m", T0, 900, 50.0, 0.0, ESTIMATED, "counter spread evenly"))
    assert usual.power_w("m", T0) is None
    for wh in (100.0, 200.0):
        usual.add(Interval("m", T0, 900, wh, 0.0, VALID, "counter"))
    assert usual.power_w("m", T0 + timedelta(days=3)) == (pytest.approx(520.0), 0.0), "the newest day weighs 30 %"


def test_an_interval_whose_power_contradicts_its_counter_is_an_estimate_and_noted() -> None:
    builder, found = IntervalBuilder("meter"), []
    for at in range(0, 1810, 10):
        when = T0 + timedelta(seconds=at)
        found += builder.add(Reading("meter", Q.POWER, 3600.0, when))
        found += builder.add(Reading("meter", Q.ENERGY_IMPORT, at * (3.0 if at <= 900 else 1.0), when))
    assert (found[0].quality, found[0].method) == (ESTIMATED, "counter and power, power says 900 Wh")
    assert [(name, rule) for name, rule, _, _ in builder.take_notes()][:1] == [("meter", Rule.COUNTER_AGAINST_POWER)]
    assert builder.take_notes() == []


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 21), 24)]
)
def test_a_local_day_of_23_24_and_25_hours_carries_what_its_register_says(day: date, hours: int) -> None:
    zone = ZoneInfo("Europe/Brussels")
    begin, end = local_day(day, zone)
    builder, found = IntervalBuilder("meter"), []
    for minute in range(-30, hours * 60 + 31):
        found += builder.add(Reading("meter", Q.ENERGY_IMPORT, 5_000.0 + 7 * minute, begin + timedelta(minutes=minute)))
    (whole,) = [row for row in daily(found, zone) if row.start == begin]
    assert (whole.duration_s, whole.end, whole.import_wh) == (hours * 3600, end, 7.0 * 60 * hours)
    assert whole.quality is VALID


steps = st.tuples(
    st.sampled_from(["heard", "silent", "twice", "late", "forward", "back"]),
    st.integers(1, 5000),
    st.floats(0, 9000),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=1, max_size=30))
def test_whatever_happens_the_sum_of_the_intervals_is_the_difference_of_the_counter(
    story: list[tuple[str, int, float]],
) -> None:
    life = Life()
    for kind, seconds, watts in story:
        if kind in ("forward", "back"):
            # Set back by more than passes meanwhile, or nobody could tell it from a register that jumped.
            life.clock_error_s += seconds if kind == "forward" else -2.0 * seconds - 100.0
        life.run(seconds, watts, step=seconds, heard=kind != "silent", power=False)
        if kind == "twice":
            life.tell(life.register)
        if kind == "late":
            life.tell(life.register - 1.0, None, life.now() - timedelta(seconds=30))
    # At last the clock stands beyond all that was stamped, on a quarter hour, and the register is told once more.
    life.clock_error_s += 600_000.0
    life.clock_error_s += 900.0 - (life.at + life.clock_error_s) % 900
    for _ in range(4):
        life.tell(life.register)
    assert life.sum_wh == exact(life.register) - 100_000.0, "to the last bit"
    assert all((interval.import_wh or 0.0) >= 0 for interval in life.found.values())


@pytest.mark.slow
@given(st.floats(0, 1e6), st.lists(st.floats(0, 1e4), min_size=1, max_size=50).filter(lambda w: sum(w) > 1e-3))
def test_parts_sum_to_the_whole_and_none_is_negative(energy: float, weights: list[float]) -> None:
    parts = divide(exact(energy), weights)
    assert sum(parts) == exact(energy) and min(parts) >= 0
