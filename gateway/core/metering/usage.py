"""Validation of whole intervals: more than the connection can carry, nothing for a day, energy the wrong way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gateway.core.metering.plausible import TAKERS
from gateway.core.metering.vee import Doubt
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality, Rule
from gateway.model.site import BatterySpec, ChargerSpec, Device, HeatPumpSpec, Role, Site, WaterHeaterSpec

OVER_FUSE = 1.2
"""A fuse carries so much over its rating for a while."""
OVER_SPEC = 3.0
"""A device may draw so many times what its entry in the site file says: entries are often understated."""
REVERSE_WH = 40.0
NOTHING_S = 86_400


def connection_w(site: Site) -> float:
    """The most the home's connection carries for long, W."""
    return site.main_fuse_a * site.nominal_voltage_v * site.phases * OVER_FUSE


def possible_w(site: Site, device: Device) -> float:
    """The most a device can move for a quarter of an hour, W."""
    whole = connection_w(site)
    if device.role is Role.MAIN_METER:
        return whole
    rated = _rated_w(site, device)
    return OVER_SPEC * (whole if rated is None else min(whole, rated))


def _rated_w(site: Site, device: Device) -> float | None:
    spec = device.spec
    if isinstance(spec, WaterHeaterSpec):
        return spec.power_w
    if isinstance(spec, HeatPumpSpec):
        return spec.max_power_w
    if isinstance(spec, ChargerSpec):
        return spec.max_current_a * site.nominal_voltage_v * len(spec.phases)
    if isinstance(spec, BatterySpec) and device.role is Role.BATTERY:
        return max(spec.max_charge_w, spec.max_discharge_w)
    return None


@dataclass(slots=True)
class UsageRules:
    """The rules for intervals of one home; how long a main meter has told of nothing is remembered."""

    site: Site
    _nothing_s: dict[str, int] = field(default_factory=dict)

    def judge(self, interval: Interval) -> tuple[Interval, Doubt | None]:
        """The interval, marked as an estimate with the words in its method where a rule speaks, and the rule."""
        device = self.site.device(interval.device.partition("/")[0])
        if device is None or interval.net_wh is None:
            return interval, None
        doubt = _high(interval, self.site, device) or _reverse(interval, device) or self._low(interval, device)
        if doubt is None or interval.quality is not IntervalQuality.VALID:
            return interval, doubt
        method = f"{interval.method}, {doubt[1]}"
        return replace(interval, quality=IntervalQuality.ESTIMATED, method=method), doubt

    def _low(self, interval: Interval, device: Device) -> Doubt | None:
        if device.role is not Role.MAIN_METER:
            return None
        if any(_amounts(interval)):
            self._nothing_s[device.id] = 0
            return None
        nothing = self._nothing_s[device.id] = self._nothing_s.get(device.id, 0) + interval.duration_s
        return (Rule.LOW_USAGE, f"nothing used for {nothing / 3600:.0f} h") if nothing >= NOTHING_S else None


def _high(interval: Interval, site: Site, device: Device) -> Doubt | None:
    most = possible_w(site, device) * interval.duration_s / 3600
    if max(_amounts(interval)) <= most:
        return None
    return Rule.HIGH_USAGE, f"more than the {most:.0f} Wh it can move in {INTERVAL_S // 60} min"


def _reverse(interval: Interval, device: Device) -> Doubt | None:
    if device.role is Role.PV and (interval.import_wh or 0.0) > 4 * REVERSE_WH:
        return Rule.REVERSE, f"panels took {interval.import_wh:.0f} Wh"
    if device.role in TAKERS and (interval.export_wh or 0.0) > REVERSE_WH:
        return Rule.REVERSE, f"gave {interval.export_wh:.0f} Wh, which it cannot"
    return None


def _amounts(interval: Interval) -> Iterable[float]:
    return [interval.import_wh or 0.0, interval.export_wh or 0.0]
