"""The tariff of a home: one file of config/tariffs, or several that hold one after the other."""

from __future__ import annotations

from pathlib import Path

from gateway.assembly import load_tariff
from gateway.config import SiteFile
from gateway.core.tariff.versions import joined
from gateway.model.errors import Finding, SiteFileError
from gateway.model.tariff import Tariff


def load_site_tariff(site_file: SiteFile, config: Path) -> Tariff:
    """The tariff with those that held before it, the last on its face; raises SiteFileError."""
    found = [load_tariff(path, site_file.site.currency) for path in site_file.tariff_paths(config)]
    try:
        return joined(found)
    except Finding as finding:
        where = f"{site_file.path}: site.{finding.where}"
        raise SiteFileError([Finding(where, finding.what, finding.remedy)]) from finding
