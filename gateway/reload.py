"""What a gateway runs on, read from its files; and read anew while it runs, where a broken file changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.ocpp.settings import OcppDeviceSettings
from gateway.assembly import CONFIG, KINDS, load_shapes, load_strategies
from gateway.config import SiteFile, load_site
from gateway.model.errors import Finding, SiteFileError, WishRefused
from gateway.model.tariff import Tariff
from gateway.site_tariff import load_site_tariff
from gateway.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class Basis:
    """A sound site file with its tariff."""

    site_file: SiteFile
    tariff: Tariff


def read_site(path: Path) -> SiteFile:
    """The site file; raises SiteFileError."""
    return load_site(path, KINDS, WebSettings)


def read_basis(path: Path, config: Path = CONFIG) -> Basis:
    """The site file and its tariff, its strategies read too; raises SiteFileError."""
    site_file = read_site(path)
    load_strategies(config / "dr" / f"{site_file.strategies}.yaml")
    load_shapes(site_file, config)
    return Basis(site_file, load_site_tariff(site_file, config))


def read_anew(held: SiteFile, config: Path = CONFIG) -> Basis:
    """The files as they are now, for a gateway that runs on `held`; raises SiteFileError.

    At a start a mistake in one device leaves that one out. Here it would take a running device away, with what it is
    trusted by: a file with a new mistake is not taken up at all.
    """
    basis = read_basis(held.path, config)
    known = {(each.what, each.remedy) for each in held.findings}
    new = [each for each in basis.site_file.findings if (each.what, each.remedy) not in known and _breaks(each)]
    if new:
        raise SiteFileError(new)
    return basis


def check_by_hand(held: SiteFile, entry: Mapping[str, Any], config: Path = CONFIG) -> None:
    """The file was changed by hand since it was read: whether a charger can be added to it; raises WishRefused."""
    try:
        changed = read_anew(held, config).site_file
    except SiteFileError as error:
        raise WishRefused(f"{held.path.name} was changed by hand and cannot be used: {error.findings[0]}") from error
    wanted = (entry["connection"], entry["charge_point_id"], entry.get("connector", 1))
    for each in changed.devices:
        settings = each.settings
        if isinstance(settings, OcppDeviceSettings) and wanted == (
            each.connection,
            settings.charge_point_id,
            settings.connector,
        ):
            what = f"{held.path.name} was changed by hand and has this charger already, as '{each.device.id}'"
            raise WishRefused(f"{what}. Have the gateway take the file up: systemctl reload hearth.")


def _breaks(finding: Finding) -> bool:
    return finding.severity == "error"


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
