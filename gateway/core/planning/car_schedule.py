"""What the plan means for one car, as the schedule a charger can pass on to it (ISO 15118). Light to import."""

from __future__ import annotations

from datetime import datetime

from gateway.model.plan import Plan

MOST_PERIODS = 24
SAME_W = 50.0
"""Powers closer than this are one period."""


def schedule_for(plan: Plan, device: str, now: datetime, *, most: int = MOST_PERIODS) -> list[tuple[int, float]]:
    """(offset from `now` in s, limit in W) of each period, the first at 0; empty when the plan does not know the car.

    At most `most` periods (SmartChargingCtrlr.PeriodsPerSchedule): the last one then holds the highest power of all
    that would follow. What is safe without us bends it on its way to the car (decision 10).
    """
    periods: list[tuple[int, float]] = []
    for slot in plan.slots:
        ends = slot.start.timestamp() + slot.duration_s
        if device not in slot.power_w or ends <= now.timestamp():
            continue
        offset = max(0, round(slot.start.timestamp() - now.timestamp()))
        power = max(0.0, slot.power_w[device])
        if periods and abs(power - periods[-1][1]) < SAME_W:
            continue
        periods.append((offset if periods else 0, round(power, 1)))
    if len(periods) > most:
        rest = max(power for _, power in periods[most - 1 :])
        periods = [*periods[: most - 1], (periods[most - 1][0], rest)]
    return periods
