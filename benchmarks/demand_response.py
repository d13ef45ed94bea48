"""From the utility's call to the charger's accepted limit, on a whole home of real processes at speed 1.

python benchmarks/demand_response.py [--times 20]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.table import Row, p95, spread
from tests.end_to_end.dr_home import DrHome, later, pause_until
from tests.end_to_end.windows_tools import Witness, charger

POLL_S = 10.0
LIMIT_W, SLACK_W = 8000.0, 100.0
HOW = "whole home at speed 1; from the utility's POST to the limit accepted by the charger"


def calm(home: DrHome) -> None:
    """No event any more, and the car allowed to charge."""
    for name in ("vtn", "second"):
        for event in home.utility("GET", "/events", at=name):
            home.utility("DELETE", f"/events/{event['id']}", at=name)
    home.until(lambda: (charger(home)["accepted_limit_a"] or 0) >= 6, 120)


def pushed(home: DrHome, times: int, at: str) -> list[float]:
    """Seconds from an event's creation to 0 A accepted, each time from the car allowed."""
    program, found = home.program(f"Push {at}", at=at), []
    for number in range(times):
        calm(home)
        time.sleep(random.uniform(1.0, 2.0))
        asked = home.now()
        home.event(program, f"Push {number}", ("SIMPLE", 2), asked, 10, at=at)
        found.append(home.paused(asked, POLL_S * 3))
    return found


def scheduled(home: DrHome, times: int) -> list[float]:
    """How far from its start an event known before takes hold, s; random moments of the tick."""
    program, found = home.program("Scheduled"), []
    for number in range(times):
        calm(home)
        start = later(home, random.uniform(4.0, 5.0))
        home.event(program, f"Start {number}", ("SIMPLE", 2), start, 10)
        pause_until(home, start)
        found.append(abs(home.paused(start)))
    return found


def overridden(home: DrHome, times: int) -> tuple[list[float], list[float]]:
    """Seconds from the owner's word in an event to the charger's limit: charge anyway, and the event again."""
    program, frees, pauses = home.program("Override"), [], []
    calm(home)
    asked = home.now()
    home.event(program, "Long", ("SIMPLE", 2), asked, 3600)
    home.paused(asked)
    for _ in range(times):
        asked = home.now()
        home.post("/api/v1/overrides", {"device": "car", "action": "run", "minutes": 30})
        frees.append(home.freed(asked, 120))
        asked = home.now()
        home.post("/api/v1/overrides", {"device": "car", "action": "auto"})
        pauses.append(home.paused(asked, 30))
    return frees, pauses


def capped(home: DrHome, witness: Witness, times: int) -> tuple[list[float], list[float]]:
    """Seconds until the house keeps to an import limit, and until it does again after 4 kW more in the house."""
    program, first, again = home.program("Envelope"), [], []
    for number in range(times):
        home.hub({"house": {"extra_w": [1000, 1000, 1000]}})
        calm(home)
        # A car that has not yet told its current since it began is stopped at once: this is about one that has.
        home.until(lambda: sum(witness.last()["grid_w"]) > LIMIT_W + 1000 and home.state()["car_w"] > 8000, 120)
        asked = home.now()
        home.event(program, f"Limit {number}", ("IMPORT_CAPACITY_LIMIT", LIMIT_W / 1000), asked, 300)
        first.append(kept(home, witness, asked))
        asked = home.now()
        home.hub({"house": {"extra_w": [2300, 2300, 2300]}})
        again.append(kept(home, witness, asked))
    home.hub({"house": {"extra_w": [0, 0, 0]}})
    return first, again


def kept(home: DrHome, witness: Witness, since: datetime) -> float:
    """Seconds from `since` to the house's last state above the limit, once four seconds of it stay below."""
    above = [False]

    def settled() -> bool:
        states = [(at, sum(state["grid_w"]) > LIMIT_W + SLACK_W) for at, state in witness.seen if at >= since]
        above[0] = above[0] or any(over for _, over in states)
        return above[0] and len(states) > 4 and not any(over for _, over in states[-4:])

    home.until(settled, 60)
    return max((at - since).total_seconds() for at, state in witness.seen if sum(state["grid_w"]) > LIMIT_W + SLACK_W)


def rows(quick: bool, times: int = 20) -> Iterator[Row]:
    """Every promise of demand response that is counted in seconds, as each is measured."""
    times = 4 if quick else times
    half, few = max(2, times // 2), max(2, times // 4)
    with DrHome() as home, Witness(home) as witness:
        home.wait_for_push()
        home.until(witness.charges, 80)
        met, again = capped(home, witness, few)
        size = f"{LIMIT_W / 1000:g} kW; the house's own states, 1 Hz"
        yield Row("import limit met at the meter", "<= 30 s", told(met), size)
        yield Row(
            "import limit met again after a breach", "a tick, then the car's ramp", told(again), f"{size}; 4 kW more"
        )
        for at, way, count in (("vtn", "webhook", times), ("second", "MQTT", half)):
            found = pushed(home, count, at)
            yield Row(
                f"DR event pushed -> limit accepted, {way}", "p95 <= 2 s", f"p95 {p95(found):.2f} s; {told(found)}", HOW
            )
        yield Row(
            "scheduled DR start", "error <= 1 s", told(scheduled(home, half)), "start to limit accepted, random moments"
        )
        frees, pauses = overridden(home, half)
        words = f"charge anyway {told(frees)}; the event again {told(pauses)}"
        yield Row("override in a DR event", "<= 2 s", words, "from the owner's word to the limit accepted")
    with DrHome(push=False, poll_s=POLL_S) as home, Witness(home) as witness:
        home.until(witness.charges, 80)
        found = pushed(home, few, "vtn")
        yield Row(
            "DR event by polling -> limit accepted", f"<= {POLL_S:g} s + 2 s", told(found), f"{HOW}; poll_s {POLL_S:g}"
        )


def told(values: list[float]) -> str:
    """Median and worst, s."""
    return spread(values, "s", 2)


def main() -> None:
    """Print the rows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=20)
    options.add_argument("--quick", action="store_true")
    args = options.parse_args()
    for row in rows(args.quick, args.times):
        print(row.line(), flush=True)


if __name__ == "__main__":
    main()
