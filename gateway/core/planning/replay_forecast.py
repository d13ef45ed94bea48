"""The forecasts of a replay: the home's own, made of the record up to now, or the record's own future.

A replay asks for them thousands of times: the record lies in arrays by the local clock once, where the product reads
intervals from its store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gateway.core.learning.blocks import MAX_BLOCKS, SLOTS, Blocks
from gateway.core.learning.forecast import forecast_blocks, targets_of
from gateway.core.learning.sun import RECENT, forecast_made
from gateway.core.planning.twin import DAY, STEP_S, Array, Record
from gateway.model.plan import Forecast
from gateway.model.site import Site

SUN_BLOCKS = RECENT + 7


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a plan is made of at one quarter hour."""

    load: Forecast
    solar: Forecast
    outdoor: Forecast


class Forecaster:
    """Forecasts from the record of a home; with `knows` it tells the record's own future."""

    def __init__(self, record: Record, site: Site, *, hours: int, knows: bool = False) -> None:
        self._record, self._site, self._count, self._knows = record, site, hours * 4, knows
        seconds: Array = record.start.timestamp() + np.arange(record.count, dtype=np.float64) * STEP_S
        local = seconds + _offsets(seconds, site.timezone)
        self._local = ((local - local[0]) // STEP_S).astype(np.intp)
        self._first_s = float(local[0])
        house, solar = (np.where(record.known, v, np.nan) for v in (record.house_w, record.solar_w))
        # An hour that comes twice holds its second value, one that is skipped is not known.
        self._house = np.full(int(self._local.max()) + 1, np.nan)
        self._house[self._local] = house
        self._made = np.maximum(0.0, -solar)

    def at(self, index: int) -> Foreseen:
        """What is foreseen at the start of a quarter hour."""
        if self._knows:
            return self._truth(index)
        outdoor = self._record.outdoor_c
        past = outdoor[max(0, index - DAY) : index] if index else outdoor[:1]
        again = np.resize(past, self._count)
        return Foreseen(self._load(index), self._solar(index), self._forecast("outdoor", index, again))

    def _load(self, index: int) -> Forecast:
        here = int(self._local[index])
        power = _blocks(self._house[max(0, here - MAX_BLOCKS * SLOTS) : here], MAX_BLOCKS)
        known = ~np.isnan(power).all(axis=1)
        first = int(np.argmax(known)) if known.any() else MAX_BLOCKS
        targets = targets_of(self._count)
        at = self._first_s + here * STEP_S + np.arange((first - MAX_BLOCKS) * SLOTS, targets * SLOTS) * STEP_S
        # 1970-01-01 was a Thursday; these are local seconds.
        weekend = ((at // 86400 + 3) % 7 >= 5).reshape(-1, SLOTS)
        blocks = Blocks(self._record.at(index), power[first:], weekend)
        return forecast_blocks(blocks, self._site.timezone, self._count)

    def _solar(self, index: int) -> Forecast:
        made = _blocks(self._made[max(0, index - SUN_BLOCKS * SLOTS) : index], SUN_BLOCKS)
        return forecast_made(made, self._record.at(index), self._site.latitude, self._site.longitude, self._count)

    def _truth(self, index: int) -> Foreseen:
        record, ahead = self._record, slice(index, index + self._count)
        series = {"load": record.house_w, "solar": record.solar_w, "outdoor": record.outdoor_c}
        made = {name: self._forecast(name, index, values[ahead]) for name, values in series.items()}
        return Foreseen(made["load"], made["solar"], made["outdoor"])

    def _forecast(self, name: str, index: int, values: Array) -> Forecast:
        return Forecast(name, self._record.at(index), STEP_S, tuple(values.tolist()))


def _blocks(past: Array, blocks: int) -> Array:
    """The past as rows of a day that end now; what was before the record is not known."""
    rows = np.full(blocks * SLOTS, np.nan)
    if len(past):
        rows[-len(past) :] = past
    return rows.reshape(blocks, SLOTS)


def _offsets(seconds: Array, zone: ZoneInfo) -> Array:
    """The zone's offset from UTC, s, at each time; looked up once an hour."""
    hours, back = np.unique(seconds // 3600, return_inverse=True)
    found = [
        (datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone).utcoffset() or timedelta()) / timedelta(seconds=1)
        for hour in hours.tolist()
    ]
    return np.array(found)[back]
