"""The generator of labelled homes: the same for everyone, labels that fit their definitions, homes that could be."""

import hashlib
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.shapes.anomalies import CLEAN_DAYS, anomalous, insert
from benchmarks.shapes.evaluate import judged_days, score_days
from benchmarks.shapes.homes import CLASSES, TEST, TUNING, homes
from benchmarks.shapes.loads import blocks
from benchmarks.shapes.sky import BERLIN, calendar, sky

SHAPES = Path(__file__).parent.parent / "benchmarks" / "shapes"


def first(set_name, n, **options):
    return list(islice(homes(set_name, TUNING[0], **options), n))


@pytest.fixture(scope="module")
def hard():
    return first("hard", 20)


@pytest.fixture(scope="module")
def lively():
    return first("easy", 90)


@pytest.fixture(scope="module")
def usual():
    return first("easy", 90, live=False)


def days_of(home):
    """Mean W of 24 equal parts of each local day of 24 hours."""
    whole = np.flatnonzero(np.diff(home.bounds) == 96)
    return {int(d): home.watts[home.bounds[d] : home.bounds[d + 1]].reshape(24, 4).mean(axis=1) for d in whole}


def window(day, hours):
    """Means of every run of hours within the day."""
    return np.convolve(day, np.full(hours, 1 / hours), "valid")


def is_evening_peak(d):
    three = window(d, 3)
    others = [v for i, v in enumerate(three) if i + 3 <= 17]
    return 17 <= three.argmax() <= 20 and three.max() >= 2 * max(others)


def is_morning_evening(d):
    morning, evening, noon = d[6:9].max(), d[17:22].max(), d[11:15].mean()
    return (
        0.5 <= evening / morning <= 2
        and noon < 0.5 * min(morning, evening)
        and d.argmax() in (6, 7, 8, 17, 18, 19, 20, 21)
    )


def is_daytime(d):
    plateau = d[9:17].mean()
    return 8 <= window(d, 8).argmax() <= 10 and d[18:23].mean() <= 0.6 * plateau and d[0:6].mean() <= plateau / 3


def is_night(d):
    dark = np.concatenate([d[22:], d[:7]])
    return dark.sum() > 0.5 * d.sum() and (dark > 0.5 * dark.max()).sum() >= 6


def is_flat(d):
    return 1.2 <= window(d, 3).max() / d.mean() <= 1.6 and d[:5].mean() >= 0.6 * d.mean()


def is_double(d):
    morning, noon, evening = d[6:9].max(), d[11:14].max(), d[17:23].max()
    return 0.6 <= noon / morning <= 1.7 and evening < 0.6 * min(morning, noon)


def is_solar_dip(d):
    return d[11:15].mean() < 0


def is_ev_night(d):
    dark = np.concatenate([d[22:], d[:7]])
    return np.sort(dark)[-3:].mean() >= 2.5 * np.abs(d).mean() and (dark > 0.5 * dark.max()).sum() <= 5


def is_away(d):
    return window(d, 3).max() < 1.2 * d.mean() and window(d, 3).min() > 0.8 * d.mean()


RULES = {name: globals()[f"is_{name}"] for name in CLASSES}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
def test_a_home_at_its_usual_hours_fits_the_words_of_its_class(name, usual):
    days = [d for h in usual if h.home_label == name for d in days_of(h).values()]
    share = np.mean([RULES[name](d) for d in days])
    assert share >= 0.95, f"{share:.2f} of {len(days)} days of {name}"


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
def test_the_mean_of_lively_days_fits_the_words_of_its_class(name, lively):
    means = [np.mean(list(days_of(h).values()), axis=0) for h in lively if h.home_label == name]
    assert len(means) == 10
    assert sum(bool(RULES[name](m)) for m in means) >= 9


@pytest.mark.slow
def test_the_rules_tell_classes_apart(usual):
    # given days of every class at usual hours, when each class's rule looks at the others, then it says no
    for home in usual:
        day = days_of(home)[3]
        said = {name for name in CLASSES if RULES[name](day)}
        # the sun's dip comes on top of whatever the people do, so other hills may stand beside it
        assert said == {home.home_label} or "solar_dip" == home.home_label in said


def test_equal_arguments_give_equal_homes_and_seeds_differ():
    one, again = first("hard", 2), first("hard", 2)
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a.watts, b.watts)
        assert (a.day_labels, a.events, a.zone, a.start) == (b.day_labels, b.events, b.zone, b.start)
    other = next(iter(homes("hard", TEST[0])))
    assert other.day_labels != one[0].day_labels
    assert not set(TUNING) & set(TEST)


def test_the_generator_is_the_frozen_one():
    # what was judged was judged on this text: whoever changes it states a new date and judges everything anew
    told, _day, *files = (SHAPES / "FROZEN").read_text().split()
    text = b"".join((SHAPES / name).read_bytes() for name in files)
    assert hashlib.sha256(text).hexdigest() == told
    assert files == ["homes.py", "loads.py", "sky.py", "anomalies.py"]


@pytest.mark.slow
def test_every_class_is_found_in_hard_homes(hard):
    counts = Counter(label for home in hard for label in home.day_labels)
    assert set(counts) == set(CLASSES)
    for home in hard:
        assert home.home_label == Counter(home.day_labels).most_common(1)[0][0]


@pytest.mark.slow
def test_days_have_92_96_or_100_slots_as_the_zone_says(hard):
    for home in hard:
        lengths = Counter(np.diff(home.bounds).tolist())
        changes = 0 if home.zone in ("America/Phoenix", "Asia/Tokyo") else 1
        assert (lengths[92], lengths[100]) == (changes, changes), home.zone
        assert len(home.day_labels) == len(home.bounds) - 1 == 365
        assert len(home.watts) == len(home.weather) == len(home.pv) == len(home.irradiance) == home.bounds[-1]


def test_wall_clock_hours_fall_where_the_clock_shows_them_on_long_and_short_days():
    # IANA: Europe/Berlin loses 2-3 h on 2024-03-31 and has it twice on 2024-10-27
    for day, slots in ((date(2024, 3, 31), 92), (date(2024, 10, 27), 100)):
        cal = calendar("Europe/Berlin", day, 2)
        assert cal.bounds.tolist() == [0, slots, slots + 96]
        assert cal.hour[int(cal.slot(np.array([0]), 18.5)[0])] == 18.5
        assert cal.slot(np.array([0]), 25.0)[0] == slots + 4
        assert cal.slot(np.array([1]), -1.0)[0] == slots - 4


def test_blocks_keep_their_energy_within_slots():
    watts = blocks(8, np.array([1.25, 6.5]), np.array([2.5, 4.0]), np.array([1000.0, 100.0]))
    np.testing.assert_allclose(watts, [0, 750, 1000, 750, 0, 0, 50, 100], atol=1e-9)


def test_the_sun_stands_where_and_when_it_should():
    cal = calendar(BERLIN.zone, date(2024, 6, 1), 30)
    air, sun = sky(np.random.default_rng(1), cal, BERLIN, cloudy=0.0)
    noon = sun.reshape(-1, 96).mean(axis=0)
    # Berlin in June: solar noon near 13:07 CEST, sunrise about 4:45, sunset about 21:30; clear noon near 900 W/m2
    assert 12.5 <= noon.argmax() / 4 <= 13.75
    assert noon[:16].max() == 0 and noon[88:].max() == 0
    assert 800 <= noon.max() <= 1000
    assert 10 < air.mean() < 26


@pytest.mark.slow
def test_homes_use_what_homes_use(lively, hard):
    for home in lively + hard:
        watts = np.where(np.abs(home.watts) < 1e5, home.watts, np.nan) + home.pv
        kwh = np.nanmean(watts) * 0.024
        assert 0.3 <= kwh <= 150, (home.id, kwh)
        assert np.nanmax(watts) < 40_000
        assert np.nanpercentile(watts, 1) > 0


@pytest.mark.slow
def test_one_shape_comes_in_sizes_over_three_orders_of_magnitude():
    kwh = [home.watts.mean() * 0.024 for home in first("size", 60)]
    assert max(kwh) / min(kwh) > 300
    assert {label for home in first("size", 5) for label in home.day_labels} == {"morning_evening"}


@pytest.mark.slow
def test_events_change_what_they_say(hard):
    seen = set()
    for home in hard:
        for kind, start, end, size in home.events:
            seen.add(kind)
            a, b = (int((t - home.start).total_seconds()) // 900 for t in (start, end))
            if kind == "meter_reset":
                assert b == a + 1 and home.watts[a] == -size
            if kind == "new_pv":
                assert b == home.bounds[-1] and home.pv[:a].max() == 0 < home.pv[a:].max() <= 0.9 * size
            if kind == "vacation":
                span = home.day_labels[home.bounds.tolist().index(a) : home.bounds.tolist().index(b)]
                assert len(span) >= 3 and set(span[1:]) <= {"away", "solar_dip"}  # the car may load before they leave
    assert seen == {"meter_reset", "new_pv", "new_ev", "new_heat_pump", "vacation"}


@pytest.mark.slow
def test_gaps_and_resets_leave_most_days_to_judge(hard):
    for home in hard:
        assert 0 < np.isnan(home.watts).mean() < 0.1
        assert 300 <= len(judged_days(home)) <= 365
    told = score_days(hard, lambda home: home.day_labels)
    assert (told.ari, told.right, told.unnamed) == (1.0, 1.0, 0)
    assert score_days(hard, lambda home: [None] * 365).right == 0.0


def test_anomalies_add_what_they_say_where_they_say_it():
    # given a series of hours that is 500 W without end, with a hole, and its PV
    start, watts, pv = datetime(2024, 1, 1, tzinfo=UTC), np.full(24 * 300, 500.0), np.full(24 * 300, 400.0)
    watts[3000:3100] = np.nan
    kinds = Counter()
    for seed in range(12):
        out, sun, events = insert(watts, start, seed, step_s=3600, pv=pv)
        rest = out - watts + (sun - pv)
        assert np.isnan(out[3000:3100]).all() and np.abs(rest[: 24 * CLEAN_DAYS]).max() == 0
        later = min((e.start for e in events if e.kind == "always_on"), default=datetime.max.replace(tzinfo=UTC))
        for kind, begin, end, size in events:
            kinds[kind] += 1
            a, b = (int((t - start) / timedelta(hours=1)) for t in (begin, end))
            if kind in ("spike", "left_on") and end < later:
                assert rest[a:b].mean() == pytest.approx(size, rel=0.1)
                assert rest[a - 24 : a].max() == rest[b : b + 24].max() == 0
                low, high, short, long = (1500, 3000, 2, 5) if kind == "spike" else (150, 400, 24, 96)
                assert low <= size <= high and short <= b - a <= long
            if kind == "pv_low":
                assert (pv - sun)[a:b].mean() == pytest.approx(size, abs=1) and 80 <= size <= 280
    assert kinds["spike"] == kinds["left_on"] == 12 * 8
    assert 3 <= kinds["always_on"] <= 11 and 3 <= kinds["pv_low"] <= 11


@pytest.mark.slow
def test_normal_homes_with_anomalies_keep_their_days():
    plain = first("normal", 4)
    odd = list(anomalous(plain, 7))
    for before, after in zip(plain, odd, strict=True):
        assert after.day_labels == before.day_labels
        assert after.events[: len(before.events)] == before.events and len(after.events) >= len(before.events) + 18
        assert {e.kind for e in before.events} <= {"vacation"}
        changed = np.nan_to_num(after.watts - before.watts)
        assert (changed >= 0).all() and changed.max() >= 1400


@pytest.mark.slow
def test_two_hundred_home_years_take_less_than_a_minute():
    begin = time.process_time()
    made = first("hard", 10)
    assert len(made) / (time.process_time() - begin) * 60 >= 200
