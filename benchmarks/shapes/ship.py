"""Fits the shipped dictionary of load shapes to the labelled synthetic homes (easy and hard, tuning seeds 1 and 2).

python benchmarks/shapes/ship.py [config/shapes/homes.json]

Seed 3 stayed out: SHARPNESS here and PRIOR in home_shapes.py were chosen on it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.shapes.classes import NAMES, home_days  # noqa: E402
from benchmarks.shapes.evaluate import judged_days  # noqa: E402
from benchmarks.shapes.homes import homes  # noqa: E402
from gateway.core.learning.shape_day import day_numbers  # noqa: E402
from gateway.core.learning.shape_fit import fit_named  # noqa: E402

SEEDS = (1, 2)
PER_NAME = 4
SHARPNESS = 0.25
ORIGIN = "fitted to the labelled synthetic homes of benchmarks/shapes (easy and hard, seeds 1 and 2) by its ship.py"


def main() -> None:
    """Write the dictionary where told, or where Hearth ships it."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "config" / "shapes" / "homes.json"
    shares, labels = [], []
    for name in ("easy", "hard"):
        for seed in SEEDS:
            for home in homes(name, seed):
                days = home_days(home)
                for d in judged_days(home):
                    numbers = day_numbers(days[d][1])
                    if numbers.known:
                        shares.append(numbers.shares)
                        labels.append(list(NAMES).index(home.day_labels[d]))
    book = fit_named(np.array(shares), np.array(labels), tuple(NAMES.values()), PER_NAME, SHARPNESS, ORIGIN)
    target.write_text(json.dumps(book.to_document(), separators=(",", ":")) + "\n", "utf-8")
    print(f"{target}: {len(shares)} days, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
