"""Random requests by the thousand: is there always a plan, and does it break a hard limit?

    python benchmarks/planner_fuzz.py [--count 10000] [--from 0]

Unreachable goals, states out of range, missing and odd forecasts and prices, days on which the clocks change, loads
already on, limits of zero, every kind of device and of tariff. Prints what was found; ends with 1 when a plan is wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway.core.planning.scheduler import make_plan  # noqa: E402
from tests.core.fuzz_requests import random_request, violations  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    told = parser.parse_args()
    methods, wrong, times = Counter[str](), 0, []
    for seed in range(told.first, told.first + told.count):
        asked = random_request(seed)
        start = time.process_time()
        plan = make_plan(asked, alternatives=False)
        times.append((time.process_time() - start) * 1000)
        methods[plan.method] += 1
        for found in violations(asked, plan):
            wrong += 1
            print(f"seed {seed}: {found}")
    times.sort()
    print(
        f"{told.count} requests: {dict(methods)}, {wrong} violations; processor time of a plan p50 "
        f"{times[len(times) // 2]:.0f} ms, p95 {times[int(0.95 * len(times))]:.0f} ms, max {times[-1]:.0f} ms"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
