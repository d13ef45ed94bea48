"""`history`: what the replayed home's meters would have counted, as quarter-hour rows for the product's CSV import."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from firmware_sim.physics.inverter import RATED_W, to_ac
from firmware_sim.physics.pv import dc_available_w
from firmware_sim.physics.replay import Replay, load_data

SLOT_MIN = 15
Row = tuple[str, str, str, str]


def rows(
    replay: Replay, start: datetime, end: datetime, left_on_w: float = 0.0, left_on_since: datetime | None = None
) -> Iterator[Row]:
    """(start, device, import_wh, export_wh) per slot: `house` (load nobody controls), `solar` (AC production), and the
    main meter `grid_meter` of a home that had neither car nor battery yet. Somebody forgot `left_on_w` at `left_on_since`.
    """
    at = start
    while at < end:
        minutes = [at + timedelta(minutes=minute) for minute in range(SLOT_MIN)]
        used = sum(sum(replay.load_w(minute)) for minute in minutes) / 60
        used += left_on_w * SLOT_MIN / 60 if left_on_since is not None and at >= left_on_since else 0.0
        made = sum(_solar_w(replay, minute) for minute in minutes) / 60
        label = at.isoformat()
        yield label, "house", f"{used:.1f}", "0.0"
        yield label, "solar", "0.0", f"{made:.1f}"
        yield label, "grid_meter", f"{max(0.0, used - made):.1f}", f"{max(0.0, made - used):.1f}"
        at += timedelta(minutes=SLOT_MIN)


def _solar_w(replay: Replay, at: datetime) -> float:
    return min(RATED_W, -to_ac(dc_available_w(replay.irradiance_w_m2(at), replay.outdoor_c(at))))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="firmware_sim history", description="Quarter-hour history as CSV.")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--until", type=datetime.fromisoformat, required=True, help="ISO 8601; cut to the quarter hour")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--left-on", type=float, default=0.0, metavar="W", help="a load forgotten in the last hours")
    parser.add_argument("--left-on-hours", type=float, default=24.0, metavar="H", help="so long before the end")
    args = parser.parse_args(argv)
    until = args.until if args.until.tzinfo else args.until.replace(tzinfo=UTC)
    end = until.astimezone(UTC).replace(second=0, microsecond=0)
    end -= timedelta(minutes=end.minute % SLOT_MIN)
    with args.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("start", "device", "import_wh", "export_wh"))
        since = end - timedelta(hours=args.left_on_hours)
        replay = Replay(args.seed, load_data())
        writer.writerows(rows(replay, end - timedelta(days=args.days), end, args.left_on, since))
