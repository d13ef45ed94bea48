"""The witness's own clock: home time, scaled from the world's by one epoch and one speed."""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class SimClock:
    """home_now = home_epoch + (time.time() - real_epoch) * speed."""

    home_epoch: datetime
    real_epoch: float
    speed: float = 1.0

    def now(self) -> datetime:
        """Home time, aware UTC."""
        return self.home_epoch + timedelta(seconds=(time.time() - self.real_epoch) * self.speed)

    async def sleep(self, home_s: float, real_floor: float = 0.0) -> None:
        """Sleep `home_s` seconds of home time, but at least `real_floor` seconds of the world's."""
        await asyncio.sleep(max(home_s / self.speed, real_floor, 0.0))


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def add_clock_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --home-epoch, --real-epoch and --speed, the same for every process of one home."""
    parser.add_argument("--home-epoch", type=_instant, default=None, help="home time at --real-epoch, ISO 8601")
    parser.add_argument("--real-epoch", type=float, default=None, help="Unix time at which --home-epoch holds")
    parser.add_argument("--speed", type=float, default=1.0, help="home seconds per second of the world")


def clock_from(args: argparse.Namespace) -> SimClock:
    """The clock the options describe; without epochs the home lives now. Raises ValueError for a speed <= 0."""
    if args.speed <= 0:
        raise ValueError(f"--speed must be above 0, not {args.speed}")
    real_epoch = time.time() if args.real_epoch is None else args.real_epoch
    home_epoch = datetime.fromtimestamp(real_epoch, UTC) if args.home_epoch is None else args.home_epoch
    return SimClock(home_epoch, real_epoch, args.speed)
