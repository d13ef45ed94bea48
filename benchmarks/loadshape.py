"""The load-shape step: time to class one day, and the bytes of what is kept between days.

python benchmarks/loadshape.py [--days 20000]
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.table import Row
from gateway.core.learning import shapes
from gateway.core.learning.shapes import classify_day

REPEATS = 5


def per_day_us(days: int) -> float:
    """Microseconds per classified day of made-up hourly energies."""
    dice = random.Random(1)
    made = [[dice.lognormvariate(6, 0.7) for _ in range(24)] for _ in range(200)]
    first = date(2026, 1, 1)
    begin = time.process_time()
    for number in range(days):
        classify_day(first + timedelta(days=number % 3000), made[number % 200])
    return 1e6 * (time.process_time() - begin) / days


def state_bytes() -> int:
    """The arrays of the dictionary: the step learns nothing else that it must keep."""
    return int(shapes._CURVES.nbytes + shapes._SMOOTHED.nbytes + shapes._BLUR.nbytes)


def rows(quick: bool, days: int = 20_000) -> list[Row]:
    """The promise about load shapes."""
    days = 2_000 if quick else days
    spent = [per_day_us(days) for _ in range(REPEATS)]
    sklearn = "scikit-learn loaded" if "sklearn" in sys.modules else "no scikit-learn"
    return [
        Row(
            "load-shape step",
            "<= 50 us per day, state <= 16 KiB, no scikit-learn",
            f"{statistics.median(spent):.0f} us CPU per day, {state_bytes() / 1024:.1f} KiB, {sklearn}",
            f"median of {REPEATS} x {days} days, class, confidence and reason in words",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=20_000)
    for row in rows(False, parser.parse_args().days):
        print(row.line())


if __name__ == "__main__":
    main()
