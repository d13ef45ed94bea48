"""Runs of appliances that the owner asks for: kept before they are promised, never interrupted once begun.

waiting -> running -> done          a restart goes on where it was
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gateway.model.audit import AuditRow
from gateway.model.authority import Authority
from gateway.model.errors import StoreError, WishRefused
from gateway.model.loads import ApplianceRun, RunPhase, duration
from gateway.model.quantity import Quantity
from gateway.model.setpoint import Setpoint
from gateway.model.site import ApplianceSpec, Device, Site
from gateway.model.snapshot import Snapshot
from gateway.ports import Clock, Store

log = logging.getLogger(__name__)

DOCUMENT = "appliances"
LONGEST = timedelta(days=7)
STANDBY_W = 15.0
"""A machine that draws less has finished."""
OVERTIME = timedelta(hours=1)
"""So long after its time one that still draws counts as running."""
_TIMES = ("not_before", "done_by", "asked_at", "started_at", "ends_at", "done_at")


@dataclass(slots=True)
class ApplianceWishes:
    """The last run that was asked for of each appliance; `observe` follows it at each tick."""

    site: Site
    clock: Clock
    store: Store
    on_change: Callable[[str], None]
    runs: dict[str, ApplianceRun] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _last: datetime | None = None

    async def resume(self) -> None:
        """Take up what was asked for before a restart; what cannot be read is left."""
        kept = await self.store.get(DOCUMENT) or {}
        for item in kept.get("runs", []):
            try:
                run = run_from(item)
            except (ValueError, TypeError, KeyError) as error:
                log.error("a stored run of an appliance cannot be read (%s): it must be asked for again", error)
                continue
            if self._machine(run.device) is not None:
                self.runs[run.device] = run

    async def ask(self, device_id: str, not_before: datetime | None, done_by: datetime, who: str) -> ApplianceRun:
        """Have an appliance run once, done by `done_by` (aware); raises WishRefused, StoreError."""
        device, now = self._known(device_id), self.clock.now()
        lasts = duration(_spec(device))
        start = max(now, not_before) if not_before is not None else now
        self._check(device, start, done_by, lasts, now)
        async with self._turn:
            before = self.runs.get(device_id)
            if before is not None and before.phase is RunPhase.RUNNING:
                raise WishRefused(f"{device.name} is running. Ask again when it is done.")
            run = ApplianceRun(device_id, start, done_by, who, now)
            await self._keep({**self.runs, device_id: run})
            self.runs[device_id] = run
        self.on_change("appliance")
        words = f"{who}: run once, not before {start:%H:%M}, done by {done_by:%d %b %H:%M} UTC"
        await self.store.append(AuditRow(now, "asked", device_id, words, Authority.OWNER_OVERRIDE))
        return run

    async def cancel(self, device_id: str, who: str) -> None:
        """Take a wish back that still waits; raises WishRefused for one that runs already."""
        device, now = self._known(device_id), self.clock.now()
        async with self._turn:
            run = self.runs.get(device_id)
            if run is None or run.phase is RunPhase.DONE:
                raise WishRefused(f"No run of {device.name} is asked for.")
            if run.phase is RunPhase.RUNNING:
                raise WishRefused(f"{device.name} is running and is not interrupted. Stop it at the machine itself.")
            await self._keep({name: kept for name, kept in self.runs.items() if name != device_id})
            if self.runs[device_id] is not run:
                self._moved.set()
                raise WishRefused(
                    f"{device.name} has just begun and is not interrupted. Stop it at the machine itself."
                )
            del self.runs[device_id]
        self.on_change("appliance")
        await self.store.append(AuditRow(now, "asked", device_id, f"{who}: no run any more", Authority.OWNER_OVERRIDE))

    def observe(self, snapshot: Snapshot, setpoints: Mapping[str, Setpoint]) -> None:
        """Follow each run: begun once its relay took the word, longer while it is kept without power, done at its end."""
        now, before = snapshot.now, self._last
        self._last = now
        for name, run in list(self.runs.items()):
            spec, wish = self._machine(name), setpoints.get(name)
            after = run
            if spec is None or wish is None:
                continue
            if run.phase is RunPhase.WAITING and _has_begun(snapshot, wish, spec):
                after = replace(run, started_at=now, ends_at=now + duration(spec))
            elif run.phase is RunPhase.RUNNING and wish.value == 0 and before is not None and run.ends_at is not None:
                after = replace(run, ends_at=run.ends_at + (now - before))
            elif run.phase is RunPhase.RUNNING and _is_over(snapshot, run):
                after = replace(run, done_at=now)
            if after is not run:
                self._move(run, after)

    def _move(self, run: ApplianceRun, after: ApplianceRun) -> None:
        self.runs[run.device] = after
        self._moved.set()
        if after.phase is not run.phase:
            log.info("%s: %s", run.device, after.phase.value)
            self.on_change("appliance")

    async def run(self) -> None:
        """Write down what moved, at once, until cancelled."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                async with self._turn:
                    await self._keep(dict(self.runs))
            except StoreError as error:
                log.error("the appliances' runs cannot be kept: %s", error)
                self._moved.set()
            await self.clock.sleep(1.0, real_floor=1.0)

    async def _keep(self, runs: Mapping[str, ApplianceRun]) -> None:
        await self.store.put(DOCUMENT, {"runs": [run_document(run) for run in runs.values()]})

    def _check(self, device: Device, start: datetime, done_by: datetime, lasts: timedelta, now: datetime) -> None:
        if done_by.tzinfo is None:
            raise WishRefused("The time by which it should be done needs its time zone.")
        if done_by > now + LONGEST:
            raise WishRefused("A run can be asked for at most 7 days ahead.")
        if start >= done_by:
            raise WishRefused("The time from which it may run lies after the time by which it should be done.")
        if start + lasts > done_by:
            earliest = (start + lasts).astimezone(self.site.timezone)
            raise WishRefused(
                f"{device.name} takes {lasts.total_seconds() / 3600:.1f} hours, so it is done at "
                f"{earliest:%H:%M} at the earliest. Choose a later time."
            )

    def _known(self, device_id: str) -> Device:
        device = self.site.device(device_id)
        if device is None or self._machine(device_id) is None:
            raise WishRefused(f"There is no appliance '{device_id[:100]}'.")
        return device

    def _machine(self, device_id: str) -> ApplianceSpec | None:
        device = self.site.device(device_id)
        return device.spec if device is not None and isinstance(device.spec, ApplianceSpec) else None


def _spec(device: Device) -> ApplianceSpec:
    return device.spec if isinstance(device.spec, ApplianceSpec) else ApplianceSpec(())


def _has_begun(snapshot: Snapshot, wish: Setpoint, spec: ApplianceSpec) -> bool:
    """Its relay was told to close and took it; or, after a restart in the middle, it is seen running."""
    held = snapshot.commanded.get(wish.device)
    if wish.value == 1 and held is not None and held.value == 1:
        return True
    state = snapshot.devices.get(wish.device)
    power = state.get(Quantity.POWER) if state is not None else None
    closed = state is not None and state.get(Quantity.ON) == 1
    return held is None and closed and power is not None and power > 0.2 * max(spec.profile_w, default=0.0) > 0


def _is_over(snapshot: Snapshot, run: ApplianceRun) -> bool:
    if run.ends_at is None or snapshot.now < run.ends_at:
        return False
    state = snapshot.devices.get(run.device)
    power = state.get(Quantity.POWER) if state is not None else None
    return power is None or power < STANDBY_W or snapshot.now >= run.ends_at + OVERTIME


def run_document(run: ApplianceRun) -> dict[str, Any]:
    """A run as a JSON document."""
    return asdict(run) | {name: at.isoformat() if (at := getattr(run, name)) else None for name in _TIMES}


def run_from(document: Mapping[str, Any]) -> ApplianceRun:
    """A run from its document; raises ValueError, TypeError or KeyError for what cannot be read."""
    times = {name: datetime.fromisoformat(document[name]) if document.get(name) else None for name in _TIMES}
    return ApplianceRun(device=str(document["device"]), who=str(document.get("who", "")), **times)  # type: ignore[arg-type]
