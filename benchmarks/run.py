"""Every promise of the design that can be measured already, as one table; the others are named with the reason.

    .venv/bin/python benchmarks/run.py [--quick] [--only NAME ...]

Asserts nothing. --quick uses reduced counts.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import (
    control,
    csms,
    demand_response,
    evaluation,
    footprint,
    hostile,
    kill,
    living,
    meters20,
    modbus,
    mqtt,
    planner,
    powercut,
    sessions,
    storage,
    timeline,
)
from benchmarks.shapes import classes
from benchmarks.table import Row, p95

NOT_YET = (
    Row("plan cost, yearly bill, delivered energy, baselines", "see docs/benchmarks.md", "apart", "run for "
        "minutes to hours: planner_gap.py, planner_beside.py, yearly.py, delivered.py, baseline.py"),
    Row("load forecast beside LightGBM, real homes, all yardsticks", "see docs/evaluation.md", "apart", "evaluation.py, with a "
        "Python that has LightGBM and scikit-learn"),
)  # fmt: skip


def plans(quick: bool) -> list[Row]:
    """Full re-plans on generated homes."""
    count, found = (8 if quick else 30), []
    planner.make_plan(planner.home(0, planner.UNEVEN_STEPS))
    for name, steps in (("48 h at 5 min", planner.FINE_STEPS), ("default uneven steps", planner.UNEVEN_STEPS)):
        times, optimised, slots = planner.timed([planner.home(seed, steps) for seed in range(count)], False)
        cpu = [of_the_processor for of_the_processor, _ in times]
        found.append(f"{name} ({slots} steps): p50 {statistics.median(cpu):.0f} ms, p95 {p95(cpu):.0f} ms, "
                     f"{optimised} of {count} optimised, always a plan")  # fmt: skip
    how = f"{count} generated homes: battery, car >= 6 A, tank, heat pump, sun; CPU time, building the model included"
    return [Row("full re-plan", "p95 <= 250 ms", "; ".join(found), how)]


def stored(quick: bool) -> list[Row]:
    """Bytes of the design's full load: 10 devices, 100 series."""
    import asyncio

    hours = 6 if quick else 24
    with tempfile.TemporaryDirectory() as folder:
        found = dict(asyncio.run(storage.measure(Path(folder), hours)))
    figure = next(text for what, text in found.items() if what.startswith("written"))
    how = f"{hours} h of minutes, 100 series, audit and intervals, as fast as the disk allows; commit " + next(
        text for what, text in found.items() if what.startswith("commit")
    )
    year = next(text for what, text in found.items() if what.startswith("read a year"))
    return [
        Row("bytes written per day, store", "<= 50 MB", figure, how),
        Row(
            "a year of one device's 15-minute data",
            "<= 50 ms",
            year,
            "35,040 intervals as objects, after the nightly packing",
        ),
    ]


def whole(quick: bool) -> list[Row]:
    """The gateway beside the simulated home at speed 1 with one open page."""
    seconds = 60.0 if quick else 180.0
    how = f"{seconds:.0f} s of the demo's home at speed 1, its Now page open; PSS of the gateway's process"
    rows = [Row(what, target, measured, how) for what, measured, target in footprint.measure(seconds)]
    evening_s = 120.0 if quick else 420.0
    how = f"{evening_s:.0f} s of steady evening at speed 1 with and without a car, at once; blocks the kernel counts, and write-back"
    return [*rows, *(Row(what, target, measured, how) for what, measured, target in footprint.evenings(evening_s))]


PARTS: dict[str, Callable[[bool], list[Row]]] = {
    "footprint": whole, "storage": stored, "modbus": modbus.rows, "mqtt": mqtt.rows, "csms": csms.rows, "control": control.rows,
    "sessions": lambda quick: sessions.run(quick)[0],
    "hostile": hostile.rows, "meters20": meters20.rows,
    "living": living.rows, "planner": plans, "loadshape": classes.rows, "learning": evaluation.rows, "kill": kill.rows,
    "powercut": powercut.rows, "timeline": timeline.rows,
    "demand_response": lambda quick: list(demand_response.rows(quick)),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, Python {platform.python_version()}\n")
    print("| promise | target | measured | how |\n|---|---|---|---|")
    for name in options.only:
        try:
            rows = PARTS[name](options.quick)
        except Exception as error:
            rows = [Row(name, "", "failed", f"{type(error).__name__}: {error}")]
        for row in rows:
            print(row.line(), flush=True)
    for row in NOT_YET:
        print(row.line())


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


if __name__ == "__main__":
    main()
