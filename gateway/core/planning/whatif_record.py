"""From a home's stored history to the record its twin lives through, with what is added to it.

    meter = house + sun + batteries + cars + what else has a meter of its own

Cars are taken from their sessions and batteries left out: the twin runs them anew. Whatever else is measured by itself
(a water heater, a heat pump) keeps the load it had: how warm it was meant to be then nobody knows now.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.sun import clear_sky_w_m2
from gateway.core.metering.remainder import HOUSE, SOLAR
from gateway.core.planning.twin import DAY, STEP_S, Array, Record, Visit
from gateway.core.tariff.metered import Metered
from gateway.model.errors import WishRefused
from gateway.model.reading import Interval
from gateway.model.session import EvSession
from gateway.model.site import Device, Role, Site

QUARTER = timedelta(seconds=STEP_S)
LEAST_DAYS = 28
MOST_MISSING = 0.3
PV_PERFORMANCE = 0.85
"""AC power of a kWp, kW, under 1 kW/m2 on the ground."""
TYPICAL_CLEARNESS = 0.6
"""What clouds leave of a clear sky over a year in the middle of Europe, about."""
MEAN_C, SEASON_K, DAY_K = 10.0, 8.0, 4.0
"""A mild climate, where nobody measured the air outside."""
OWN_SERIES = (Role.WATER_HEATER, Role.HEAT_PUMP, Role.POOL_PUMP, Role.APPLIANCE)


@dataclass(slots=True)
class History:
    """What is stored of [start, end), aware UTC on quarter hours; `take` it a part at a time."""

    start: datetime
    end: datetime
    sessions: Sequence[EvSession] = ()
    outdoor_c: Mapping[int, float] = field(default_factory=dict)
    """Air outside, degC, by hours since 1970."""
    _wh: dict[str, tuple[Array, Array]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Quarter hours."""
        return round((self.end.timestamp() - self.start.timestamp()) / STEP_S)

    def take(self, name: str, rows: Iterable[Interval]) -> None:
        """Some intervals of one series; those of other lengths than a quarter hour are passed over."""
        bought, sold = self._wh.setdefault(name, (np.full(self.count, np.nan), np.full(self.count, np.nan)))
        origin = self.start.timestamp()
        for row in rows:
            index = int((row.start.timestamp() - origin) // STEP_S)
            if row.duration_s == STEP_S and row.net_wh is not None and 0 <= index < self.count:
                bought[index], sold[index] = row.import_wh or 0.0, row.export_wh or 0.0

    def net_w(self, name: str) -> Array:
        """A series as mean W by the sign rule; NaN where nothing is known."""
        bought, sold = self._series(name)
        return (bought - sold) * (3600 / STEP_S)

    def metered(self, meter: str) -> Metered:
        """What the main meter counted, as the bill takes it."""
        at: Array = self.start.timestamp() + np.arange(self.count, dtype=np.float64) * STEP_S
        return Metered(at, at + STEP_S, *self._series(meter))

    def _series(self, name: str) -> tuple[Array, Array]:
        nothing = np.full(self.count, np.nan)
        return self._wh.get(name, (nothing, nothing))


def record_of(site: Site, history: History) -> tuple[Record, list[str]]:
    """The record of the home as it is, and the assumptions made; raises WishRefused when there is too little of it."""
    solar, losses = _sun(site, history)
    house = history.net_w(HOUSE)
    for device in site.of_role(*OWN_SERIES):
        house = house + np.nan_to_num(history.net_w(device.id))
    known = ~np.isnan(house)
    _check(known)
    notes = [] if known.all() else ["What is missing was filled with the mean of the same quarter hour of other days."]
    if site.of_role(*OWN_SERIES):
        notes.append("Water heaters, heat pumps and other measured devices keep the load they had.")
    house = _filled(np.maximum(0.0, house + losses))
    since = _since(site, history)
    for name, first in since.items():
        day = f"{(history.start + first * QUARTER).astimezone(site.timezone):%Y-%m-%d}"
        called = next(device.name for device in site.devices if device.id == name)
        notes.append(f"{called} is in it from {day}, when it first told anything.")
    return Record(
        history.start, house, _filled(solar), known, _outdoor(site, history), np.zeros(history.count),
        tuple(visits_of(site, history)), since,
    ), notes  # fmt: skip


def _since(site: Site, history: History) -> dict[str, int]:
    """The batteries that were added in the history: the quarter hour of their own first interval.

    One that never told anything by itself is taken for one that was always there.
    """
    found = {}
    for device in site.of_role(Role.BATTERY, Role.HYBRID_INVERTER):
        name = device.id if device.role is Role.BATTERY else f"{device.id}/battery"
        told = np.flatnonzero(~np.isnan(history.net_w(name)))
        if len(told) and told[0] >= DAY:
            found[device.id] = int(told[0])
    return found


def _check(known: NDArray[np.bool_]) -> None:
    days = float(np.sum(known)) / DAY
    if days <= LEAST_DAYS - 1:
        # Up to a day of gaps is no reason to refuse who asks for the least there is to ask for.
        raise WishRefused(
            f"There are {math.floor(days)} days of history, and {LEAST_DAYS} are needed. Ask again later, or import older data "
            "with 'hearth import'."
        )
    missing = 1 - float(np.mean(known))
    if missing > MOST_MISSING:
        raise WishRefused(
            f"{100 * missing:.0f} % of the history is missing, more than {100 * MOST_MISSING:.0f} %. Ask for fewer days."
        )


def _sun(site: Site, history: History) -> tuple[Array, Array]:
    """What the panels gave to the home (W, <= 0), and what inverters took beside their battery (W, >= 0).

    Each quarter hour by its devices where they told anything, else by the sum of panels, as older data is imported.
    """
    parts = [history.net_w(device.id) for device in site.of_role(Role.PV)]
    # A hybrid inverter's output is sun and battery together, after its own losses.
    parts += [
        history.net_w(device.id) - history.net_w(f"{device.id}/battery")
        for device in site.of_role(Role.HYBRID_INVERTER)
    ]
    total = sum((np.nan_to_num(part) for part in parts), np.zeros(history.count))
    told = np.any([~np.isnan(part) for part in parts], axis=0) if parts else np.zeros(history.count, dtype=bool)
    total = np.where(told, total, np.nan_to_num(history.net_w(SOLAR)))
    return np.minimum(0.0, total), np.maximum(0.0, total)


def _filled(values: Array) -> Array:
    """Gaps filled with the mean of the same quarter hour of the other days."""
    gap = np.isnan(values)
    if not gap.any():
        return values
    padded = np.full(-(-len(values) // DAY) * DAY, np.nan)
    padded[: len(values)] = values
    rows = padded.reshape(-1, DAY)
    told = ~np.isnan(rows)
    mean = np.nan_to_num(rows).sum(axis=0) / np.maximum(1, told.sum(axis=0))
    return np.where(gap, np.resize(mean, len(values)), values)


def visits_of(site: Site, history: History) -> list[Visit]:
    """The cars that were at home, from their sessions, an open one up to now; two at one charger never overlap."""
    origin, chargers, found = history.start.timestamp(), {d.id for d in site.of_role(Role.EV_CHARGER)}, list[Visit]()
    last: dict[str, int] = {}
    for session in sorted(history.sessions, key=lambda session: session.start):
        if session.charger not in chargers or session.energy_wh <= 0:
            continue
        first = max(last.get(session.charger, 0), int((session.start.timestamp() - origin) // STEP_S))
        ended = session.end or _next_start(history, session)
        end = min(history.count, math.ceil((ended.timestamp() - origin) / STEP_S))
        if end > first:
            found.append(Visit(session.charger, first, end, session.energy_wh))
            last[session.charger] = end
    return found


def _next_start(history: History, session: EvSession) -> datetime:
    """When the next car came to the same charger; the end of the history where none did."""
    later = (s.start for s in history.sessions if s.charger == session.charger and s.start > session.start)
    return min(later, default=history.end)


def daily_visits(record: Record, charger: Device, site: Site, kwh: float, leaves_h: int, back_h: int) -> list[Visit]:
    """A car that is away by day and comes home every evening for so much energy."""
    local = [record.at(index).astimezone(site.timezone) for index in range(record.count)]
    backs = [i for i, at in enumerate(local) if at.hour == back_h and at.minute == 0]
    goes = [i for i, at in enumerate(local) if at.hour == leaves_h and at.minute == 0]
    pairs = ((back, next((go for go in goes if go > back), None)) for back in backs)
    return [Visit(charger.id, back, go, kwh * 1000) for back, go in pairs if go is not None]


def _outdoor(site: Site, history: History) -> Array:
    """Air outside, degC: measured, or a mild climate's."""
    at = history.start.timestamp() + np.arange(history.count) * STEP_S
    hours = (at // 3600).astype(int)
    measured = np.array([history.outdoor_c.get(hour, np.nan) for hour in hours.tolist()])
    if (~np.isnan(measured)).mean() > 1 - MOST_MISSING:
        return _filled(measured)
    year, day = 2 * np.pi * (at / 86400 / 365.25), 2 * np.pi * ((at / 3600 + site.longitude / 15 - 15) / 24)
    season = -SEASON_K * np.cos(year - 0.26) * (1 if site.latitude >= 0 else -1)
    return np.asarray(MEAN_C + season + DAY_K * np.cos(day))


def with_panels(record: Record, site: Site, kwp: float) -> tuple[Record, str]:
    """The record with so many kWp more, and on what their production rests."""
    at = record.start.timestamp() + (np.arange(record.count) + 0.5) * STEP_S
    sky = clear_sky_w_m2(at, site.latitude, site.longitude)
    clear, words = _clearness(record, sky), "The added panels follow the sun that your own panels saw."
    if clear is None:
        clear = np.full(record.count, TYPICAL_CLEARNESS)
        words = f"The added panels get {100 * TYPICAL_CLEARNESS:.0f} % of a clear sky: nothing measured the sun here."
    return replace(record, solar_w=record.solar_w - kwp * PV_PERFORMANCE * sky * clear), words


def _clearness(record: Record, sky: Array) -> Array | None:
    """The sun as a share of a clear sky, by what the home's own panels made against their best at that hour."""
    made = np.maximum(0.0, -record.solar_w)
    if made.max(initial=0.0) < 100:
        return None
    ratio = np.where(sky > 40, made / np.maximum(sky, 1.0), np.nan)
    slots = np.arange(record.count) % DAY
    best = np.full(DAY, np.nan)
    for slot in range(DAY):
        told = ratio[slots == slot]
        told = told[~np.isnan(told)]
        best[slot] = np.quantile(told, 0.95) if len(told) else np.nan
    share = ratio / np.where(best > 0, best, np.nan)[slots]
    return np.clip(np.nan_to_num(share), 0.0, 1.2)
