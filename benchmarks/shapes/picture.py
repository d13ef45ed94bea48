"""Nine example days of each class as one picture.

python benchmarks/shapes/picture.py [docs/images/shape-classes.svg]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.shapes.homes import CLASSES, TUNING, homes  # noqa: E402
from benchmarks.shapes.sky import Floats  # noqa: E402

WORDS = {
    "evening_peak": "one hill, 17 to 23 h",
    "morning_evening": "two hills, 6 to 9 h and 17 to 22 h",
    "daytime": "a plateau, 9 to 17 h",
    "night": "a plateau, 22 to 7 h",
    "flat": "a high level that never ends",
    "double": "two equal hills, morning and noon",
    "solar_dip": "the sun pulls noon below the night",
    "ev_night": "a steep block in the night",
    "away": "nobody home: the dead level",
}
WIDE, HIGH, TOP, LEFT, GAP = 288, 130, 64, 34, 26


def examples() -> dict[str, list[Floats]]:
    """One day each of nine homes per class, as shares of the day's highest hour (up or down), hour by hour."""
    found: dict[str, list[Floats]] = {name: [] for name in CLASSES}
    for k, home in enumerate(homes("easy", TUNING[0])):
        day = 5 + k % 60
        if len(found[home.home_label]) < 9:
            hourly = home.watts[home.bounds[day] : home.bounds[day + 1]].reshape(24, 4).mean(axis=1)
            found[home.home_label].append(hourly / np.abs(hourly).max())
    return found


def _line(day: Floats, style: str) -> str:
    steps = np.repeat(np.arange(25), 2)[1:-1] / 24 * WIDE
    points = " ".join(f"{x:.0f},{HIGH / 2 - y * HIGH / 2:.1f}" for x, y in zip(steps, np.repeat(day, 2), strict=True))
    return f'<polyline class="{style}" points="{points}"/>'


def panel(name: str, days: list[Floats], at: int) -> str:
    """One class: hours to the right, power upwards, zero in the middle."""
    x, y = LEFT + at % 3 * (WIDE + GAP), TOP + at // 3 * (HIGH + TOP)
    hours = "".join(
        f'<line class="grid" x1="{h * 12}" x2="{h * 12}" y2="{HIGH}"/><text x="{h * 12}" y="{HIGH + 14}">{h}</text>'
        for h in (0, 6, 12, 18, 24)
    )
    lines = "".join(_line(day, "day") for day in days) + _line(np.mean(days, axis=0), "mean")
    return (
        f'<g transform="translate({x} {y})"><text class="name" y="-22">{name}</text>'
        f'<text class="says" y="-7">{WORDS[name]}</text>{hours}'
        f'<line class="zero" x2="{WIDE}" y1="{HIGH / 2}" y2="{HIGH / 2}"/>{lines}</g>'
    )


def picture() -> str:
    """The whole SVG."""
    found = examples()
    wide, high = LEFT * 2 + 3 * WIDE + 2 * GAP, 3 * (HIGH + TOP) + 40
    panels = "\n".join(panel(name, found[name], k) for k, name in enumerate(CLASSES))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img">
<title>Nine example days of each load shape, each as a share of its highest hour, and their mean</title>
<style>
text {{ font: 11px sans-serif; fill: #555; text-anchor: middle }}
.name {{ font-size: 15px; font-weight: 600; fill: #222; text-anchor: start }} .says {{ text-anchor: start }}
.grid {{ stroke: #eee }} .zero {{ stroke: #999 }}
polyline {{ fill: none; stroke-linejoin: round }}
.day {{ stroke: #2a7ab8; stroke-opacity: .3 }} .mean {{ stroke: #c2410c; stroke-width: 2 }}
</style>
<rect width="100%" height="100%" fill="#fff"/>
{panels}
<text x="{wide / 2}" y="{high - 12}">hour of the local day; the middle line is zero: import above, export below</text>
</svg>
"""


def main() -> None:
    """Write the picture where told, or where the documentation has it."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "shape-classes.svg"
    target.write_text(picture())
    print(target)


if __name__ == "__main__":
    main()
