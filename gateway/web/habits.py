"""When cars and people are usually at home, by the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter

from gateway.model.habits import EvHabit, at_hours
from gateway.model.learned import NotLearned
from gateway.model.site import Device, Role
from gateway.web.view import HomeView
from gateway.web.wire import EvDayOut, EvForecastOut, OccupancyOut

AHEAD_H = 48
NOT_YET = NotLearned("It is learned when the history has been read.")


def add_habits(router: APIRouter, home: HomeView) -> None:
    """The paths /forecast/ev and /forecast/occupancy."""

    @router.get("/forecast/ev")
    async def ev() -> list[EvForecastOut]:
        """When a car is plugged in, comes and goes, and what it takes: per charger, for 48 hours, with 10 and 90 %."""
        return [_car(home, device) for device in home.site.of_role(Role.EV_CHARGER)]

    @router.get("/forecast/occupancy")
    async def occupancy() -> OccupancyOut:
        """The chance that somebody is at home in each of the next 48 hours, estimated from the load."""
        start, found = _start(home), home.occupancy()
        if isinstance(found, NotLearned):
            return OccupancyOut(start=start, why=found.reason)
        return OccupancyOut(
            start=start,
            home=list(at_hours(found.home, _hours(home))),
            base_w=found.base_w,
            active_above_w=found.active_above_w,
            days=found.days,
            method=found.method,
        )


def _car(home: HomeView, device: Device) -> EvForecastOut:
    habit: EvHabit | NotLearned = home.ev_habits().get(device.id, NOT_YET)
    out = EvForecastOut(charger=device.id, name=device.name, start=_start(home))
    if isinstance(habit, NotLearned):
        return out.model_copy(update={"why": habit.reason})
    return out.model_copy(
        update={
            "plugged": list(at_hours(habit.plugged, _hours(home))),
            "workday": EvDayOut.model_validate(habit.workday),
            "weekend": EvDayOut.model_validate(habit.weekend),
            "stays": habit.stays,
            "days": habit.days,
            "method": habit.method,
        }
    )


def _start(home: HomeView) -> datetime:
    """The full hour of now by the clock on the wall."""
    local = home.clock.now().astimezone(home.site.timezone)
    return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)


def _hours(home: HomeView) -> list[datetime]:
    start = _start(home)
    return [(start + timedelta(hours=hour)).astimezone(home.site.timezone) for hour in range(AHEAD_H)]
