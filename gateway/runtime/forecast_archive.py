"""Keeps what is forecast of each local day at its midnight, and says later how well it held."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from gateway.core.learning.accuracy import day_accuracy
from gateway.core.learning.blocks import Array
from gateway.core.learning.quarters import powers
from gateway.core.metering.resample import local_day
from gateway.model.foretold import LOAD, SOLAR, DayAccuracy, ForetoldDay
from gateway.model.plan import Forecast
from gateway.model.reading import INTERVAL_S
from gateway.model.site import Site
from gateway.ports import FactStore, IntervalStore

KEPT_DAYS = 400
"""One document a day and forecast in so many places that are used again: some 1 kB each."""
KEY = "foretold/"
AT_MIDNIGHT = timedelta(minutes=30)
"""A forecast made later than this has seen too much of the day to be one of the day."""
SERIES = {LOAD: "house", SOLAR: "solar"}
STEP = timedelta(seconds=INTERVAL_S)
WEEK = timedelta(days=7)


class ForetoldStore(FactStore, IntervalStore, Protocol):
    """Small documents, and what was measured."""


@dataclass(slots=True)
class ForecastArchive:
    """The forecasts of load and sun by local day."""

    site: Site
    store: ForetoldStore

    async def keep(self, forecast: Forecast, now: datetime) -> bool:
        """Keep the running local day's forecast if it has just begun and is not kept; whether it was kept now."""
        day = now.astimezone(self.site.timezone).date()
        start, end = local_day(day, self.site.timezone)
        if forecast.start - start > AT_MIDNIGHT or forecast.end < end or not forecast.low:
            return False
        if await self.day(day, forecast.name) is not None:
            return False
        missed, count = int((forecast.start - start) / STEP), int((end - forecast.start) / STEP)
        told = [_of_day(values, missed, count) for values in (forecast.mean, forecast.low, forecast.high)]
        document = {"day": day.isoformat(), "rows": _packed(told)}
        await self.store.put(_key(day, forecast.name), document, later=True)
        return True

    async def day(self, day: date, name: str = LOAD) -> ForetoldDay | None:
        """What was told of one day; None where it was not kept."""
        document = await self.store.get(_key(day, name))
        if document is None or document.get("day") != day.isoformat():
            return None
        mean, low, high = (tuple(map(float, row)) for row in _unpacked(document))
        return ForetoldDay(day, name, local_day(day, self.site.timezone)[0], mean, low, high)

    async def beside(self, day: date, name: str = LOAD) -> tuple[ForetoldDay, tuple[float, ...]] | None:
        """What was told of one day and what came of it, W by quarter hour, NaN where not measured; None where not kept."""
        told = await self.day(day, name)
        if told is None:
            return None
        return told, tuple((await self._measured(told, told.start)).tolist())

    async def accuracy(self, first: date, last: date, name: str = LOAD) -> list[DayAccuracy]:
        """How well each kept and measured day from `first` to `last` was foretold, oldest first."""
        found = []
        for number in range((last - first).days + 1):
            told = await self.day(first + timedelta(days=number), name)
            judged = await self._judge(told) if told else None
            found += [judged] if judged else []
        return found

    async def _judge(self, told: ForetoldDay) -> DayAccuracy | None:
        came, before = [await self._measured(told, at) for at in (told.start, told.start - WEEK)]
        return day_accuracy(told, came, before)

    async def _measured(self, told: ForetoldDay, at: datetime) -> Array:
        count = len(told.mean)
        return powers(await self.store.intervals(SERIES[told.name], at, at + count * STEP), at, count)


def _of_day(values: Sequence[float], missed: int, count: int) -> list[int]:
    """Whole watts of the day; the quarter hours before the forecast as its first."""
    return [round(value) for value in (*[values[0]] * missed, *values[:count])]


def _key(day: date, name: str) -> str:
    return f"{KEY}{name}/{day.toordinal() % KEPT_DAYS:03}"


def _packed(rows: Sequence[Sequence[int]]) -> str:
    return b64encode(zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 9)).decode()


def _unpacked(document: Mapping[str, Any]) -> list[list[int]]:
    rows: list[list[int]] = json.loads(zlib.decompress(b64decode(document["rows"])))
    return rows
