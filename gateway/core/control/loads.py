"""Dispatch for relays before a pool pump or an appliance: 1 lets it run, 0 does not."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.core.control.wish import Wish
from gateway.model.authority import Authority
from gateway.model.loads import ApplianceRun, RunPhase, duration, next_window
from gateway.model.plan import IntentKind
from gateway.model.setpoint import Limit, LimitKind
from gateway.model.site import ApplianceSpec, Device, PoolPumpSpec, Site
from gateway.model.snapshot import Snapshot

BY_HAND = timedelta(hours=24)
"""An appliance that nobody asked to run keeps its power for so long even without us."""
AFTER_END = timedelta(hours=1)
"""And one that runs for so long after it should be done: a dead gateway must not cut it off in the middle."""
LAST_MOMENT_S = 60.0


def relay_wish(site: Site, snapshot: Snapshot, device: Device) -> Wish:
    """The relay of a pool pump or an appliance as a Wish of 1 (closed) or 0 (open)."""
    if isinstance(device.spec, PoolPumpSpec):
        return _pump_wish(site, snapshot, device, device.spec)
    if isinstance(device.spec, ApplianceSpec):
        return _appliance_wish(snapshot, device, device.spec)
    return Wish(0.0, Authority.DEFAULT, "The site file does not say what it does.")


def relay_until(snapshot: Snapshot, device: Device, until: datetime) -> datetime:
    """When a command to such a relay ends by itself: `until`, but never in the middle of an appliance's run."""
    if not isinstance(device.spec, ApplianceSpec):
        return until
    run = snapshot.loads.run(device.id)
    if run is None:
        return snapshot.now + BY_HAND
    if run.phase is RunPhase.WAITING:
        # It may start at this very tick.
        return until if _waits(snapshot, device, device.spec, run).value == 0 else snapshot.now + BY_HAND
    return max(until, (run.ends_at or snapshot.now) + AFTER_END)


def _pump_wish(site: Site, snapshot: Snapshot, device: Device, spec: PoolPumpSpec) -> Wish:
    """Plan (7), a joined event (6), the last moment for the day's hours (5), an override (4), a binding limit (2)."""
    start, end = next_window(spec, site.timezone, snapshot.now)
    left_s = spec.hours_per_day * 3600 - snapshot.loads.ran_s.get(device.id, 0.0)
    inside = start <= snapshot.now < end
    wish = _kept(_pump_plan(snapshot, device, inside=inside, left_s=left_s), snapshot, device, spec)
    for limit in _limits(snapshot, device, spec.power_w, joined=True):
        wish = wish.limited(0.0, limit.authority, limit.reason, limit.source)
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    # A plan that lets it rest in the last moment knows of a limit that it would break.
    wanted = inside and left_s > 0 and (block is None or block.kind is IntentKind.RUN)
    if wanted and (end - snapshot.now).total_seconds() <= left_s + LAST_MOMENT_S:
        words = f"It must run now to have its {spec.hours_per_day:g} hours by {end.astimezone(site.timezone):%H:%M}."
        wish = wish.raised(1.0, Authority.OWNER_FLOOR, words)
    wish = _override(wish, snapshot, device)
    for limit in _limits(snapshot, device, spec.power_w, joined=False):
        wish = wish.limited(0.0, limit.authority, limit.reason, limit.source)
    return wish


def _pump_plan(snapshot: Snapshot, device: Device, *, inside: bool, left_s: float) -> Wish:
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    if block is not None:
        return Wish(float(block.kind is IntentKind.RUN), Authority.PLAN, block.reason)
    if inside and left_s > 0:
        return Wish(1.0, Authority.DEFAULT, "There is no plan for it now, so it runs its hours of the day.")
    return Wish(0.0, Authority.DEFAULT, "There is no plan for it now, and it has its hours of the day.")


def _kept(wish: Wish, snapshot: Snapshot, device: Device, spec: PoolPumpSpec) -> Wish:
    """A pump that was started by the plan runs at least its time: plans change, bearings wear."""
    told = snapshot.loads.stands.get(device.id)
    if wish.value or told is None or told.value != 1.0 or snapshot.loads.seen_s(device.id, 1.0, snapshot.now) is None:
        return wish
    ran_s = (snapshot.now - told.since).total_seconds()
    if ran_s < min(spec.min_run_h * 3600, spec.hours_per_day * 3600):
        return Wish(1.0, wish.authority, f"It runs at least {spec.min_run_h * 60:.0f} minutes at a time.")
    return wish


def _appliance_wish(snapshot: Snapshot, device: Device, spec: ApplianceSpec) -> Wish:
    """Plan (7), a joined event (6), the last moment (5), an override (4), a binding limit (2); a run is not interrupted."""
    run = snapshot.loads.run(device.id)
    if run is None:
        wish = Wish(1.0, Authority.DEFAULT, "No run is asked for; it may be used by hand.")
    elif run.phase is RunPhase.RUNNING:
        wish = Wish(1.0, Authority.OWNER_OVERRIDE, "It runs and is not interrupted.")
    else:
        wish = _waits(snapshot, device, spec, run)
    for limit in _limits(snapshot, device, max(spec.profile_w, default=0.0), joined=False):
        wish = wish.limited(0.0, limit.authority, limit.reason, limit.source)
    return wish


def _waits(snapshot: Snapshot, device: Device, spec: ApplianceSpec, run: ApplianceRun) -> Wish:
    block = snapshot.plan.block(device.id, snapshot.now) if snapshot.plan else None
    last_start = max(run.done_by - duration(spec), run.not_before)
    if block is not None:
        wish = Wish(float(block.kind is IntentKind.RUN), Authority.PLAN, block.reason)
    else:
        due = snapshot.now >= last_start
        words = "it starts as late as it may." if due else "it waits for the last moment or for a plan."
        wish = Wish(float(due), Authority.DEFAULT, f"There is no plan for it now: {words}")
    for limit in _limits(snapshot, device, max(spec.profile_w, default=0.0), joined=True):
        wish = wish.limited(0.0, limit.authority, limit.reason, limit.source)
    # A plan that lets it wait at the last moment knows of a limit that the start would break.
    if snapshot.now >= last_start and (block is None or block.kind is IntentKind.RUN):
        wish = wish.raised(1.0, Authority.OWNER_FLOOR, "It must start now to be done in time.")
    wish = _override(wish, snapshot, device)
    if snapshot.now < run.not_before and wish.authority > Authority.OWNER_OVERRIDE:
        return Wish(0.0, Authority.OWNER_FLOOR, "It does not start earlier than you asked.")
    return wish


def _limits(snapshot: Snapshot, device: Device, power_w: float, *, joined: bool) -> list[Limit]:
    """The limits that leave the device less than its power: those of joined events, or the binding ones."""
    return [
        limit for limit in snapshot.limits
        if limit.kind is LimitKind.DEVICE_POWER and limit.device in ("", device.id) and limit.value < 0.9 * power_w
        and (limit.authority >= Authority.DEMAND_RESPONSE) == joined
    ]  # fmt: skip


def _override(wish: Wish, snapshot: Snapshot, device: Device) -> Wish:
    for override in snapshot.overrides:
        if override.device == device.id and override.action == "run":
            return wish.replaced(Wish(1.0, Authority.OWNER_OVERRIDE, "You asked for it now.", override.id))
        if override.device == device.id and override.action == "pause":
            return wish.replaced(Wish(0.0, Authority.OWNER_OVERRIDE, "You paused it.", override.id))
    return wish
