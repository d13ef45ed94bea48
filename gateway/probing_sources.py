"""What `hearth probe source` does: ask each source of a site file once, and tell what came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from adapters.sources.make import Source, make_source
from adapters.sources.settings import SourceSettings
from gateway.config import SiteFile
from gateway.model.errors import Finding, ServerError, SiteFileError
from gateway.model.series import Series, SeriesKind
from gateway.model.site import Site
from gateway.ports import Clock

SHOWN = {
    SeriesKind.CARBON: ("carbon intensity", "g/kWh"),
    SeriesKind.TEMPERATURE: ("temperature", "°C"),
    SeriesKind.IRRADIANCE: ("irradiance", "W/m²"),
    SeriesKind.CLOUD: ("clouds", "%"),
}


async def probe_sources(site_file: SiteFile, folder: Path, clock: Clock, only: str = "") -> AsyncIterator[str]:
    """Lines about every source of the site file (or one of them); `folder` is config/sources. Raises no HearthError."""
    known = {n: s for n, s in site_file.connections.items() if isinstance(s, SourceSettings) and only in ("", n)}
    if not known:
        yield f"{site_file.path} has no source{f' named {only}' if only else ''}: see docs/how-to/prices-and-weather.md"
    for name, settings in known.items():
        try:
            source = make_source(name, settings, site_file.site, folder, site_file.path.parent, clock)
        except (SiteFileError, Finding) as error:
            yield f"{name}: {error}"
            continue
        for line in await asked(source, site_file.site, clock.now()):
            yield line


async def asked(source: Source, site: Site, now: datetime) -> list[str]:
    """Ask one source once; what it told, or why not, in words."""
    try:
        told = await source.fetch(now - timedelta(days=1), now + timedelta(days=3))
    except ServerError as error:
        return [str(error)]
    finally:
        await source.close()
    dropped = (
        [f"{source.name}: {source.dropped} values could not be read: {source.dropped_why}"] if source.dropped else []
    )
    return [f"{source.name} ({source.title}): {_words(series, site, now)}" for series in told] + dropped


def _words(series: Series, site: Site, now: datetime) -> str:
    price = series.kind is SeriesKind.SPOT
    name, unit = ("prices", f"{series.currency}/kWh") if price else SHOWN[series.kind]
    value = series.at(now)
    here = f"now {value / 1e6 if price else value:.{4 if price else 1}f} {unit}" if value is not None else "nothing now"
    first, last = (at.astimezone(site.timezone) for at in (series.points[0].start, series.points[-1].end))
    return f"{name}, {_count(series)} from {first:%a %H:%M} to {last:%a %H:%M}, {here}"


def _count(series: Series) -> str:
    return f"{len(series.points)} value{'' if len(series.points) == 1 else 's'}"
