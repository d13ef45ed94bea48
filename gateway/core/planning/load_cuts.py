"""Where the plan's slots are cut for loads and comfort: windows open and close, wishes begin and end."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.core.planning.request import PlanRequest
from gateway.model.loads import duration, next_window
from gateway.model.site import ApplianceSpec, PoolPumpSpec


def load_cuts(request: PlanRequest, first: datetime, last: datetime) -> list[datetime]:
    """The instants from `first` to `last` at which something about a pool pump, an appliance or the comfort changes."""
    return [*_windows(request, first, last), *_runs(request), *_comfort(request, first, last)]


def _windows(request: PlanRequest, first: datetime, last: datetime) -> list[datetime]:
    found: list[datetime] = []
    for spec in (device.spec for device in request.site.devices):
        when = first
        while isinstance(spec, PoolPumpSpec) and when < last:
            start, end = next_window(spec, request.site.timezone, when)
            found += [start, end]
            when = end
    return found


def _runs(request: PlanRequest) -> list[datetime]:
    """The earliest and the latest start of each run that waits, and the end of one under way."""
    found: list[datetime] = []
    for device in request.site.devices:
        run = request.snapshot.loads.run(device.id)
        if run is None or not isinstance(device.spec, ApplianceSpec):
            continue
        if run.ends_at is not None:
            found.append(run.ends_at)
        else:
            found += [run.not_before, run.done_by - duration(device.spec)]
    return found


def _comfort(request: PlanRequest, first: datetime, last: datetime) -> list[datetime]:
    zone, day = request.site.timezone, first.astimezone(request.site.timezone).date()
    edges = {edge for span in request.preferences.comfort_schedule for edge in (span.start, span.end)}
    found: list[datetime] = []
    while edges and day <= last.astimezone(zone).date():
        found += [datetime.combine(day, edge, zone) for edge in edges]
        day += timedelta(days=1)
    return found
