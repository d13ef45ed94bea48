"""Sources for people: what each told last, what is missing, and what counts instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.series import Point, SeriesKind
from gateway.model.site import Site
from gateway.runtime.series import told_without_gap, with_yesterday

NAMES = {
    SeriesKind.SPOT: "Prices",
    SeriesKind.CARBON: "The carbon intensity of the grid",
    SeriesKind.TEMPERATURE: "The outdoor temperature",
    SeriesKind.IRRADIANCE: "The irradiance",
    SeriesKind.CLOUD: "The cloud cover",
}
REPEATED = (SeriesKind.CARBON, SeriesKind.TEMPERATURE)
"""Kinds whose yesterday is a fair guess of what nobody tells."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source for people: when it last told, up to when its values reach without a gap, and what is wrong."""

    name: str
    title: str
    kinds: tuple[SeriesKind, ...]
    fetched_at: datetime | None
    age_s: float | None
    until: datetime | None
    error: str
    dropped: int
    standing_in: str
    """In words, what counts instead; empty while the source itself counts."""
    dropped_why: str = ""
    """The first of the dropped rows, in words."""


def missing_words(site: Site, kind: SeriesKind, points: Sequence[Point], wanted: datetime, now: datetime) -> str:
    """What of one kind is missing and what counts instead; empty where it is told up to `wanted` without a gap."""
    until = told_without_gap(points, now)
    if until is not None and until >= wanted:
        return ""
    zone, name, verb = site.timezone, NAMES[kind], "are" if kind is SeriesKind.SPOT else "is"
    instead = _instead(site, kind, points, now)
    if until is not None:
        return f"{name} of tomorrow {verb} not told yet. {instead} from {_when(until, zone)}."
    ended = max((point.end for point in points if point.end <= now), default=None)
    since = f" since {_when(ended, zone)}" if ended is not None else ""
    return f"{name} {verb} missing{since}. {instead}."


def past_words(site: Site, past: Mapping[SeriesKind, tuple[datetime, datetime]], now: datetime) -> str:
    """That an answer tells nothing of these days, by its first kind that does not; `past` from when to when it tells."""
    for kind, (start, end) in past.items():
        name, zone = NAMES[kind], site.timezone
        if end <= now:
            return f"{name}: tells nothing of now; its last value ended {end.astimezone(zone):%d %b %Y %H:%M}"
        return f"{name}: tells nothing of now; its first value begins {start.astimezone(zone):%d %b %Y %H:%M}"
    return ""


def _when(when: datetime, zone: ZoneInfo) -> str:
    """Always with its weekday: the words of a notification must not change at midnight by themselves."""
    return f"{when.astimezone(zone):%a %H:%M}"


def _instead(site: Site, kind: SeriesKind, points: Sequence[Point], now: datetime) -> str:
    """What counts where nobody tells, as a sentence without its full stop."""
    if kind is SeriesKind.SPOT:
        return "The plan counts with the tariff's typical price"
    if kind not in REPEATED:
        return "The sun is forecast from the clear sky and the home's own days"
    filled = with_yesterday(points, now, now + timedelta(hours=1))
    if any(point.start <= now < point.end for point in filled):
        return "Yesterday's same hours stand in"
    if kind is SeriesKind.CARBON:
        return f"The site's own figure stands in ({site.co2_g_per_kwh:g} g/kWh)"
    return "The home's own last day stands in"
