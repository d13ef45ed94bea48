"""The tick: every second freeze, decide, send the whole wish, verify. Nobody reads a device while deciding."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.core.control.dispatch import ControlMemory, Decision, decide
from gateway.core.control.timing import ControlTiming
from gateway.core.control.unsure import safe_setpoints
from gateway.core.metering.freeze import Wishes
from gateway.model.audit import AuditRow
from gateway.model.authority import Authority
from gateway.model.errors import DeviceError, StoreError
from gateway.model.setpoint import Setpoint, SetpointKind, slot_of
from gateway.model.snapshot import Snapshot
from gateway.ports import Actuator, AuditStore, Clock, Controlled, EvCharger
from gateway.runtime.live import HomeState
from gateway.runtime.notices import Notices
from gateway.runtime.process import age_s
from gateway.runtime.sent import Sent
from gateway.runtime.verify import Verification
from gateway.runtime.verify_devices import DeviceVerification
from gateway.runtime.verify_site import SiteVerification

log = logging.getLogger(__name__)

SAFETY = (Authority.ELECTRICAL_SAFETY, Authority.BINDING_LIMIT)
RETRY_S = 1.0
PATIENT_TRIES, MOST_RETRY_S = 8, 60.0
"""A charger that answers is asked so often a second after its no, then ever more seldom, s of home time."""
TELL_AFTER_S = 3.0
"""A command that fails is told of after so long (real s)."""
PACE_LEARNED_S = 45.0
"""By then the pace of a main meter that speaks every 10 s is known; until then its pauses alarm nobody."""
STARTED_S = 30.0
"""A first tick later than this after the start of the process (real s) follows a change of the site file."""
ROW_AGAIN = timedelta(hours=12)
"""A cut of the sun that stands has a row of the audit so often."""
RELEASE_S = 3.0
"""An orderly end takes at most this long (real s), a third of it for commands under way."""


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
    first_after_s: float | None = None
    """Real seconds from the start of the process to the first tick."""
    count: int = 0
    failing: str = ""
    """Why the newest tick failed; empty when it did not."""
    verification: Verification = field(init=False)
    devices: DeviceVerification = field(init=False)
    connection: SiteVerification = field(init=False)
    _begun: float | None = None
    """Monotonic home s of the first tick without a meter."""
    _memory: ControlMemory = field(default_factory=ControlMemory)
    _papers: set[asyncio.Task[None]] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.verification = Verification(
            self.state.site, self.chargers, self.timing, self.clock, self.notices, self._row, self._name
        )
        self.devices = DeviceVerification(self.state.site, self.actuators, self.clock, self.notices, self._row)
        self.connection = SiteVerification(self.clock, self._row)

    @property
    def disobeying(self) -> set[str]:
        """Chargers that were seen not to honour their limit."""
        return self.verification.disobeying

    @property
    def period_s(self) -> float:
        """Length of a tick, s of home time: 1 s, or what 100 ms of the world are at the clock's speed."""
        return max(1.0, 0.1 * self.clock.speed)

    def hurry(self) -> None:
        """Tick now: something happened that must not wait."""
        self._wake.set()

    def reachable(self, device: str) -> None:
        """A device came back: the next tick tries it without the pause after a failure."""
        for slot in (device, slot_of(device, SetpointKind.PV_LIMIT)):
            if slot in self.sent:
                self.sent[slot].retry_at, self.sent[slot].refusals = -math.inf, 0
        self.hurry()

    async def run(self) -> None:
        """Tick until cancelled; a tick that fails is told of, and the next one comes at its time all the same."""
        due = self.clock.monotonic()
        while True:
            self._wake.clear()
            try:
                self.step()
            except Exception as error:
                self._fails(error)
            else:
                self._works()
            # A hurried tick comes on top: it never puts the next one off.
            if self.clock.monotonic() >= due:
                due = max(due + self.period_s, self.clock.monotonic())
            wake = asyncio.ensure_future(self._wake.wait())
            pause = asyncio.ensure_future(self.clock.sleep(due - self.clock.monotonic()))
            try:
                await asyncio.wait({wake, pause}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                wake.cancel()
                pause.cancel()

    def step(self) -> None:
        """One tick: snapshot -> decide -> send; sending goes on in the background, one task per device."""
        now = self.clock.monotonic()
        try:
            snapshot, decision = self._decided(now)
        except Exception:
            self.count += 1  # it goes round: a service manager that restarted it would only take the pages away
            for setpoint in safe_setpoints(self.state.site, self.setpoints, self.clock.now(), self.timing):
                self._send(setpoint, now)
            raise
        self._memory = decision.memory
        self.last, self.setpoints = snapshot, {s.slot: s for s in decision.setpoints}
        self.count += 1
        if self.first_after_s is None:
            self.first_after_s = age_s()
            fresh = self.first_after_s < STARTED_S
            log.info(
                "first tick %.2f s after the start of the process%s",
                self.first_after_s,
                "" if fresh else ", with a new site file",
            )
        # First: a device whose commands fail one after the other would leave no moment for another way.
        self.verification.look(snapshot, self.sent, now)
        self.devices.look(snapshot, self.sent, now)
        self.connection.look(snapshot, now)
        for setpoint in decision.setpoints:
            self._send(setpoint, now)
        self._alarm(decision, snapshot, now)
        self.on_tick(snapshot)

    def _decided(self, now: float) -> tuple[Snapshot, Decision]:
        """The home as it is at this instant, and what every device should do."""
        life_s = self.timing.command_life_s
        accepted = {id_: held for id_, sent in self.sent.items() if (held := sent.in_force(now, life_s)) is not None}
        snapshot = self.state.freeze(self.wishes(), accepted, frozenset(self.verification.disobeying))
        snapshot = replace(snapshot, let_go=frozenset(self.devices.let_go), curtailable=self._curtailable())
        return snapshot, decide(self.state.site, snapshot, self._memory, self.timing, now)

    def _fails(self, error: Exception) -> None:
        """Told once per cause: whatever made it fail may be mended while the home goes on at its safe currents."""
        words = f"{type(error).__name__}: {error}"
        if self.failing.partition(":")[0] != type(error).__name__:
            log.error("the tick failed and goes on: %s", words, exc_info=error)
        self.failing = words
        told = f"The control fails ({words[:120]}). Cars charge at their safe current at most until it works again."
        remedy = "Take back what was changed last, in the preferences or the site file; the log tells the place."
        self.notices.later_raise("control", "alarm", f"{told} {remedy}")

    def _works(self) -> None:
        if self.failing:
            log.info("the tick works again")
            self.failing = ""
        self.notices.later_end("control")

    def _curtailable(self) -> frozenset[str]:
        able = (name for name, each in self.actuators.items()
                if isinstance(each, Controlled) and SetpointKind.PV_LIMIT in each.controls)  # fmt: skip
        return frozenset(able)

    def _send(self, setpoint: Setpoint, now: float) -> None:
        if setpoint.device not in self.chargers and setpoint.device not in self.actuators:
            return
        if setpoint.device in self.devices.let_go and setpoint.kind is SetpointKind.BATTERY_BAND:
            return
        sent = self.sent.setdefault(setpoint.slot, Sent())
        sent.want(setpoint, now)
        self._take_over(sent, setpoint, now)
        if sent.task is not None:
            self._overtake(sent, sent.task, setpoint, now)
        elif self._due(sent, setpoint, now) and sent.may_try(setpoint, now, SAFETY):
            sent.sending, sent.begun = setpoint, now
            sent.task = asyncio.create_task(self._apply(sent, setpoint), name=f"command {setpoint.device}")

    def _overtake(self, sent: Sent, task: asyncio.Task[None], setpoint: Setpoint, now: float) -> None:
        """A wish for safety waits at most a tick behind a lesser one that waits for its device.

        Behind another one for safety it waits: a device that is slow to answer would never get to the end of any.
        """
        sending = sent.sending
        if sending is None or setpoint.authority not in SAFETY or sending.authority in SAFETY:
            return
        another = not setpoint.same_wish(sending)
        lower = setpoint.kind is not SetpointKind.CURRENT or setpoint.value < sending.value
        if another and lower and now - sent.begun >= 0.9 * self.period_s:
            sent.sending = None
            task.add_done_callback(lambda _: self.hurry())
            task.cancel()

    def _take_over(self, sent: Sent, setpoint: Setpoint, now: float) -> None:
        """Another event wants just what the device does already: nothing is sent, but it is told, and confirmed anew."""
        held = sent.in_force(now, self.timing.command_life_s)
        if sent.task is None and held is not None and sent.taken_over(setpoint):
            sent.accepted, sent.confirmed_at = replace(setpoint, until=held.until), -1.0
            self._commanded(sent, setpoint)

    def _due(self, sent: Sent, setpoint: Setpoint, now: float) -> bool:
        """Whether a command must go out: the wish changed, or the usual one would be at half of its life.

        What lasts longer is said again all the same: the adapter knows what its device still holds, and writes nothing.
        """
        return not setpoint.same_wish(sent.accepted) or now - sent.sent_at >= self.timing.command_life_s / 2

    async def _apply(self, sent: Sent, setpoint: Setpoint) -> None:
        device = setpoint.device
        target = self.chargers.get(device) or self.actuators[device]
        sent_at = self.clock.monotonic()
        try:
            await target.apply(setpoint)
        except DeviceError as error:
            await self._refused(sent, setpoint, error)
        except Exception as error:
            unforeseen = DeviceError(device, "command", f"{type(error).__name__}: {error}")
            if sent.failing != unforeseen.reason:
                log.exception("%s: command failed", device)
            await self._refused(sent, setpoint, unforeseen)
        else:
            await self._accepted(sent, setpoint, sent_at)
        finally:
            sent.task = sent.sending = None

    async def _accepted(self, sent: Sent, setpoint: Setpoint, sent_at: float) -> None:
        before = sent.in_force(self.clock.monotonic(), self.timing.command_life_s)
        sent.accepted, sent.sent_at = setpoint, sent_at
        sent.keeps(setpoint, self.clock.now())
        if sent.told:
            log.info("%s accepts commands again", setpoint.device)
        sent.failing, sent.told, sent.refusals, sent.refused = "", "", 0, None
        await self.notices.end(f"command {setpoint.slot}")
        if setpoint.same_wish(before):
            if _stands_long(setpoint, sent.row):
                self._commanded(sent, setpoint)
            return
        sent.accepted_at = self.clock.monotonic()
        if _worth_a_row(setpoint, before):
            self._commanded(sent, setpoint)

    def _commanded(self, sent: Sent, setpoint: Setpoint) -> None:
        sent.row, words = setpoint, describe(setpoint)
        self._row(AuditRow(self.clock.now(), "commanded", setpoint.device, words, setpoint.authority, setpoint.source))

    def _row(self, row: AuditRow) -> None:
        """Keep the row beside the control: a slow or full disk never delays the device's next command."""
        task = asyncio.create_task(self._append(row), name=f"audit {row.subject}")
        self._papers.add(task)
        task.add_done_callback(self._papers.discard)

    async def _append(self, row: AuditRow) -> None:
        try:
            await self.audit.append(row)
        except StoreError as error:
            log.error("%s: %s; a row of the audit is lost: %s", row.subject, error, row.text)

    async def _refused(self, sent: Sent, setpoint: Setpoint, error: DeviceError) -> None:
        sent.refusals, sent.refused = sent.refusals + 1, setpoint
        sent.retry_at = self.clock.monotonic() + max(self._pause_s(sent, setpoint), 0.5 * self.clock.speed)
        reason, now = error.reason or type(error).__name__, self.clock.monotonic()
        sent.failing_since = sent.failing_since if sent.failing else now
        sent.failing = reason
        # A connection may still be opening: told once, when it lasts.
        if sent.told == reason or now - sent.failing_since < TELL_AFTER_S * self.clock.speed:
            return
        sent.told = reason
        log.warning("%s", error)
        words = f"{self._name(setpoint.device)} did not take a command: {reason}. {error.remedy}".strip()
        await self.notices.raise_(f"command {setpoint.slot}", "warning", words)

    def _pause_s(self, sent: Sent, setpoint: Setpoint) -> float:
        """Until the next try; a charger that is away costs nothing, and is asked at once when it is back."""
        charger = self.chargers.get(setpoint.device)
        if charger is None or not charger.status().connected:
            sent.refusals = 0
        return min(RETRY_S * 2.0 ** max(0, sent.refusals - PATIENT_TRIES), MOST_RETRY_S)

    def _alarm(self, decision: Decision, snapshot: Snapshot, now: float) -> None:
        causes = {cause for cause, _ in decision.alarms}
        for cause, words in decision.alarms:
            if cause != "meter" or not self._meter_may_still_come(snapshot, now):
                self.notices.later_raise(cause, "alarm", words)
        for cause in {"meter", "fuse", "grid", "export"} - causes:
            self.notices.later_end(cause)

    def _meter_may_still_come(self, snapshot: Snapshot, now: float) -> bool:
        """Just after the start the meter has not been asked yet: safe currents hold, but nobody is alarmed."""
        if self._begun is None:
            self._begun = now
        meter = snapshot.main_meter()
        if meter is None:
            return False
        if meter.age_s is None:
            return now - self._begun <= self.timing.meter_stale_s
        return meter.pace_s is None and now - self._begun <= PACE_LEARNED_S

    def _name(self, device: str) -> str:
        found = self.state.site.device(device)
        return found.name if found else device

    async def release_all(self) -> None:
        """Orderly end: hand every device back to its own safe behaviour, at most RELEASE_S for all.

        A command that hangs is given up after a third of it, so that one dead device never costs the others theirs.
        """
        pending = [sent.task for sent in self.sent.values() if sent.task is not None]
        if pending:
            _, hanging = await asyncio.wait(pending, timeout=RELEASE_S / 3)
            for task in hanging:
                task.cancel()
        releases = [asyncio.create_task(actuator.release()) for actuator in self.actuators.values()]
        try:
            async with asyncio.timeout(RELEASE_S * 2 / 3):
                await asyncio.gather(*releases, *self._papers, return_exceptions=True)
        except TimeoutError:
            log.warning("not every device answered in time; each falls to its safe value when its command ends")


def _worth_a_row(setpoint: Setpoint, before: Setpoint | None) -> bool:
    """A row per changed wish, not per watt: a band that follows the meter is one wish."""
    if before is None or setpoint.kind is not SetpointKind.BATTERY_BAND:
        return True
    return (setpoint.authority, setpoint.source, setpoint.reason) != (before.authority, before.source, before.reason)


def _stands_long(setpoint: Setpoint, row: Setpoint | None) -> bool:
    """Whether a cut of the sun stands for so long that the audit tells it anew: each day by itself shows that it was one."""
    cut = setpoint.kind is SetpointKind.PV_LIMIT and setpoint.value < 100.0
    return cut and (row is None or setpoint.until - row.until >= ROW_AGAIN)


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
        phases = f" on {setpoint.phases} phase{'s' * (setpoint.phases > 1)}" if setpoint.phases else ""
        what = f"{setpoint.value:.1f} A{phases}"
    return f"{what} until {setpoint.until:%H:%M:%S} UTC by {Authority(setpoint.authority).words}: {setpoint.reason}"
