"""Batteries, relays and thermostats: is what was commanded seen to happen? If not, a person is told.

A battery that stays outside its band is left to itself and leaves the plan, until another try shows that it obeys:

    told --- outside for 60 s --- alarm, released ---- 15 min ---- told again --- inside for 60 s --- alarm over
                                                         \\--- outside again: 30 min, 1 h, ... 6 h
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from gateway.core.control.obedience import obeys
from gateway.core.control.storage import power_of
from gateway.model.audit import AuditRow
from gateway.model.errors import DeviceError
from gateway.model.quantity import Quantity
from gateway.model.setpoint import LimitKind, Setpoint, SetpointKind, slot_of
from gateway.model.site import BatterySpec, Device, Site
from gateway.model.snapshot import Snapshot
from gateway.ports import Actuator, Clock
from gateway.runtime.notices import Notices
from gateway.runtime.sent import Sent

log = logging.getLogger(__name__)

JUDGE_S, JUDGE_REAL_S = 60.0, 2.0
"""A device must be seen not to obey for so long, s of home time, and of the world's."""
RETRY_S, MOST_RETRY_S = 900.0, 21_600.0
SEEN_AFTER_S = 2.0
"""A reading confirms a command when it was taken so long after it, s of home time."""
RELEASE_S = 10.0
"""Handing a device back may take so long (real s)."""


@dataclass(slots=True)
class Watched:
    """How one device was seen to obey; times in monotonic home s."""

    seen: bool | None = None
    since: float = 0.0
    """Since when it was seen so, under this command."""
    told_at: float = -1.0
    pause_s: float = RETRY_S
    retry_at: float | None = None
    """When a battery that was let go is tried again."""


@dataclass(slots=True)
class DeviceVerification:
    """Judges every device but the chargers once a tick; `let_go` are left to themselves."""

    site: Site
    actuators: Mapping[str, Actuator]
    clock: Clock
    notices: Notices
    row: Callable[[AuditRow], None]
    let_go: set[str] = field(default_factory=set)
    on_change: Callable[[str], None] = lambda device: None
    """Called with the id of a battery that is let go or obeys again: the plan counts with another home."""
    _watched: dict[str, Watched] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def look(self, snapshot: Snapshot, sent_to: Mapping[str, Sent], now: float) -> None:
        """Judge by this tick's snapshot and act on it; `now` in monotonic home s."""
        for name, actuator in self.actuators.items():
            device = self.site.device(name)
            if device is None:
                continue
            self._confirm_sun(device, sent_to, snapshot, now)
            watched = self._watched.setdefault(name, Watched())
            if name in self.let_go:
                self._try_again(device, watched, now)
                continue
            sent, told = sent_to.get(name), snapshot.commanded.get(name)
            if sent is None or told is None or sent.failing:
                watched.seen = None
                continue
            self._judge(device, actuator, watched, sent, told, snapshot, now)

    def _judge(
        self, device: Device, actuator: Actuator, watched: Watched, sent: Sent, told: Setpoint, snapshot: Snapshot,
        now: float,
    ) -> None:  # fmt: skip
        seen = obeys(device, snapshot.devices.get(device.id), power_of(snapshot, device), told)
        if seen:
            self._confirm(device, sent, told, snapshot, now)
        if seen != watched.seen or watched.told_at != sent.accepted_at:
            # A steered battery is told something new every few minutes: outside is outside all the same.
            still_outside = seen is False and watched.seen is False
            watched.seen, watched.told_at = seen, sent.accepted_at
            watched.since = watched.since if still_outside else now
        if seen is None or now - max(watched.since, sent.accepted_at if seen else 0.0) < self._patience_s:
            return
        if seen:
            self._obeys_again(device, watched)
        else:
            self._accuse(device, actuator, watched, sent, told, snapshot, now)

    def _confirm(self, device: Device, sent: Sent, told: Setpoint, snapshot: Snapshot, now: float) -> None:
        """Once per row of a command that an event or a person caused: the device's own reading shows it."""
        row, state = sent.row, snapshot.devices.get(device.id)
        if row is None or row is sent.confirmed or not row.source or row.source != told.source:
            return
        if state is None or state.age_s is None or now - state.age_s < sent.accepted_at + SEEN_AFTER_S:
            return
        sent.confirmed = row
        words = _seen_words(device, told, snapshot)
        self.row(AuditRow(self.clock.now(), "confirmed", device.id, words, told.authority, told.source))

    def _confirm_sun(self, device: Device, sent_to: Mapping[str, Sent], snapshot: Snapshot, now: float) -> None:
        """Once per event: no inverter tells its rating, so the main meter shows that its limit is enough."""
        slot = slot_of(device.id, SetpointKind.PV_LIMIT)
        sent, told, grid_w = sent_to.get(slot), snapshot.commanded.get(slot), snapshot.grid_w()
        if sent is None or told is None or sent.failing or grid_w is None:
            return
        known = sent.confirmed is not None and sent.confirmed.source == told.source
        asked = [x for x in snapshot.limits if x.kind is LimitKind.SITE_EXPORT and x.source == told.source]
        if asked and not known and all(-grid_w <= limit.value for limit in asked):
            self._confirm(device, sent, told, snapshot, now)

    @property
    def _patience_s(self) -> float:
        return max(JUDGE_S, JUDGE_REAL_S * self.clock.speed)

    def _accuse(
        self, device: Device, actuator: Actuator, watched: Watched, sent: Sent, told: Setpoint, snapshot: Snapshot,
        now: float,
    ) -> None:  # fmt: skip
        words = _words(device, told, snapshot)
        cause = f"disobeys {device.id}"
        if cause not in self.notices.open:
            log.warning("%s", words)
            self.row(AuditRow(self.clock.now(), "alarm", device.id, words, told.authority, told.source))
        self.notices.later_raise(cause, "warning", words)
        watched.seen = None
        if isinstance(device.spec, BatterySpec):
            self.let_go.add(device.id)
            watched.retry_at, watched.pause_s = now + watched.pause_s, min(2 * watched.pause_s, MOST_RETRY_S)
            self._run(self._release(actuator, sent), f"release {device.id}")
            self.on_change(device.id)
        else:
            sent.accepted = None  # told once more, in case it was forgotten

    def _try_again(self, device: Device, watched: Watched, now: float) -> None:
        if watched.retry_at is not None and now >= watched.retry_at:
            watched.retry_at, watched.seen = None, None
            self.let_go.discard(device.id)

    def _obeys_again(self, device: Device, watched: Watched) -> None:
        watched.pause_s = RETRY_S
        if f"disobeys {device.id}" in self.notices.open:
            self.notices.later_end(f"disobeys {device.id}")
            if isinstance(device.spec, BatterySpec):
                self.on_change(device.id)

    async def _release(self, actuator: Actuator, sent: Sent) -> None:
        """Back to its own behaviour; what comes of it is seen at the next try."""
        sent.accepted = None
        try:
            async with asyncio.timeout(RELEASE_S):
                await actuator.release()
        except (DeviceError, TimeoutError) as error:
            log.warning("%s was not handed back: %s", actuator.id, error or "no answer")

    def _run(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _seen_words(device: Device, told: Setpoint, snapshot: Snapshot) -> str:
    state = snapshot.devices.get(device.id)
    if told.kind is SetpointKind.BATTERY_BAND:
        does = power_of(snapshot, device) or 0.0
        return f"{does:.0f} W measured, told between {told.low:.0f} W and {told.value:.0f} W"
    if told.kind is SetpointKind.PV_LIMIT:
        return f"{max(0.0, -(snapshot.grid_w() or 0.0)):.0f} W fed in at the meter, told at most {told.value:.0f} %"
    if told.kind is SetpointKind.TEMPERATURE:
        target = state.get(Quantity.TARGET_TEMPERATURE) if state is not None else None
        return f"shows a target of {target:.1f} °C, told {told.value:.1f} °C"
    power = state.get(Quantity.POWER) if state is not None else None
    draws = "" if power is None else f", draws {power:.0f} W"
    return f"seen {'on' if told.value else 'off'}{draws}"


def _words(device: Device, told: Setpoint, snapshot: Snapshot) -> str:
    state = snapshot.devices.get(device.id)
    if told.kind is SetpointKind.BATTERY_BAND:
        does = power_of(snapshot, device) or 0.0
        return (
            f"{device.name} accepted to stay between {told.low:.0f} W and {told.value:.0f} W but is at {does:.0f} W. "
            "It is left to itself and not planned with; it is tried again later. "
            "Look whether another system commands it."
        )
    if told.kind is SetpointKind.TEMPERATURE:
        target = state.get(Quantity.TARGET_TEMPERATURE) if state is not None else None
        return (
            f"{device.name} was set to {told.value:.1f} °C but shows {target:.1f} °C. Look whether somebody turned it."
        )
    power = state.get(Quantity.POWER) if state is not None else None
    draws = "" if power is None else f": it draws {power:.0f} W"
    return (
        f"{device.name} was switched {'on' if told.value else 'off'} but is not{draws}. Look at its relay and its fuse."
    )
