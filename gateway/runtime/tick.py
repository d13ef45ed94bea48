"""The tick: every second freeze, decide, send the whole wish, verify. Nobody reads a device while deciding."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.core.control.dispatch import ControlMemory, Decision, decide
from gateway.core.control.timing import ControlTiming
from gateway.core.control.verification import honours
from gateway.core.metering.freeze import Wishes
from gateway.model.audit import AuditRow
from gateway.model.authority import Authority
from gateway.model.errors import DeviceError
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.snapshot import Snapshot
from gateway.ports import Actuator, AuditStore, Clock, EvCharger
from gateway.runtime.live import HomeState
from gateway.runtime.notices import Notices
from gateway.runtime.process import age_s

log = logging.getLogger(__name__)

RETRY_S = 2.0


@dataclass(slots=True)
class Sent:
    """How one device stands with its commands."""

    accepted: Setpoint | None = None
    accepted_at: float = 0.0
    """Monotonic home s at which the present value was first accepted."""
    wanted: Setpoint | None = None
    task: asyncio.Task[None] | None = None
    failing: str = ""
    retry_at: float = 0.0
    rung_at: float = 0.0


@dataclass(slots=True)
class Tick:
    """Runs the control loop; `last` is the newest snapshot, `setpoints` the newest whole wish."""

    state: HomeState
    clock: Clock
    timing: ControlTiming
    wishes: Callable[[], Wishes]
    chargers: dict[str, EvCharger]
    actuators: dict[str, Actuator]
    audit: AuditStore
    notices: Notices
    on_tick: Callable[[Snapshot], None] = lambda snapshot: None
    last: Snapshot | None = None
    setpoints: dict[str, Setpoint] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    disobeying: set[str] = field(default_factory=set)
    first_after_s: float | None = None
    """Real seconds from the start of the process to the first tick."""
    count: int = 0
    _memory: ControlMemory = field(default_factory=ControlMemory)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def period_s(self) -> float:
        """Length of a tick, s of home time: 1 s, or what 100 ms of the world are at the clock's speed."""
        return max(1.0, 0.1 * self.clock.speed)

    def hurry(self) -> None:
        """Tick now: something happened that must not wait."""
        self._wake.set()

    async def run(self) -> None:
        """Tick until cancelled."""
        due = self.clock.monotonic()
        while True:
            self.step()
            due = max(due + self.period_s, self.clock.monotonic())
            self._wake.clear()
            wake = asyncio.ensure_future(self._wake.wait())
            pause = asyncio.ensure_future(self.clock.sleep(due - self.clock.monotonic()))
            try:
                await asyncio.wait({wake, pause}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                wake.cancel()
                pause.cancel()

    def step(self) -> None:
        """One tick: snapshot -> decide -> send; sending goes on in the background, one task per device."""
        accepted = {device: sent.accepted for device, sent in self.sent.items() if sent.accepted is not None}
        snapshot = self.state.freeze(self.wishes(), accepted, frozenset(self.disobeying))
        now = self.clock.monotonic()
        decision = decide(self.state.site, snapshot, self._memory, self.timing, now)
        self._memory = decision.memory
        self.last, self.setpoints = snapshot, {s.device: s for s in decision.setpoints}
        self.count += 1
        if self.first_after_s is None:
            self.first_after_s = age_s()
            log.info("first tick %.2f s after the start of the process", self.first_after_s)
        for setpoint in decision.setpoints:
            self._send(setpoint, now)
        self._verify(snapshot, now)
        self._alarm(decision)
        self.on_tick(snapshot)

    def _send(self, setpoint: Setpoint, now: float) -> None:
        if setpoint.device not in self.chargers and setpoint.device not in self.actuators:
            return
        sent = self.sent.setdefault(setpoint.device, Sent())
        sent.wanted = setpoint
        if sent.task is not None or (
            now < sent.retry_at and setpoint.same_wish(sent.accepted) is False and sent.failing
        ):
            return
        if self._due(sent, setpoint):
            sent.task = asyncio.create_task(self._apply(sent, setpoint), name=f"command {setpoint.device}")

    def _due(self, sent: Sent, setpoint: Setpoint) -> bool:
        """Whether a command must go out: the wish changed, or the last one is at half of its life."""
        if sent.accepted is None or not setpoint.same_wish(sent.accepted):
            return True
        left = (sent.accepted.until - self.clock.now()).total_seconds()
        return left < self.timing.command_life_s / 2

    async def _apply(self, sent: Sent, setpoint: Setpoint) -> None:
        device = setpoint.device
        target = self.chargers.get(device) or self.actuators[device]
        try:
            await target.apply(setpoint)
        except DeviceError as error:
            await self._refused(sent, setpoint, error)
        except Exception as error:
            log.exception("%s: command failed", device)
            await self._refused(sent, setpoint, DeviceError(device, "command", f"{type(error).__name__}: {error}"))
        else:
            await self._accepted(sent, setpoint)
        finally:
            sent.task = None

    async def _accepted(self, sent: Sent, setpoint: Setpoint) -> None:
        changed = not setpoint.same_wish(sent.accepted)
        before, sent.accepted = sent.accepted, setpoint
        if sent.failing:
            log.info("%s accepts commands again", setpoint.device)
            await self.notices.end(f"command {setpoint.device}")
        sent.failing = ""
        if not changed:
            return
        sent.accepted_at = self.clock.monotonic()
        if setpoint.device in self.disobeying and setpoint.device in self.chargers:
            sent.rung_at = self.clock.monotonic()
        if _worth_a_row(setpoint, before):
            await self.audit.append(
                AuditRow(
                    self.clock.now(),
                    "commanded",
                    setpoint.device,
                    describe(setpoint),
                    setpoint.authority,
                    setpoint.source,
                )
            )

    async def _refused(self, sent: Sent, setpoint: Setpoint, error: DeviceError) -> None:
        sent.retry_at = self.clock.monotonic() + max(RETRY_S, 0.5 * self.clock.speed)
        if sent.failing != error.reason:
            log.warning("%s", error)
            sent.failing = error.reason
            name = self._name(setpoint.device)
            await self.notices.raise_(
                f"command {setpoint.device}",
                "warning",
                f"{name} did not take a command: {error.reason}. {error.remedy}".strip(),
            )

    def _verify(self, snapshot: Snapshot, now: float) -> None:
        for device, charger in self.chargers.items():
            sent = self.sent.get(device)
            if sent is None or sent.accepted is None:
                continue
            verdict = honours(snapshot.chargers[device], sent.accepted, now - sent.accepted_at, self.timing)
            if verdict is True and device in self.disobeying:
                self.disobeying.discard(device)
                self.notices.later_end(f"disobeys {device}")
            elif verdict is False:
                self.disobeying.add(device)
                if sent.task is None and now - sent.rung_at > 2 * self.timing.verify_s:
                    sent.rung_at = now
                    sent.task = asyncio.create_task(self._escalate(sent, charger), name=f"escalate {device}")

    async def _escalate(self, sent: Sent, charger: EvCharger) -> None:
        name = self._name(charger.id)
        try:
            rung = await charger.next_rung()
            if sent.wanted is not None:
                await charger.apply(sent.wanted)
                sent.accepted, sent.accepted_at = sent.wanted, self.clock.monotonic()
            words = f"{name} accepted a limit but did not honour it; trying another way: {rung}."
        except DeviceError as error:
            words = f"{name} does not honour its limit and no other way is left: {error.reason}."
        finally:
            sent.task = None
        log.warning("%s", words)
        await self.notices.raise_(f"disobeys {charger.id}", "warning", words)

    def _alarm(self, decision: Decision) -> None:
        causes = {cause for cause, _ in decision.alarms}
        for cause, words in decision.alarms:
            self.notices.later_raise(cause, "alarm", words)
        for cause in {"meter", "fuse"} - causes:
            self.notices.later_end(cause)

    def _name(self, device: str) -> str:
        found = self.state.site.device(device)
        return found.name if found else device

    async def release_all(self) -> None:
        """Orderly end: hand every device back to its own safe behaviour, at most 3 s for all."""
        pending = [sent.task for sent in self.sent.values() if sent.task is not None]
        try:
            async with asyncio.timeout(3.0):
                await asyncio.gather(*pending, return_exceptions=True)
                await asyncio.gather(*(a.release() for a in self.actuators.values()), return_exceptions=True)
        except TimeoutError:
            log.warning("not every device answered in time; each falls to its safe value when its command ends")


def _worth_a_row(setpoint: Setpoint, before: Setpoint | None) -> bool:
    """A row per changed wish, not per watt: a band that follows the meter is one wish."""
    if before is None or setpoint.kind is not SetpointKind.BATTERY_BAND:
        return True
    return (setpoint.authority, setpoint.source, setpoint.reason) != (before.authority, before.source, before.reason)


def describe(setpoint: Setpoint) -> str:
    """A setpoint in words, with its unit and reason."""
    if setpoint.kind is SetpointKind.BATTERY_BAND:
        what = f"between {setpoint.low:.0f} W and {setpoint.value:.0f} W"
    elif setpoint.kind is SetpointKind.SWITCH:
        what = "on" if setpoint.value else "off"
    elif setpoint.kind is SetpointKind.TEMPERATURE:
        what = f"{setpoint.value:.1f} °C"
    elif setpoint.kind is SetpointKind.PV_LIMIT:
        what = f"{setpoint.value:.0f} %"
    else:
        what = f"{setpoint.value:.1f} A"
    return f"{what} until {setpoint.until:%H:%M:%S} UTC by {Authority(setpoint.authority).words}: {setpoint.reason}"
