"""A day of the plan's archive in words and pictures: what was planned as a line over what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.model.archive import GRID, HOUSE, SUN, ArchivedDay, Miss
from gateway.model.reading import INTERVAL_S
from gateway.model.site import Role, Site
from gateway.web.words import watt_hours, watts

WIDTH, HEIGHT, LOW = 620.0, 96.0, 22.0
"""Of one picture, in its own units; `LOW` below it for the hours."""
LEAST_W = 50.0
"""A series that never was more, planned or measured, is left out."""
COLOURS = {
    Role.BATTERY: "battery", Role.HYBRID_INVERTER: "battery", Role.EV_CHARGER: "car",
    Role.WATER_HEATER: "heat", Role.HEAT_PUMP: "heat",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """One series: measured as an area (SVG path), planned as a line, and both in words."""

    name: str
    colour: str
    was: str
    plan: str
    zero: float
    figures: str
    error: str
    words: str


def day_sentence(found: ArchivedDay, today: date) -> str:
    """ "Yesterday the plan expected 14.2 kWh from the grid; it was 15.0 kWh."."""
    when = (
        "Today so far"
        if found.day == today
        else "Yesterday"
        if found.day == today - timedelta(days=1)
        else f"On {found.day:%A} {found.day.day} {found.day:%B %Y}"
    )
    grid = found.miss(GRID, 1)
    if grid is None:
        return f"{when} nothing was both planned and measured."
    return (
        f"{when} the plan expected {watt_hours(grid.planned_wh)} from the grid; it was {watt_hours(grid.measured_wh)}."
    )


def error_sentences(found: ArchivedDay) -> list[str]:
    """What house and sun did to the plan, and how much of the day had one."""
    told = []
    for name, words, sign in ((HOUSE, "The house used", 1), (SUN, "The sun gave", -1)):
        miss = found.miss(name, sign)
        if miss is not None and (miss.planned_wh or miss.measured_wh):
            told.append(f"{words} {apart(miss)}.")
    without = len(found.quarters) - found.planned
    if without:
        hours = f"{without / 4:g} h" if without >= 4 else f"{without * 15} min"
        told.append(f"For {hours} no plan was kept; they are in no figure.")
    return told


def apart(miss: Miss) -> str:
    """ "0.8 kWh more than planned", "as much as planned"."""
    difference = miss.measured_wh - miss.planned_wh
    if abs(difference) < max(50.0, 0.01 * abs(miss.planned_wh)):
        return "as much as planned"
    return f"{watt_hours(difference)} {'more' if difference > 0 else 'less'} than planned"


def pairs(site: Site, found: ArchivedDay) -> list[Pair]:
    """The grid, the house, the sun and each device that did or should have done something."""
    rows = [(GRID, "Grid", "grid"), (HOUSE, "House", "house"), (SUN, "Sun", "sun")]
    rows += [(d.id, d.name, COLOURS.get(d.role, "house")) for d in site.devices if d.role is not Role.MAIN_METER]
    drawn = [_pair(found, key, name, colour) for key, name, colour in rows]
    return [pair for pair in drawn if pair is not None]


def _pair(found: ArchivedDay, key: str, name: str, colour: str) -> Pair | None:
    sign = -1 if key == SUN else 1
    planned = [
        None if q.planned is None or key not in q.planned.power_w else sign * q.planned.power_w[key]
        for q in found.quarters
    ]
    measured = [sign * q.measured_w[key] if key in q.measured_w else None for q in found.quarters]
    known = [value for value in (*planned, *measured) if value is not None]
    high, low = max([*known, 0.0]), min([*known, 0.0])
    miss = found.miss(key)
    if high - low < LEAST_W:
        return None
    count = round((found.end - found.start).total_seconds() / INTERVAL_S)
    unit, step = HEIGHT / (high - low), WIDTH / count
    zero = high * unit
    told = _told(planned, measured)
    return Pair(
        name, colour, _area(measured, zero, unit, step), _line(planned, zero, unit, step), round(zero, 1),
        told, f"{watts(miss.mean_error_w)} off on average" if miss else "",
        f"{name}: {told}",
    )  # fmt: skip


def _told(planned: list[float | None], measured: list[float | None]) -> str:
    """Both energies over the quarter hours that have both; each by itself where none has."""
    both = [(p, m) for p, m in zip(planned, measured, strict=True) if p is not None and m is not None]
    if not both:
        return f"planned {_energy(planned)}, was {_energy(measured)}"
    return f"planned {_energy([p for p, _ in both])}, was {_energy([m for _, m in both])}"


def _energy(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    taken, given = (sum(max(0.0, sign * value) for value in known) / 4 for sign in (1, -1))
    if given < 50 or taken < 50:
        return ("−" if given > taken and given >= 50 else "") + watt_hours(max(taken, given))
    return f"{watt_hours(taken)} in, {watt_hours(given)} out"


def _area(values: list[float | None], zero: float, unit: float, step: float) -> str:
    parts = [
        f"M{index * step:.1f} {zero:.1f}V{zero - value * unit:.1f}h{step:.1f}V{zero:.1f}z"
        for index, value in enumerate(values)
        if value is not None and abs(value * unit) >= 0.2
    ]
    return "".join(parts)


def _line(values: list[float | None], zero: float, unit: float, step: float) -> str:
    parts, drawing = [], False
    for index, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        y = zero - value * unit
        parts.append(f"V{y:.1f}h{step:.1f}" if drawing else f"M{index * step:.1f} {y:.1f}h{step:.1f}")
        drawing = True
    return "".join(parts)


def hours(found: ArchivedDay, site: Site) -> list[tuple[float, str]]:
    """Local hours along the pictures: (x, words)."""
    whole = (found.end - found.start).total_seconds()
    marked = []
    for hour in range(1, round(whole / 3600)):
        at = found.start + timedelta(hours=hour)
        local = at.astimezone(site.timezone)
        if local.hour % 6 == 0:
            marked.append((round(hour * 3600 / whole * WIDTH, 1), f"{local:%H:%M}"))
    return marked
