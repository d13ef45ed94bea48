"""Less sun when the grid may not take it: the inverter's own limit, led by the main meter.

    feed-in  ____/~~~~\\__________/~~~~~~      above the limit: cut at once by what is too much
    limit    ---------------------------      well below it for half a minute: raised by a part
    percent  100 ~~~~\\____________/~~~~~

Battery and loads come first by themselves: what they take never reaches the meter. An inverter takes its limit in
percent of a rating it does not tell here; that is learned from what it gives under a limit, and from its best moment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.core.control.timing import ControlTiming
from gateway.model.authority import Authority
from gateway.model.quantity import Quantity
from gateway.model.setpoint import LimitKind, Setpoint, SetpointKind, slot_of
from gateway.model.site import Role, Site
from gateway.model.snapshot import Snapshot

MARGIN_W, MARGIN_SHARE = 50.0, 0.03
"""So far below the limit the feed-in is aimed."""
SLACK_W, SLACK_SHARE = 300.0, 0.1
"""Less than this below the aim changes nothing: a limit that follows every cloud wears the inverter."""
PATIENCE_S = 30.0
MOST_RAISE = 20.0
"""At most so many percent points at once."""
AT_LIMIT = 0.9
"""From this part of its limit an inverter counts as held by it."""
SETTLE_S = 4.0
"""An inverter shows a new limit after so long; before, the meter's word is of the old one."""


@dataclass(frozen=True, slots=True)
class Curtailing:
    """What is remembered of one inverter: its limit, what it seems to be rated, since when more would be free."""

    percent: float = 100.0
    rated_w: float = 0.0
    """0: not known yet."""
    changed_at: float = -math.inf
    free_since: float | None = None


@dataclass(frozen=True, slots=True)
class ExportMemory:
    """By inverter; times in monotonic home s."""

    inverters: Mapping[str, Curtailing] = field(default_factory=dict)
    over_since: float | None = None


@dataclass(frozen=True, slots=True)
class ExportLimit:
    """The most that may be fed in, W >= 0, and who says so."""

    watts: float
    authority: Authority
    reason: str
    source: str = ""


def export_limit(site: Site, snapshot: Snapshot) -> ExportLimit | None:
    """The narrowest limit in force; None when the grid takes all."""
    found = []
    if site.export_limit_w is not None:
        words = "The grid connection may take no more than its contract says."
        found.append(ExportLimit(site.export_limit_w, Authority.ELECTRICAL_SAFETY, words))
    found += [
        ExportLimit(max(0.0, limit.value), limit.authority, limit.reason, limit.source)
        for limit in snapshot.limits
        if limit.kind is LimitKind.SITE_EXPORT and limit.holds(snapshot.now)
    ]
    if (paid := _paid_to_take(snapshot)) is not None:
        found.append(paid)
    return min(found, key=lambda limit: limit.watts, default=None)


def _paid_to_take(snapshot: Snapshot) -> ExportLimit | None:
    """While feeding in costs money nothing is fed in."""
    slots = snapshot.plan.slots if snapshot.plan else ()
    slot = next((s for s in reversed(slots) if s.start <= snapshot.now), None)
    if slot is None or slot.export_price_micro_per_kwh >= 0:
        return None
    if snapshot.now >= slot.start + timedelta(seconds=slot.duration_s):
        return None
    return ExportLimit(0.0, Authority.PLAN, "Feeding in costs money now, so what nobody needs is not produced.")


def curtail(
    site: Site, snapshot: Snapshot, memory: ExportMemory, timing: ControlTiming, mono: float
) -> tuple[list[Setpoint], ExportMemory, list[tuple[str, str]]]:
    """PV_LIMIT setpoints for the inverters that can, what to remember, and alarms in words where none can."""
    limit, grid = export_limit(site, snapshot), snapshot.grid_w()
    meter = snapshot.main_meter()
    names = [d.id for d in site.of_role(Role.PV, Role.HYBRID_INVERTER) if d.id in snapshot.curtailable]
    if limit is None:
        known = {name: replace(memory.inverters[name], percent=100.0) for name in names if name in memory.inverters}
        return _lifted(snapshot, known, timing), ExportMemory(known), []
    if grid is None or meter is None or meter.age_s is None or meter.age_s > timing.raise_age_s:
        return _held(snapshot, memory.inverters, limit, timing), memory, []
    over_w = -grid - limit.watts
    over_since = (mono if memory.over_since is None else memory.over_since) if over_w > MARGIN_W else None
    if not names:
        return [], ExportMemory({}, over_since), _cannot(limit, over_since, mono)
    aim_w = limit.watts - min(limit.watts, max(MARGIN_W, MARGIN_SHARE * limit.watts))
    made_w = {name: _made_w(snapshot, name) for name in names}
    all_w = sum(made_w.values())
    known = {}
    for name in names:
        share = made_w[name] / all_w if all_w > 0 else 1 / len(names)
        known[name] = _next(memory.inverters.get(name, Curtailing()), made_w[name], share * (-grid - aim_w),
                            over=over_w > 0, slack_w=SLACK_W + SLACK_SHARE * limit.watts,
                            most_w=site.main_fuse_a * site.phases * site.nominal_voltage_v, mono=mono)  # fmt: skip
    return _held(snapshot, known, limit, timing), ExportMemory(known, over_since), []


def _made_w(snapshot: Snapshot, name: str) -> float:
    """What an inverter gives on its AC side, W >= 0: what its limit is about."""
    state = snapshot.devices.get(name)
    power = state.get(Quantity.POWER) if state is not None else None
    return max(0.0, -(power or 0.0))


def _next(
    now: Curtailing, made_w: float, excess_w: float, *, over: bool, slack_w: float, most_w: float, mono: float
) -> Curtailing:
    """One look at the meter: `excess_w` is what is fed in above the aim, W (negative: room).

    An inverter of unknown rating is taken for as large as the connection bears, `most_w`: its first cut is deep, and
    what it gives then tells its rating.
    """
    if mono - now.changed_at <= SETTLE_S:
        return now
    now = replace(now, rated_w=_rated_w(now, made_w))
    rated_w = now.rated_w or max(most_w, 1.5 * made_w)
    wanted = float(max(0, math.floor(max(0.0, made_w - excess_w) / rated_w * 100)))
    if over:
        percent = max(0.0, min(now.percent - 1, wanted, 99.0))
        return replace(now, percent=percent, changed_at=mono, free_since=None)
    # Below its limit it gives all the sun there is: a higher one would change nothing.
    holds = made_w >= AT_LIMIT * now.percent / 100 * rated_w
    if now.percent >= 100.0 or -excess_w < slack_w or not holds:
        return replace(now, free_since=None)
    since = mono if now.free_since is None else now.free_since
    if mono - since < PATIENCE_S:
        return replace(now, free_since=since)
    return replace(
        now,
        percent=min(100.0, max(now.percent + 1, wanted), now.percent + MOST_RAISE),
        changed_at=mono,
        free_since=None,
    )


def _rated_w(now: Curtailing, made_w: float) -> float:
    """What it seems to be rated, W; 0 while that is not known: it gives no more than its limit's part of it."""
    if now.percent >= 100.0 or now.percent < 1.0:
        return now.rated_w
    return max(now.rated_w, made_w / now.percent * 100)


def _held(
    snapshot: Snapshot, inverters: Mapping[str, Curtailing], limit: ExportLimit, timing: ControlTiming
) -> list[Setpoint]:
    until = snapshot.now + timedelta(seconds=timing.forced_life_s)
    return [
        Setpoint(name, SetpointKind.PV_LIMIT, each.percent, until, limit.authority, limit.reason, source=limit.source)
        for name, each in inverters.items()
        if each.percent < 100.0 or _commanded(snapshot, name)
    ]


def _lifted(snapshot: Snapshot, inverters: Mapping[str, Curtailing], timing: ControlTiming) -> list[Setpoint]:
    """The last command of a limit that is over."""
    until = snapshot.now + timedelta(seconds=timing.forced_life_s)
    words = "The grid takes all again."
    return [
        Setpoint(name, SetpointKind.PV_LIMIT, 100.0, until, Authority.DEFAULT, words)
        for name in inverters
        if _commanded(snapshot, name)
    ]


def _commanded(snapshot: Snapshot, name: str) -> bool:
    held = snapshot.commanded.get(slot_of(name, SetpointKind.PV_LIMIT))
    return held is not None and held.value < 100.0


def _cannot(limit: ExportLimit, over_since: float | None, mono: float) -> list[tuple[str, str]]:
    if over_since is None or mono - over_since < PATIENCE_S or limit.authority is Authority.PLAN:
        return []
    words = (
        f"More is fed in than the {limit.watts / 1000:.1f} kW allowed, and no inverter here takes a limit: "
        "only battery and loads can take the rest. Set the limit in the inverter itself."
    )
    return [("export", words)]
