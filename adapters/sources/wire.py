"""The tables of a file in config/sources: how one service is asked and where its answer holds what."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from adapters.profiles.shape import Scale, SourceWire, Wire, Words
from adapters.profiles.words import mistake
from gateway.model.series import SeriesKind

PRICE_UNIT = re.compile(r"(?P<currency>[A-Z]{3}|\{currency\})/(?P<per>kWh|MWh)")
UNITS = {
    SeriesKind.CARBON: {"g/kWh": 1.0, "kg/MWh": 1.0},
    SeriesKind.TEMPERATURE: {"degC": 1.0},
    SeriesKind.IRRADIANCE: {"W/m2": 1.0},
    SeriesKind.CLOUD: {"%": 1.0},
}
"""Unit -> its factor to the kind's own unit; prices are counted in `PRICE_UNIT`."""
FREE = frozenset({"start", "end", "start_s", "end_s", "start_ms", "end_ms", "day", "latitude", "longitude", "token"})
"""Placeholders that need no option."""
_PLACE = re.compile(r"\{(\w+)(?::[^{}]*)?\}")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise mistake(f"unknown time zone '{name}'", "Use an IANA name such as Europe/Berlin.") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]
Path = Annotated[str, Field(max_length=200, pattern=r"^[^\s.]+(\.[^\s.]+)*$")]


class OptionWire(Wire):
    """Something the owner must say, e.g. the price area."""

    words: Words = Field(description="What it is, for a person.")
    default: str = Field("", description="Taken where nothing is said; empty: it must be said.")
    choices: list[str] = Field([], description="What it may be; empty: anything.")


class RequestWire(Wire):
    """The question; {start}, {end} (with a strftime format, in UTC), {start_s}, {start_ms}, {day} and options."""

    url: str = Field(pattern=r"^https?://", description="Address with placeholders.")
    headers: dict[str, str] = Field({}, description="Headers with placeholders.")
    body: dict[str, Any] | None = Field(None, description="JSON sent by POST, with placeholders in its texts.")
    absent: list[int] = Field([], description="Answers by which the service says that it does not know yet.")


class AnswerWire(Wire):
    """Where the rows stand, and their times. Either `rows` (lists of objects) or `columns` (an object of lists)."""

    rows: list[Path] = Field([], description="Paths of the lists; '.' alone is not needed: see `bare`.")
    bare: bool = Field(False, description="The answer itself is the list of rows.")
    columns: Path | Literal[""] | None = Field(
        None, description="Path of the object of lists; empty: the answer itself."
    )
    start: Path = Field(description="Where a row tells its time.")
    end: Path | None = Field(None, description="Where it tells its end; default: by `step_s`, or the next row.")
    times: Literal["unix_s", "unix_ms", "iso"] = Field(description="How times are written.")
    zone: Zone = Field("UTC", description="Zone of times that name none.")
    step_s: float | None = Field(None, gt=0, le=86400, description="Length of every row, s.")
    longest_s: float = Field(
        3600, gt=0, le=86400, description="A row without an end lasts to the next, at most this, s."
    )
    last_lasts_s: float | None = Field(None, gt=0, le=86400, description="How long the newest value of all stands, s.")
    only: dict[Path, str] = Field({}, description="Rows where these fields are otherwise are somebody else's.")
    expect: dict[Path, str] = Field(
        {}, description="What the answer must say of itself (unit, currency), else it is refused."
    )

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if sum((bool(self.rows), self.bare, self.columns is not None)) != 1:
            raise mistake("the rows stand nowhere, or in two ways", "Say one of rows, bare, columns.")
        return self


class SeriesWire(Wire):
    """One kind of value in each row."""

    kind: SeriesKind = Field(description="What it is.")
    value: Path | list[Path] = Field(description="Where it stands; of several the first that is not null.")
    unit: str = Field(description="EUR/MWh (any currency, kWh or MWh), g/kWh, degC, W/m2, %.")
    scale: Scale = Field(1.0, description="Factor to that unit, e.g. 0.01 for cents.")
    stamp: Literal["start", "end"] = Field(
        "start", description="'end': the value holds over the `step_s` before the time."
    )

    @model_validator(mode="after")
    def _unit_fits(self) -> Self:
        fits = PRICE_UNIT.fullmatch(self.unit) if self.kind is SeriesKind.SPOT else self.unit in UNITS[self.kind]
        if not fits:
            known = "EUR/MWh, SEK/kWh" if self.kind is SeriesKind.SPOT else ", ".join(UNITS[self.kind])
            raise mistake(f"'{self.unit}' is no unit of {self.kind.value}", f"Write one like {known}.")
        return self

    @property
    def values(self) -> list[str]:
        """The paths, in the order they are tried."""
        return [self.value] if isinstance(self.value, str) else self.value


class PublishedWire(Wire):
    """When the values of the local day to come are told."""

    at: time = Field(description="Local time of day.")
    grace_s: float = Field(7200, ge=0, le=36000, description="So much later nobody worries yet, s.")


class SourceProfile(Wire):
    """One service."""

    service: Words = Field(description="Its name.")
    source: SourceWire = Field(description="Where this table comes from.")
    verified: Literal[False] | Words = Field(description="Against which real answers; false: none was seen.")
    terms: str = Field("", description="What the service asks of its users.")
    zone: Zone = Field("UTC", description="Zone of the service's days and of `published`.")
    request: RequestWire
    per_day: bool = Field(False, description="One question for each local day, {day}.")
    answer: AnswerWire
    series: list[SeriesWire] = Field(min_length=1)
    options: dict[str, OptionWire] = Field({}, description="What the owner says; `area` first of all.")
    token: bool = Field(False, description="Whether an account's key is needed.")
    every_s: float = Field(3600, ge=60, le=86400, description="How often to ask, s.")
    published: PublishedWire | None = Field(None, description="When tomorrow is told; default: it comes as it comes.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for series in self.series:
            if series.stamp == "end" and self.answer.step_s is None:
                raise mistake("a time at the end of a row needs the row's length", "Add answer.step_s.")
        paths = [*self.answer.rows, self.answer.start, *(path for s in self.series for path in s.values)]
        texts = [self.request.url, *self.request.headers.values(), *self.answer.expect.values(), *paths]
        texts += [*self.answer.only.values(), *(s.unit for s in self.series)]
        for name in {name for text in texts for name in _PLACE.findall(text)} - FREE:
            if name not in self.options:
                raise mistake(f"nobody says what {{{name}}} is", "Name it under options, or remove it.")
        return self
