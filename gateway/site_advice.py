"""What `hearth check` finds in a sound site file together with its tariff: it runs, but not as it was meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapters.sources.settings import PricesSettings, SourceSettings
from gateway.config import DeviceEntry, SiteFile
from gateway.core.tariff.oddities import oddities
from gateway.model.errors import Finding
from gateway.model.site import ApplianceSpec, HeatPumpSpec, PoolPumpSpec, Site, WaterHeaterSpec
from gateway.model.tariff import Tariff


def advice(site_file: SiteFile, tariff: Tariff, tariffs: Path) -> list[Finding]:
    """Warnings; `tariffs` is the folder of the tariff's file, as people write it."""
    found = [*_sources(site_file, tariff), *(f for entry in site_file.devices for f in _device(entry, site_file))]
    odd = (
        Finding(f"{tariffs / each.id}.yaml: {f.where}", f.what, f.remedy, severity="warning")
        for each in tariff.versions
        for f in oddities(each)
    )
    return [*found, *odd]


def _sources(site_file: SiteFile, tariff: Tariff) -> Iterator[Finding]:
    for name, settings in site_file.connections.items():
        where = f"{site_file.path}: connections.{name}"
        if not isinstance(settings, SourceSettings):
            continue
        if settings.file and not (site_file.path.parent / settings.file).is_file():
            what = f"there is no file {site_file.path.parent / settings.file} now"
            yield Finding(f"{where}.file", what, "Correct its name, or put the file there.", severity="warning")
        if isinstance(settings, PricesSettings) and not tariff.needs_spot:
            what = f"no rate of the tariff {tariff.id} follows the spot price, so these prices change nothing"
            remedy = "Give a rate spot_factor (and spot_typical), choose another tariff, or remove the connection."
            yield Finding(where, what, remedy, severity="warning")


def _device(entry: DeviceEntry, site_file: SiteFile) -> Iterator[Finding]:
    spec, where = entry.device.spec, f"{site_file.path}:{entry.line}: devices.{entry.device.id}"
    if isinstance(spec, PoolPumpSpec) and spec.min_run_h > spec.hours_per_day > 0:
        what = f"min_run_h of {spec.min_run_h:g} h is more than its {spec.hours_per_day:g} hours_per_day"
        yield Finding(f"{where}.pool_pump", what, "Lower min_run_h, or raise hours_per_day.", severity="warning")
    power_w, fuse_a = _most_w(entry), _fuse_a(entry, site_file.site)
    if power_w is not None and power_w > fuse_a * site_file.site.nominal_voltage_v:
        what = f"draws {power_w:g} W on one phase, more than its fuse of {fuse_a:g} A lets through"
        yield Finding(where, what, "Correct its power, its phase or the fuse.", severity="warning")


def _most_w(entry: DeviceEntry) -> float | None:
    """What a load that hangs on one phase draws at most, W; None for all others."""
    spec = entry.device.spec
    if isinstance(spec, WaterHeaterSpec | PoolPumpSpec):
        return spec.power_w
    if isinstance(spec, HeatPumpSpec):
        return spec.max_power_w
    return max(spec.profile_w) if isinstance(spec, ApplianceSpec) else None


def _fuse_a(entry: DeviceEntry, site: Site) -> float:
    """The smallest fuse between it and the grid on its phase, A."""
    phase: int = getattr(entry.device.spec, "phase", 1)
    fuses = [circuit.fuse_a[phase - 1] for circuit in site.above(entry.device.circuit) if circuit.fuse_a is not None]
    return min([site.main_fuse_a, *fuses])
