"""What the utility allows at the connection: capacity limits, and what was subscribed and granted.

    IMPORT_CAPACITY_LIMIT          |====== 4 kW ======|                    at most 4 kW at the meter
    IMPORT_CAPACITY_SUBSCRIPTION   |-------- 3 kW -------------------|
    IMPORT_CAPACITY_RESERVATION              |-- 2 kW --|                  granted on top (User Guide 8.10.2)
    at most                        |== 3 kW =|== 5 kW ==|== 3 kW ====|

Interpretations: a reservation without a subscription of the same program says nothing about the base, so it limits
nothing; several reservations at once add up; subscriptions of two programs hold both, and the lower one bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from gateway.core.demand_response.device_limits import named
from gateway.core.demand_response.kinds import CAPACITY, watts_of
from gateway.core.demand_response.overlap import Held
from gateway.core.demand_response.words import limit_of
from gateway.model.authority import Authority
from gateway.model.dr import Signal
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import Device, Role, Site


def capacity_limits(signals: Sequence[Signal], site: Site, now: datetime) -> Iterator[Limit]:
    """The limits of the whole site, or of the devices that a target names, W magnitudes."""
    for signal in signals:
        watts = _watts(signal)
        if signal.kind not in CAPACITY or watts is None:
            continue
        held = Held(signal.start, signal.end, signal)
        # What a device cannot be held to is held at the meter: a limit is never left out.
        loads = [one for one in site.devices if one.id in named(signal, site) and _holds(signal, one)]
        for load in loads:
            words = f"The utility limits {load.name} to {watts / 1000:g} kW"
            yield limit_of(LimitKind.DEVICE_POWER, watts, held, load.id, words, site, now)
        if not loads:
            words = f"The utility limits what you {_verb(signal)} to {watts / 1000:g} kW"
            yield limit_of(_kind(signal), watts, held, "", words, site, now)
    for way in ("IMPORT", "EXPORT"):
        granted = [s for s in signals if s.kind == f"{way}_CAPACITY_RESERVATION" and _watts(s) is not None]
        for base in (s for s in signals if s.kind == f"{way}_CAPACITY_SUBSCRIPTION"):
            yield from _subscribed(base, [s for s in granted if s.program == base.program], site, now)


def _subscribed(base: Signal, granted: Sequence[Signal], site: Site, now: datetime) -> Iterator[Limit]:
    base_w = _watts(base)
    if base_w is None:
        return
    edges = {base.start} | {
        edge for s in granted for edge in (s.start, s.end) if edge is not None and _within(edge, base)
    }
    ordered = sorted(edges)
    for index, start in enumerate(ordered):
        end = ordered[index + 1] if index + 1 < len(ordered) else base.end
        more = sum(_watts(s) or 0.0 for s in granted if s.start <= start and (s.end is None or start < s.end))
        words = f"Your contract allows you to {_verb(base)} {(base_w + more) / 1000:g} kW"
        if more:
            words += f" ({base_w / 1000:g} kW subscribed, {more / 1000:g} kW granted on top)"
        limit = limit_of(_kind(base), base_w + more, Held(start, end, base), "", words, site, now)
        yield _binding(limit)


def _holds(signal: Signal, device: Device) -> bool:
    """Whether the device can be held to any power: a charger can; what only runs or rests is held at the meter."""
    return signal.kind.startswith("IMPORT") and device.role is Role.EV_CHARGER


def _within(edge: datetime, base: Signal) -> bool:
    return edge > base.start and (base.end is None or edge < base.end)


def _binding(limit: Limit) -> Limit:
    """What was contracted binds, joined or not."""
    bound = Authority.BINDING_LIMIT
    return Limit(limit.kind, limit.value, limit.start, limit.end, bound, limit.source, limit.reason)


def _kind(signal: Signal) -> LimitKind:
    return LimitKind.SITE_IMPORT if signal.kind.startswith("IMPORT") else LimitKind.SITE_EXPORT


def _verb(signal: Signal) -> str:
    return "draw" if signal.kind.startswith("IMPORT") else "feed in"


def _watts(signal: Signal) -> float | None:
    watts = watts_of(signal.values, signal.unit or "KW")
    return watts if watts is not None and watts >= 0 else None
