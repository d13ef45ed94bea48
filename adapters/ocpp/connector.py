"""One connector of a charge point: a Meter and an EvCharger, whatever connection and version it is on."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from adapters.ocpp import rise
from adapters.ocpp.dispatch import CallFailed, LinkLost, Payload
from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.frames import FrameLog
from adapters.ocpp.limits import Limiter
from adapters.ocpp.live import STALE_INTERVALS, LiveState
from adapters.ocpp.needs_kept import NeedsKept
from adapters.ocpp.sessions import SessionBook
from adapters.ocpp.settings import OcppDeviceSettings
from adapters.ocpp.stamps import Stamps
from adapters.ocpp.v2.profiles import Profiles2
from adapters.ocpp.v16.profiles import Profiles16
from gateway.model.charging import ChargingNeeds
from gateway.model.errors import CommandRefused, DeviceUnreachable, StoreError
from gateway.model.quantity import CURRENTS, Quantity
from gateway.model.reading import Reading
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec, Device
from gateway.model.snapshot import ChargePhase, ChargerStatus
from gateway.ports import Clock, OnChange, SessionStore

log = logging.getLogger(__name__)

REAL_BEAT_S = 0.5
UNREAD_BATCHES = 100


class Owner(Protocol):
    """The charge point, as far as its connectors need it."""

    why_away: str
    restarting: bool
    version: str
    facts: ChargerFacts
    frames: FrameLog
    switches_phases: bool
    stamps: Stamps

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        ...

    async def ask(self, action: str, payload: Payload) -> Payload:
        """One call to the charger; raises CallFailed."""
        ...


class Connector:
    """A configured connector; currents A per phase, power W (charging positive), energies Wh."""

    period_s = 0.0

    def __init__(
        self,
        device: Device,
        settings: OcppDeviceSettings,
        owner: Owner,
        clock: Clock,
        sessions: SessionStore,
        on_change: OnChange,
    ) -> None:
        self.id = device.id
        self.settings = settings
        self.evse = settings.connector
        """Its number: connector of OCPP 1.6, EVSE of 2.x."""
        self.spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
        self.live = LiveState(device.id, self.spec.phases, clock, float(settings.sample_interval_s))
        most_w = rise.most_w(len(self.spec.phases), self.spec.max_current_a)
        rated_w = rise.rated_w(len(self.spec.phases), self.spec.max_current_a)
        self.book = SessionBook(device.id, sessions, clock, most_w, owner.stamps, rated_w)
        self.needs: ChargingNeeds | None = None
        """What the car itself said of the session under way."""
        self.phases_told: int | None = None
        """Phases in use as the charger says itself; its currents say it better."""
        self.state_told = False
        """Whether the charger tells by itself when it charges; else its power tells."""
        self.wish_is_due = False
        """Whether the wish must be told anew as soon as our answer is on the wire."""
        self.polls = True
        """Whether it may be asked for meter values; False once it said that it cannot."""
        self._needs_kept = NeedsKept(device.id)
        self._owner = owner
        self._clock = clock
        self._on_change = on_change
        self._wish: Setpoint | None = None
        self._applying = asyncio.Lock()
        self._batches: deque[list[Reading]] = deque(maxlen=UNREAD_BATCHES)
        self._news = asyncio.Event()
        self._version = ""
        self._trouble = ""
        self.speak("1.6")

    @property
    def stamps(self) -> Stamps:
        """What is known of its charger's clock."""
        return self._owner.stamps

    @property
    def frames(self) -> FrameLog:
        """The last frames of its charge point."""
        return self._owner.frames

    def speak(self, version: str) -> None:
        """From now on limits are told in this OCPP version; what is in force stays known within a version."""
        if version != self._version:
            self._version = version
            self.limiter = Limiter(
                self.id,
                self.spec,
                self.live,
                self.book,
                self._owner.facts,
                self._clock,
                self._ask,
                Profiles16() if version == "1.6" else Profiles2(),
                self.evse,
            )

    async def _ask(self, action: str, payload: Payload) -> Payload:
        """One call to the charger, whose answer tells that it has read what we sent before; raises CallFailed."""
        given = self.book.given()
        answer = await self._owner.ask(action, payload)
        self.book.heard(given)
        return answer

    # ---- what its clock says

    async def stamped(self, time: datetime | None, *, sampled: bool = False, is_word: bool = False) -> None:
        """A message stamped `time` is here: what is known now of the charger's clock is kept, and used for the ledger.

        `sampled`: it is a sample, taken in; `is_word`: it is told for itself, with no samples. Raises StoreError.
        """
        self.stamps.hear(time, is_word=is_word)
        self.live.stamps_late = self.stamps.disproves(self.live.skew_s)
        if sampled:
            self.stamps.learn(self.id, self.live.skew_s, self.live.samples_in_time)
            await self.book.set_right()
        await self._owner.facts.know_clock(self.stamps.behind_s)

    # ---- what the car said

    async def recall_needs(self) -> None:
        """Before the first message after a start: what the car said in the session under way; raises StoreError."""
        held = await self._needs_kept.recall(self._owner.facts, self._transaction())
        if held is not None and self.needs is None:
            self.needs = held
            self.changed("needs")

    async def keep_needs(self) -> None:
        """What the car said, or that it is gone, is on the disk when this returns; raises StoreError."""
        await self._needs_kept.keep(self._owner.facts, self.needs, self._transaction())

    def _transaction(self) -> int:
        session = self.book.open_session()
        return session.transaction if session else 0

    # ---- Meter

    async def read(self) -> list[Reading]:
        """The next live readings, as soon as the charger tells them; raises DeviceUnreachable while it is away.

        A connected charger that rests is read as 0 W once per sampling interval.
        """
        while not self._batches:
            self._news.clear()
            if await self._quiet():
                if not self._owner.connected:
                    away = DeviceUnreachable(self.id, "read", self._owner.why_away)
                    away.expected = self._owner.restarting
                    raise away
                self.rest()
        return self._batches.popleft()

    async def _quiet(self) -> bool:
        """Wait for news, at most one sampling interval; whether there was none."""
        pause = asyncio.ensure_future(self._clock.sleep(self.live.interval_s, real_floor=REAL_BEAT_S))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait((pause, news), return_when=asyncio.FIRST_COMPLETED)
            return not news.done()
        finally:
            pause.cancel()
            news.cancel()

    def rest(self) -> None:
        """No current flows where nothing is plugged in, or by the charger's own word outside of a transaction: say so."""
        if self.book.open_session() is None and self.live.idle_told:
            self.measured(self.live.idle())

    def measured(self, readings: list[Reading]) -> None:
        """Live readings for whoever reads next."""
        self._batches.append(readings)
        self._news.set()

    def changed(self, what: str) -> None:
        """Something happened that the plan should know at once."""
        self._news.set()
        self._on_change(self.id, what)

    # ---- EvCharger

    def status(self) -> ChargerStatus:
        """What is known now, without asking the charger; stale values are None."""
        session, limit = self.book.open_session(), self.limiter.in_force()
        values = [self.live.value(quantity) for quantity in CURRENTS]
        return ChargerStatus(
            id=self.id,
            phase=self._phase(),
            connected=self._owner.connected,
            transaction=str(session.transaction) if session else "",
            session_start=session.start if session else None,
            session_wh=session.energy_wh if session else 0.0,
            power_w=self.live.power_w(),
            resting=self.live.resting,
            current_a=(values[0], values[1], values[2]),
            offered_a=self.live.value(Quantity.CURRENT_OFFERED),
            soc_percent=self.live.value(Quantity.SOC),
            accepted_limit_a=limit.current_a if limit else None,
            accepted_at=limit.at if limit else None,
            meter_age_s=self.live.age_s(),
            sample_interval_s=self.live.interval_s,
            rung=self.limiter.rung.words,
            model=self._owner.facts.make.words,
            version=self._owner.version,
            tag=session.tag if session else "",
            needs=self.needs,
            phases_in_use=self.live.active_phases() or (self.phases_told if session else None),
            switches_phases=self._owner.switches_phases,
            lacks=self.limiter.lacks(),
        )

    def _phase(self) -> ChargePhase:
        if not self._owner.connected:
            return ChargePhase.OFFLINE
        if self.limiter.paused_by_availability and self.live.phase is ChargePhase.FAULTED:
            return ChargePhase.PLUGGED  # out of service because we asked for it
        in_session = self.book.open_session() is not None
        return self.live.phase or (ChargePhase.PLUGGED if in_session else ChargePhase.AVAILABLE)

    def show_outlook(self, periods: Sequence[tuple[datetime, float]]) -> None:
        """What the plan means to give the car from now on (from when, W; the last is the end); told to one with needs.

        It is told held to the safe current, and not at all where that is 0 (decision 10).
        """
        if self.needs is not None and periods:
            end = min(periods[-1][0], self.needs.departure or periods[-1][0])
            shown = [*(each for each in periods[:-1] if each[0] < end), (end, 0.0)]
            self.limiter.show_outlook(tuple(shown) if len(shown) > 1 else ())

    async def apply(self, setpoint: Setpoint) -> None:
        """Set the current per phase (A; 0 pauses) until the setpoint's end; returns once accepted.

        Raises DeviceUnreachable without a connection or answer, CommandRefused when every way of limiting is refused.
        """
        if setpoint.kind is not SetpointKind.CURRENT:
            raise CommandRefused(self.id, "apply", f"a charger takes no {setpoint.kind.name}")
        self._wish = setpoint
        await self._apply(setpoint)

    async def _apply(self, setpoint: Setpoint) -> None:
        if not self._owner.connected:
            raise DeviceUnreachable(self.id, "limit", "the charger is not connected")
        async with self._applying:
            try:
                await self.limiter.apply(setpoint.value, setpoint.until, setpoint.phases)
            except CallFailed as error:
                raise DeviceUnreachable(self.id, "limit", str(error)) from None

    async def next_rung(self, *, at_once: bool = False) -> str:
        """Accepted but not honoured: go to the next way of limiting, send the wish that way, and name it.

        `at_once`: a fuse is above its rating, stop it. Raises CommandRefused at the last way, DeviceUnreachable.
        """
        rung = await self.limiter.next_rung(at_once=at_once)
        if self._wish is not None and self.has_wish:
            await self._apply(self._wish)
        return rung.words

    # ---- care

    async def repeat_wish(self) -> None:
        """The wish holds on, but the charger must be told anew: a new transaction, a reboot, other phases in use."""
        self.wish_is_due = False
        if self._wish is None or not self.has_wish:
            return
        trouble = ""
        try:
            await self._apply(self._wish)
        except (DeviceUnreachable, CommandRefused) as error:
            trouble = str(error)
        if trouble and trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble

    @property
    def has_wish(self) -> bool:
        """Whether a limit is wished for now."""
        return self._wish is not None and self._wish.until > self._clock.now()

    def is_silent(self) -> bool:
        """Whether a session runs and no sample came for longer than it should."""
        age = self.live.age_s()
        silent = age is None or age > (STALE_INTERVALS - 1) * self.live.interval_s
        return silent and self.book.open_session() is not None

    async def begin_anew(self, max_stack: int | None, units: tuple[str, ...]) -> None:
        """After a connection or reboot: the ladder as announced, the safe default, the wish; raises LinkLost."""
        self.limiter.learn_features(max_stack, units, self._owner.switches_phases)
        try:
            await self.recall_needs()
        except StoreError as error:
            log.warning("%s: what its car said cannot be recalled: %s", self.id, error)
        try:
            await self.limiter.set_safe_default()
        except CommandRefused as error:
            log.warning("%s; without us it may charge at its own limit", error)
        except LinkLost:
            raise
        except CallFailed as error:
            log.warning("%s: safe default: %s", self.id, error)
        await self.repeat_wish()
