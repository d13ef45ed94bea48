"""Promises in seconds, seen from outside a living simulated home at speed 1: override, silent meter, fuse, kill -9.

python benchmarks/living.py [--times 3]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.footprint import metric
from benchmarks.table import Row, spread
from tests.end_to_end.harness import LivingHome

SAFE_A = 6.0


def limit_a(home: LivingHome) -> float | None:
    """The limit the charger accepted last, A."""
    value = home.get("/api/v1/chargers")[0]["accepted_limit_a"]
    return None if value is None else float(value)


def charging(home: LivingHome) -> bool:
    return (home.truth()["ev"]["power_w"] or 0) > 9_000


def silent_meter(home: LivingHome) -> float:
    """Seconds from the meter's last word to the charger's accepted safe current."""
    home.until(lambda: charging(home), 60)
    home.fault("meter", "stall", for_s=30)
    spent = home.until(lambda: (limit_a(home) or 99) <= SAFE_A, 30)
    home.until(lambda: charging(home), 90)
    return spent


def override(home: LivingHome, action: str) -> float:
    """Seconds from the owner's word to the limit the charger accepted for it."""
    home.post("/api/v1/overrides", {"device": "car", "action": action, "minutes": 60, "event": ""})
    return home.until(lambda: (limit_a(home) == 0) == (action == "pause"), 90, every_s=0.05)


def fuse(home: LivingHome) -> float:
    """The longest time any phase was above the fuse, s, after somebody switched 6 kW on each phase."""
    home.until(lambda: charging(home), 90)
    home.hub({"house": {"extra_w": [4000, 4000, 4000]}})
    time.sleep(25)
    found = home.report()["longest_s_above_a"]
    home.hub({"house": {"extra_w": [0, 0, 0]}})
    limit = min(found, key=lambda text: abs(float(text) - 25.0))
    return float(max(found[limit]))


def killed(home: LivingHome) -> float:
    """Seconds from the start of the process to its first tick after a kill -9."""
    dead = home.kill("gateway")
    home.again(dead)
    home.until(lambda: home.get("/healthz"), 20)
    return metric(home.port, "hearth_first_tick_seconds")


def rows(quick: bool, times: int = 3) -> list[Row]:
    """Every row that needs a whole home."""
    times = 1 if quick else times
    with LivingHome(1.0, script=[]) as home:
        home.hub({"car": {"plugged": True, "soc_percent": 30}})
        home.until(lambda: home.get("/api/v1/chargers")[0]["transaction"], 60)
        override(home, "run")  # the plan alone would let the car wait for the cheap hours
        pauses, runs, silences, starts = [], [], [], []
        for _ in range(times):
            home.until(lambda: charging(home), 90)
            pauses.append(override(home, "pause"))
            runs.append(override(home, "run"))
            silences.append(silent_meter(home))
        above = fuse(home)
        starts += [killed(home) for _ in range(times)]
    return [
        Row("local override", "<= 2 s", f"pause {spread(pauses, 's')}; charge again right after {spread(runs, 's')}",
            "from the request to the charger's accepted limit, looked for every 50 ms"),
        Row("meter silent -> safe currents sent", "<= 10 s + 1 tick", spread(silences, "s"),
            "from the meter's stall to the charger's accepted safe current"),
        Row("fuse, while the car draws above its minimum", "no phase above it longer than 8 s (car alone 5 s)",
            f"longest {above:.1f} s above 25 A", "4 kW more on every phase while the car charges; the house's own count"),
        Row("first tick after kill -9", "<= 2.5 s", spread(starts, "s", 2), "kill -9 of the gateway, started again"),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    for row in rows(False, parser.parse_args().times):
        print(row.line())


if __name__ == "__main__":
    main()
