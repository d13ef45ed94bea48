"""What taking part in an event means for the people of the home, before they decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Beside:
    """How another way differs from the plan over the whole horizon: micro-units, and Wh left stored, cars included."""

    cost_micro: float = 0.0
    stored_wh: float = 0.0
    gives_way: tuple[str, ...] = ()
    """Devices whose car lacks more, or whose water or room is further out of its band; "grid" for a higher peak."""


@dataclass(frozen=True, slots=True)
class CarEffect:
    """When a car has what it will get by the end of the plan, joined and not; None: it gets nothing."""

    device: str
    full_at: datetime | None
    full_without: datetime | None


@dataclass(frozen=True, slots=True)
class EventEffect:
    """The plan with the event beside the one without it.

    `shifted_wh` is what the home draws less during the event (negative: more); `cost_micro` and `co2_g` what taking
    part costs over the whole plan (negative: saves), what the program pays not counted; temperatures are the lowest until the
    plan's end. `relaxed` names the owner's wishes that give way, and would not without the event.
    """

    event: str
    made_at: datetime
    shifted_wh: float
    cost_micro: int
    co2_g: float
    room_c: float | None
    room_without_c: float | None
    tank_c: float | None
    tank_without_c: float | None
    cars: tuple[CarEffect, ...] = ()
    relaxed: tuple[str, ...] = ()
