"""Cars as they would stand had they charged since they came: without a plan the later hours know nothing of them.

A car that waits for the night would otherwise count in each new plan as one that just came home, and the home's usual
peak would rise with every kettle of the evening.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.core.planning.cars import Car
from gateway.core.planning.home import Home


def on_arrival(home: Home) -> Home:
    """The same home whose cars lack what charging at once would have left."""
    return replace(home, cars=tuple(_begun(home, car) for car in home.cars))


def _begun(home: Home, car: Car) -> Car:
    status = home.request.snapshot.chargers.get(car.device.id)
    if status is None or status.session_start is None:
        return car
    hours = max(0.0, (home.request.now - status.session_start).total_seconds() / 3600)
    ahead = max(0.0, car.max_w * hours - status.session_wh)
    return replace(car, stages=tuple(replace(s, need_wh=max(0.0, s.need_wh - ahead)) for s in car.stages))
