"""Load-shape classes against the truth of synthetic homes that nobody tuned on (TEST seeds), and the cost of a step.

python benchmarks/shapes/classes.py [--quick] [--tuning] [--real FOLDER]

--tuning judges seed 3 of the tuning seeds instead (the shipped dictionary was fitted to 1 and 2). --real adds tomorrow's
shape on the hourly meters of opengrid_18_meters_60min_kw_2016.csv.gz in FOLDER. scikit-learn's KMeans stands beside where it
is installed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.shapes.evaluate import (  # noqa: E402
    IMPOSSIBLE_W,
    Floats,
    adjusted_rand_index,
    calibration_error,
    judged_days,
    log_loss_bits,
    top_k,
)
from benchmarks.shapes.homes import TEST, TUNING, Home, homes  # noqa: E402
from benchmarks.table import Row  # noqa: E402
from gateway.core.learning.home_shapes import UNKNOWN, HomeShapes  # noqa: E402
from gateway.core.learning.shape_day import day_numbers, features  # noqa: E402
from gateway.core.learning.shape_dictionary import ShapeDictionary  # noqa: E402
from gateway.core.learning.shape_training import ROUNDS, Round, with_found  # noqa: E402

NAMES = {
    "evening_peak": "evening peak",
    "morning_evening": "morning and evening",
    "daytime": "daytime",
    "night": "night",
    "flat": "flat",
    "double": "double",
    "solar_dip": "solar dip",
    "ev_night": "EV night",
    "away": "away",
}
"""The generator's labels and the dictionary's names."""
KNOWN_FROM = 28
"""Tomorrow's shape is judged from this day of a home on."""
Days = list[tuple[date, list[float | None]]]


def shipped() -> ShapeDictionary:
    """The dictionary that comes with Hearth."""
    path = ROOT / "config" / "shapes" / "homes.json"
    return ShapeDictionary.from_document(json.loads(path.read_text()), str(path))


def home_days(home: Home) -> Days:
    """Each local day's hours as the store would give them: scaled up from half an hour, None with less."""
    first = home.start.astimezone(ZoneInfo(home.zone)).date()
    days: Days = []
    for number in range(len(home.bounds) - 1):
        watts = home.watts[home.bounds[number] : home.bounds[number + 1]].reshape(-1, 4)
        read = np.isfinite(watts) & (np.abs(np.nan_to_num(watts)) < IMPOSSIBLE_W)
        count = read.sum(axis=1)
        wh = np.where(read, np.nan_to_num(watts), 0).sum(axis=1) / np.maximum(count, 1)
        days.append((first + timedelta(number), [float(x) if n >= 2 else None for x, n in zip(wh, count, strict=True)]))
    return days


class Seen(NamedTuple):
    """What was told of some homes, day by day, with what was said of each day before it."""

    truth: list[str]
    said: list[str]
    sure: list[float]
    usual: list[tuple[str, str, str]]
    """Home class: of the whole year in truth, told after seven days, and the most frequent in truth of the seven."""
    chances: list[list[float]]
    came: list[int]


def walk(days: Days, book: ShapeDictionary, seen: Seen, labels: Sequence[str] = (), judged: Iterable[int] = ()) -> None:
    """One home through the classifier."""
    state, judge = HomeShapes(book), set(judged)
    for number, (day, hours) in enumerate(days):
        before = dict(state.chances(day).chances) if number >= KNOWN_FROM else None
        shape = state.step(day, hours)
        if number in judge:
            seen.truth.append(NAMES[labels[number]])
            seen.said.append(shape.shape)
            seen.sure.append(shape.confidence)
        if before is not None and shape.shape != UNKNOWN:
            seen.chances.append([before[name] for name in book.names])
            seen.came.append(book.names.index(shape.shape))
        if number == 6 and labels:
            home = state.home()
            seen.usual.append(("", home.shape if home else UNKNOWN, ""))


def synthetic(name: str, seed: int, book: ShapeDictionary, count: int | None = None) -> tuple[Seen, Floats, list[str]]:
    """The homes of one set and seed; also the shares of the judged days and their labels, for a clustering beside."""
    seen, shares, labels = Seen([], [], [], [], [], []), [], []
    for home in islice(homes(name, seed), count):
        days, judged = home_days(home), judged_days(home)
        walk(days, book, seen, home.day_labels, judged)
        week = Counter(home.day_labels[:7]).most_common(1)[0][0]
        seen.usual[-1] = (NAMES[home.home_label], seen.usual[-1][1], NAMES[week])
        for d in judged:
            numbers = day_numbers(days[d][1])
            shares.append(numbers.shares)
            labels.append(home.day_labels[d])
    return seen, np.array(shares), labels


def tomorrow_words(seen: Seen) -> str:
    """The four figures of tomorrow's shape, and those of always telling the chances of all homes' days."""
    chances, came = np.array(seen.chances), np.array(seen.came)
    common = np.bincount(came, minlength=chances.shape[1]) / len(came)
    plain = np.tile(common, (len(came), 1))
    return (
        f"top-1 {top_k(chances, came, 1):.3f}, top-2 {top_k(chances, came, 2):.3f}, "
        f"log-loss {log_loss_bits(chances, came):.2f} bits, calibration error {calibration_error(chances, came):.3f} "
        f"(all homes' mix: top-1 {top_k(plain, came, 1):.3f}, {log_loss_bits(plain, came):.2f} bits)"
    )


def _class_row(name: str, target: str, found: list[tuple[Seen, Floats, list[str]]]) -> Row:
    scores, beside = [], []
    for seen, shares, labels in found:
        right = np.array(seen.truth) == np.array(seen.said)
        error = calibration_error(np.array([[s, 0.0] for s in seen.sure]), np.where(right, 0, 1))
        usual, week = (np.mean([row[0] == row[i] for row in seen.usual]) for i in (1, 2))
        scores.append((adjusted_rand_index(seen.truth, seen.said), right.mean(), error, usual, week))
        beside.append(_kmeans(shares, labels))
    ari, right, error, usual, week = (f"{'/'.join(f'{s[i]:.3f}' for s in scores)}" for i in range(5))
    plain = f"; KMeans k=9 of unit-sum hours ARI {'/'.join(f'{b:.3f}' for b in beside if b is not None)}"
    measured = (
        f"ARI {ari}, right by name {right}, calibration error {error}, home class after 7 days {usual} "
        f"(the true labels of those days alone tell it in {week})"
    )
    how = f"one figure a seed, {sum(len(s.truth) for s, _, _ in found)} judged days"
    return Row(f"class of a day, {name} homes", target, measured + (plain if None not in beside else ""), how)


def _kmeans(shares: Floats, labels: list[str]) -> float | None:
    try:
        from sklearn.cluster import KMeans  # type: ignore[import-not-found]
    except ImportError:
        return None
    return adjusted_rand_index(labels, KMeans(9, n_init=3, random_state=0).fit_predict(shares).tolist())


def _stability(parts: list[Floats], book: ShapeDictionary) -> Row:
    """Two dictionaries of disjoint homes of one set name the days of homes that neither has seen."""
    said = []
    for shares in parts[:2]:
        fitted = book
        for _ in range(ROUNDS):
            look = Round(fitted, np.random.default_rng(0))
            look.take(shares)
            fitted = look.fitted(book)
        fitted = with_found(fitted, look)
        at = features(parts[2]) @ fitted.projection
        near = ((at[:, None] - fitted.prototypes[None]) ** 2).sum(axis=2).argmin(axis=1)
        said.append([fitted.names[fitted.owner[p]] for p in near])
    plain = _plain_stability(parts)
    measured = f"ARI {adjusted_rand_index(*said):.3f}" + (f"; KMeans k=9 {plain:.3f}" if plain is not None else "")
    how = f"fitted to {len(parts[0])} and {len(parts[1])} days of disjoint hard homes, {len(parts[2])} held out"
    return Row("dictionary stability", "ARI >= 0.80", measured, how)


def _plain_stability(parts: list[Floats]) -> float | None:
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        return None
    one, other = (KMeans(9, n_init=3, random_state=0).fit(shares).predict(parts[2]).tolist() for shares in parts[:2])
    return adjusted_rand_index(one, other)


def _sizes(book: ShapeDictionary, seed: int) -> Row:
    usual = Counter(class_of(book, home) for home in homes("size", seed))
    words = ", ".join(f"{name} {count}" for name, count in usual.most_common())
    return Row(
        "100 homes that differ only in size", "one shape", words, "home class after 60 days, three orders of size"
    )


def class_of(book: ShapeDictionary, home: Home) -> str:
    """The home class after all its days."""
    state = HomeShapes(book)
    for day, hours in home_days(home):
        state.step(day, hours)
    found = state.home()
    return found.shape if found else UNKNOWN


def _cost(book: ShapeDictionary, quick: bool) -> Row:
    days = home_days(next(homes("hard", TUNING[0])))
    spent = []
    for _ in range(3 if quick else 15):
        state = HomeShapes(book)
        begin = time.process_time()
        for day, hours in days:
            state.step(day, hours)
        spent.append(1e6 * (time.process_time() - begin) / len(days))
    kib = len(json.dumps(state.to_document(), separators=(",", ":"))) / 1024
    code = (
        "import numpy,os,sys;sys.path.insert(0,'.');"
        "used=lambda:int(open('/proc/self/statm').read().split()[1])*os.sysconf('SC_PAGE_SIZE')//1024;a=used();"
        "import json;from pathlib import Path;from gateway.core.learning.shape_dictionary import ShapeDictionary;"
        "from gateway.core.learning.home_shapes import HomeShapes;"
        "d=json.loads(Path('config/shapes/homes.json').read_text());"
        "s=HomeShapes(ShapeDictionary.from_document(d,''));print(used()-a)"
    )
    added = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    measured = (
        f"median {np.median(spent):.0f}, least {min(spent):.0f} us CPU per day; state after a year {kib:.1f} KiB; "
        f"RSS added {int(added.stdout) / 1024:.1f} MB over numpy"
    )
    return Row(
        "load-shape step", "<= 50 us, <= 16 KiB, <= 10 MB", measured, f"{len(spent)} x {len(days)} days of one home"
    )


def _real(folder: Path, book: ShapeDictionary) -> Row:
    path, zone = folder / "opengrid_18_meters_60min_kw_2016.csv.gz", ZoneInfo("Europe/Brussels")
    days: dict[str, dict[date, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            day = datetime.fromisoformat(row["start_utc"]).astimezone(zone).date()
            for name, kw in row.items():
                if name.startswith("og_"):
                    days[name][day].append(float(kw) * 1000 if kw else None)
    seen, usual = Seen([], [], [], [], [], []), Counter[str]()
    for home in days.values():
        rows = [(day, hours) for day, hours in sorted(home.items()) if len(hours) >= 23]
        before = len(seen.came)
        walk(rows, book, seen)
        usual[book.names[Counter(seen.came[before:]).most_common(1)[0][0]]] += 1
    words = ", ".join(f"{name} {count}" for name, count in usual.most_common())
    how = (
        f"{len(seen.came)} days of {len(days)} real meters; truth is the class told a day later; most frequent: {words}"
    )
    return Row("tomorrow's shape, real homes", TOMORROW, tomorrow_words(seen), how)


TOMORROW = "top-1 >= 0.44, top-2 >= 0.65, <= 2.2 bits, calibration <= 0.03"


def rows(quick: bool, seeds: Sequence[int] = TEST, real: Path | None = None) -> list[Row]:
    """The promises about load-shape classes."""
    book, count = shipped(), 18 if quick else None
    seeds = seeds[:1] if quick else seeds
    easy = [synthetic("easy", seed, book, count) for seed in seeds]
    hard = [synthetic("hard", seed, book, count) for seed in seeds]
    shares = np.concatenate([part for _, part, _ in hard])
    thirds = [shares[len(shares) * i // 3 : len(shares) * (i + 1) // 3] for i in range(3)]
    both = Seen(*(list(chain.from_iterable(seen[i] for seen, _, _ in hard)) for i in range(6)))
    made = [
        _class_row("easy", "ARI >= 0.80, home class >= 0.95", easy),
        _class_row("hard", "ARI >= 0.65", hard),
        Row(
            "tomorrow's shape, hard homes",
            TOMORROW,
            tomorrow_words(both),
            f"{len(both.came)} days, as told a day later",
        ),
        _stability(thirds if len(seeds) < 3 else [part for _, part, _ in hard], book),
        _sizes(book, seeds[0]),
        _cost(book, quick),
    ]
    if real is not None:
        made.append(_real(real, book))
    if "sklearn" not in sys.modules:
        made.append(Row("scikit-learn beside", "", "not installed here", "run with a Python that has it"))
    return made


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tuning", action="store_true", help="seed 3 instead of the test seeds")
    parser.add_argument("--real", type=Path, help="folder of real homes")
    options = parser.parse_args()
    for row in rows(options.quick, TUNING[-1:] if options.tuning else TEST, options.real):
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
