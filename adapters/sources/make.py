"""From settings to a source; what is missing or does not fit the home is said with its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adapters.sources.answer import unit_of
from adapters.sources.file import FileSource
from adapters.sources.profile import load_source
from adapters.sources.service import HttpSource
from adapters.sources.settings import PricesSettings, SourceSettings
from adapters.sources.template import fill
from adapters.sources.wire import SourceProfile
from gateway.model.errors import Finding
from gateway.model.series import SeriesKind
from gateway.model.site import Site
from gateway.ports import Clock

Source = HttpSource | FileSource


def make_source(name: str, settings: SourceSettings, site: Site, folder: Path, beside: Path, clock: Clock) -> Source:
    """A source of this site; raises SiteFileError or Finding.

    `folder` is config/sources, `beside` the folder that relative files lie in: that of the site file.
    """
    if settings.file:
        unit = settings.unit if isinstance(settings, PricesSettings) else ""
        if unit:
            _same_currency(unit, site)
        return FileSource(name, settings, beside / settings.file, site.timezone, site.currency, clock)
    profile = load_source(settings.profile, folder)
    told = {series.kind for series in profile.series}
    if not told & set(settings.kinds):
        kinds = ", ".join(sorted(kind.value for kind in told))
        raise Finding("profile", f"{profile.service} tells {kinds} only", "Choose another kind, or another profile.")
    options = _options(settings, profile)
    for series in profile.series:
        if series.kind is SeriesKind.SPOT:
            _same_currency(fill(series.unit, options), site)
    if profile.token and not settings.token.get_secret_value():
        raise Finding("token", f"{profile.service} answers only to an account", "Add token: !secret NAME.")
    return HttpSource(name, settings, profile, options, (site.latitude, site.longitude), clock)


def _options(settings: SourceSettings, profile: SourceProfile) -> Mapping[str, str]:
    """Everything the profile asks for; raises Finding for what is missing, unknown or not to be chosen."""
    said = dict(settings.options) | ({"area": settings.area} if settings.area else {})
    for name in said.keys() - profile.options.keys():
        known = ", ".join(profile.options) or "none"
        raise Finding(name, f"{profile.service} has no such option", f"It has: {known}.")
    for name, option in profile.options.items():
        value = said.setdefault(name, option.default)
        choices = f": {', '.join(option.choices)}" if option.choices else ""
        if not value:
            raise Finding(name, f"is missing: {option.words}", f"Add it{choices}.")
        if option.choices and value not in option.choices:
            raise Finding(name, f"'{value}' is not known to {profile.service}", f"It may be{choices}.")
    return said


def _same_currency(unit: str, site: Site) -> None:
    currency, _ = unit_of(unit)
    if currency != site.currency:
        what = f"its prices are in {currency}, but the site's currency is {site.currency}"
        raise Finding("profile", what, "Choose another source, or correct site.currency.")
