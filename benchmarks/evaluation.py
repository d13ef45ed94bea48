"""Every figure of docs/evaluation.md by one command: classes, load forecast, alerts, targeting.

    python benchmarks/evaluation.py [--quick] [--tuning] [--real FOLDER] [--yardstick PYTHON | --make-yardstick FOLDER]
                                    [--only PART ...] [--out FILE]

Judges on the TEST seeds of benchmarks/shapes/homes.py; --tuning on the seeds that may be looked at. --real adds real
homes: a folder as benchmarks/forecast.py reads it, with opengrid_18_meters_60min_kw_2016.csv.gz for classes and alerts.
--yardstick names a Python that has lightgbm and scikit-learn; --make-yardstick makes one in FOLDER with pip. Without
either our own figures are told alone. Each part runs in a process of its own, so that no memory is carried over.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.shapes import alerts_figures, forecast_figures, targeting_figures  # noqa: E402
from benchmarks.shapes.homes import TEST, TUNING  # noqa: E402
from benchmarks.table import Row  # noqa: E402

SHAPES = ROOT / "benchmarks" / "shapes"
OPENGRID = "opengrid_18_meters_60min_kw_2016.csv.gz"
LIBRARIES = ("numpy==2.4.6", "lightgbm==4.7.0", "scikit-learn==1.9.1")
PARTS = ("classes", "forecast", "alerts", "targeting")
HEAD = "| promise | target | measured | how |\n|---|---|---|---|"
QUICK_EVERY = 20
"""Of the synthetic homes every so manieth is forecast in a quick run."""


class Wish(NamedTuple):
    """What is to be judged on, and with which Python beside."""

    quick: bool
    tuning: bool
    real: Path | None
    yardstick: Path | None


def commands(part: str, wish: Wish) -> list[list[str]]:
    """The command lines of one part."""
    own, quick = sys.executable, ["--quick"] if wish.quick else []
    if part == "classes":
        # KMeans stands beside where the Python that runs it has scikit-learn.
        real = ["--real", str(wish.real)] if wish.real else []
        tuning = ["--tuning"] if wish.tuning else []
        return [[str(wish.yardstick or own), str(SHAPES / "classes.py"), *quick, *tuning, *real]]
    if part == "forecast":
        return [_forecast(own, wish)]
    if part == "targeting":
        return [[own, "-m", "benchmarks.shapes.targeting_figures", *quick, *([] if wish.tuning else ["--test"])]]
    return _alerts(own, wish)


def _forecast(own: str, wish: Wish) -> list[str]:
    every = str(QUICK_EVERY if wish.quick else 10)
    beside = ["--yardstick", str(wish.yardstick)] if wish.yardstick else []
    light = ["--light"] if wish.quick else []
    skip = ["--skip", str(forecast_figures.JUDGED)] if wish.tuning else []
    # A folder that is not there leaves the real homes out.
    return [
        own,
        str(SHAPES / "forecast_figures.py"),
        str(wish.real or "none"),
        "--synthetic",
        every,
        *beside,
        *light,
        *skip,
    ]


def _alerts(own: str, wish: Wish) -> list[list[str]]:
    begin = [own, "-m", "benchmarks.shapes.alerts_figures"]
    seeds = ["--seeds", ",".join(map(str, TUNING[:1] if wish.tuning else TEST[:1] if wish.quick else TEST))]
    few = ["--homes", "8"] if wish.quick else []
    beside = ["--yardstick", str(wish.yardstick)] if wish.yardstick and not wish.quick else ["--alone"]
    found = [[*begin, *seeds, *few, *beside]]
    return found if wish.real is None else [*found, [*begin, *seeds, "--real", str(wish.real / OPENGRID)]]


def run(command: Sequence[str], out: TextIO | None) -> bool:
    """Run one command and pass its lines on, to `out` too; whether it ended well."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _say(line.rstrip(), out)
    return process.returncode == 0


def make_yardstick(folder: Path) -> Path:
    """A Python of its own in `folder` with the libraries that stand beside; made once."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *LIBRARIES], check=True)
    return python


def rows(quick: bool) -> list[Row]:
    """Forecast, alerts and targeting on few synthetic homes, without yardsticks; classes stand in a part of their own."""
    every = QUICK_EVERY if quick else 10
    made = list(forecast_figures.made_up(TEST[:1] if quick else TEST, every))
    found = forecast_figures.judged("synthetic", made, 0, None, True)
    found += alerts_figures.rows(quick, TEST, alone=True)
    target = "not set"
    told = targeting_figures.rows(quick, TEST[:1] if quick else TEST)
    return found + [
        Row(f"targeting, {name}", target, value, "benchmarks/shapes/targeting_figures.py") for name, value in told
    ]


def _say(line: str, out: TextIO | None) -> None:
    print(line, flush=True)
    if out is not None:
        print(line, file=out, flush=True)


def evaluate(parts: Sequence[str], wish: Wish, out: TextIO | None) -> int:
    """Print one table after another; the number of commands that failed."""
    failed = 0
    for part in parts:
        _say(f"\n## {part}\n", out)
        if part in ("classes", "alerts"):
            _say(HEAD, out)
        begun = time.monotonic()
        for command in commands(part, wish):
            if not run(command, out):
                failed += 1
                _say(f"failed: {' '.join(command)}", out)
        _say(f"\n({time.monotonic() - begun:.0f} s)", out)
    return failed


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few homes")
    parser.add_argument("--tuning", action="store_true", help="the seeds that may be looked at, and the 60 days before")
    parser.add_argument("--real", type=Path, help="folder of real homes")
    beside = parser.add_mutually_exclusive_group()
    beside.add_argument("--yardstick", type=Path, help="a Python with lightgbm and scikit-learn")
    beside.add_argument("--make-yardstick", type=Path, metavar="FOLDER", help="make one there, with pip")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, help="write the tables there too")
    o = parser.parse_args()
    if o.real is not None and not o.real.is_dir():
        parser.error(f"--real: {o.real} is no folder")
    yardstick = make_yardstick(o.make_yardstick) if o.make_yardstick else o.yardstick
    # Absolute, as the parts run elsewhere; not resolved: behind the link of an environment its libraries are gone.
    real, yardstick = (path.absolute() if path else None for path in (o.real, yardstick))
    wish = Wish(o.quick, o.tuning, real, yardstick)
    if o.out is None:
        return evaluate(o.only, wish, None)
    with o.out.open("w", encoding="utf-8") as out:
        return evaluate(o.only, wish, out)


if __name__ == "__main__":
    sys.exit(min(1, main()))
