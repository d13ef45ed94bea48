"""One charger of the CSMS: a Meter and an EvCharger, whatever connection it is on at the moment."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from adapters.ocpp.dispatch import AnswerWrong, CallFailed, CallRefused, Dispatch, LinkLost, Payload
from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.frames import FrameLog
from adapters.ocpp.live import STALE_INTERVALS, LiveState
from adapters.ocpp.schemas import SchemaViolation
from adapters.ocpp.sessions import SessionBook
from adapters.ocpp.settings import OcppDeviceSettings
from adapters.ocpp.v16.inbox import Inbox
from adapters.ocpp.v16.limits import Limiter
from adapters.ocpp.v16.setup import SetUp
from gateway.model.errors import CommandRefused, DeviceAnswerWrong, DeviceUnreachable, StoreError
from gateway.model.quantity import CURRENTS, Quantity
from gateway.model.reading import Reading
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec, Device
from gateway.model.snapshot import ChargePhase, ChargerStatus
from gateway.ports import Clock, FactStore, OnChange, SessionStore

log = logging.getLogger(__name__)

BOOT_WAIT_S = 3.0
"""A charger that did not send its BootNotification by then is asked for it, and set up anyway."""
REAL_BEAT_S = 0.5
UNREAD_BATCHES = 100


class Station:
    """A configured charger; currents A per phase, power W (charging positive), energies Wh."""

    period_s = 0.0

    def __init__(
        self,
        device: Device,
        settings: OcppDeviceSettings,
        clock: Clock,
        sessions: SessionStore,
        facts: FactStore,
        on_change: OnChange,
        ping_interval_s: float,
    ) -> None:
        self.id = device.id
        self.settings = settings
        self.frames = FrameLog()
        self.why_away = "the charger is not connected"
        """What keeps the charger away, in words."""
        spec = device.spec if isinstance(device.spec, ChargerSpec) else ChargerSpec()
        self._clock = clock
        self._on_change = on_change
        self._ping_interval_s = ping_interval_s
        self._phases = spec.phases
        self._live = LiveState(device.id, spec.phases, clock, float(settings.sample_interval_s))
        self._book = SessionBook(device.id, sessions, clock)
        self._facts = ChargerFacts(device.id, facts)
        self._limiter = Limiter(device.id, spec, self._live, self._book, self._facts, clock, self._ask)
        self._inbox = Inbox(
            self._live, self._book, self._facts, self._limiter, spec.phases, clock, self._changed, self._measured
        )
        self._set_up = SetUp(device.id, self._ask, self._facts)
        self._link: Dispatch | None = None
        self._wish: Setpoint | None = None
        self._applying = asyncio.Lock()
        self._booted = asyncio.Event()
        self._reapply = asyncio.Event()
        self._batches: deque[list[Reading]] = deque(maxlen=UNREAD_BATCHES)
        self._news = asyncio.Event()
        self._polling = True

    # ---- Meter

    async def read(self) -> list[Reading]:
        """The next live readings, as soon as the charger tells them; raises DeviceUnreachable while it is away.

        A connected charger that rests is read as 0 W once per sampling interval.
        """
        while not self._batches:
            self._news.clear()
            if await self._quiet():
                if self._link is None:
                    raise DeviceUnreachable(self.id, "read", self.why_away)
                self._inbox.rest()
        return self._batches.popleft()

    async def _quiet(self) -> bool:
        """Wait for news, at most one sampling interval; whether there was none."""
        pause = asyncio.ensure_future(self._clock.sleep(self._live.interval_s, real_floor=REAL_BEAT_S))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait((pause, news), return_when=asyncio.FIRST_COMPLETED)
            return not news.done()
        finally:
            pause.cancel()
            news.cancel()

    # ---- EvCharger

    def status(self) -> ChargerStatus:
        """What is known now, without asking the charger; stale values are None."""
        session, limit = self._book.open_session(), self._limiter.in_force()
        values = {1: self._live.value(CURRENTS[0]), 2: self._live.value(CURRENTS[1]), 3: self._live.value(CURRENTS[2])}
        return ChargerStatus(
            id=self.id,
            phase=self._phase(),
            connected=self._link is not None,
            transaction=str(session.transaction) if session else "",
            session_start=session.start if session else None,
            session_wh=session.energy_wh if session else 0.0,
            power_w=self._live.value(Quantity.POWER),
            current_a=(values[1], values[2], values[3]),
            offered_a=self._live.value(Quantity.CURRENT_OFFERED),
            soc_percent=self._live.value(Quantity.SOC),
            accepted_limit_a=limit.current_a if limit else None,
            accepted_at=limit.at if limit else None,
            meter_age_s=self._live.age_s(),
            sample_interval_s=self._live.interval_s,
            rung=self._limiter.rung.words,
            model=self._facts.make.words,
        )

    def _phase(self) -> ChargePhase:
        if self._link is None:
            return ChargePhase.OFFLINE
        if self._limiter.paused_by_availability and self._live.phase is ChargePhase.FAULTED:
            return ChargePhase.PLUGGED  # out of service because we asked for it
        in_session = self._book.open_session() is not None
        return self._live.phase or (ChargePhase.PLUGGED if in_session else ChargePhase.AVAILABLE)

    async def apply(self, setpoint: Setpoint) -> None:
        """Set the current per phase (A; 0 pauses) until the setpoint's end; returns once accepted.

        Raises DeviceUnreachable without a connection or answer, CommandRefused when every way of limiting is refused.
        """
        if setpoint.kind is not SetpointKind.CURRENT:
            raise CommandRefused(self.id, "apply", f"a charger takes no {setpoint.kind.name}")
        self._wish = setpoint
        await self._apply(setpoint)

    async def _apply(self, setpoint: Setpoint) -> None:
        if self._link is None:
            raise DeviceUnreachable(self.id, "limit", "the charger is not connected")
        async with self._applying:
            try:
                await self._limiter.apply(setpoint.value, setpoint.until)
            except CallFailed as error:
                raise DeviceUnreachable(self.id, "limit", str(error)) from None

    async def next_rung(self) -> str:
        """Accepted but not honoured: go to the next way of limiting, send the wish that way, and name it.

        Raises CommandRefused at the last way, DeviceUnreachable.
        """
        rung = await self._limiter.next_rung()
        if self._wish is not None and self._wish.until > self._clock.now():
            await self._apply(self._wish)
        return rung.words

    # ---- the connection

    async def prepare(self) -> None:
        """Recall sessions and facts from the store, before the first message; raises StoreError."""
        await self._book.resume()
        await self._facts.load()
        self._limiter.learn_features(None, ("A", "W"))

    async def handle(self, action: str, payload: Payload) -> Payload:
        """The answer to one call of the charger."""
        return await self._inbox.handle(action, payload)

    def answered(self, action: str) -> None:
        """Our answer is on the wire: what must come after it may."""
        if action == "BootNotification":
            self._booted.set()
        elif action == "StartTransaction":
            self._reapply.set()

    def attach(self, link: Dispatch) -> None:
        """This connection is the charger's now; an older one is no longer listened to."""
        replaced, self._link = self._link, link
        self._booted.clear()
        if replaced is None:
            log.info("%s: connected", self.id)
            self._changed("connected")
        else:
            replaced.close()

    async def detach(self, link: Dispatch) -> None:
        """This connection ended; the cleanup of a replaced one changes nothing."""
        link.close()
        if self._link is not link:
            return
        self._link = None
        log.info("%s: disconnected", self.id)
        self._changed("disconnected")
        try:
            await self._book.save()
        except StoreError as error:
            log.warning("%s: the energy register could not be kept: %s", self.id, error)

    async def care(self, link: Dispatch) -> None:
        """Look after the charger on this connection until cancelled: set-up at each boot, wishes, silent meters."""
        await self._wait_for_boot()
        while self._link is link:
            self._booted.clear()
            await self._guarded_set_up()
            while not self._booted.is_set() and self._link is link:
                await self._beat()

    async def _wait_for_boot(self) -> None:
        waiting = asyncio.ensure_future(self._booted.wait())
        pause = asyncio.ensure_future(self._clock.sleep(BOOT_WAIT_S, real_floor=REAL_BEAT_S))
        try:
            await asyncio.wait((waiting, pause), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            pause.cancel()
        if not self._booted.is_set():
            await self._guarded_trigger("BootNotification")

    async def _beat(self) -> None:
        """One round of care: at once when a session started, else once per sampling interval."""
        woken = [asyncio.ensure_future(event.wait()) for event in (self._booted, self._reapply)]
        pause = asyncio.ensure_future(self._clock.sleep(self._live.interval_s, real_floor=REAL_BEAT_S))
        try:
            await asyncio.wait((*woken, pause), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*woken, pause):
                task.cancel()
        if self._reapply.is_set() or self._limiter.wants_repeat():
            self._reapply.clear()
            await self._repeat_wish()
        await self._poll_silent_meter()

    async def _repeat_wish(self) -> None:
        """The wish holds on, but the charger must be told anew: a new transaction, a reboot, other phases in use."""
        if self._wish is None or self._wish.until <= self._clock.now():
            return
        try:
            await self._apply(self._wish)
        except (DeviceUnreachable, CommandRefused) as error:
            log.warning("%s", error)

    async def _poll_silent_meter(self) -> None:
        """A charger that sends no samples in a session is asked for them, unless it does not know how."""
        age = self._live.age_s()
        silent = age is None or age > (STALE_INTERVALS - 1) * self._live.interval_s
        if silent and self._polling and self._book.open_session() is not None:
            self._polling = await self._guarded_trigger("MeterValues", connectorId=1)

    async def _guarded_trigger(self, message: str, **fields: Any) -> bool:
        try:
            return await self._set_up.trigger(message, **fields)
        except LinkLost:
            return False

    async def _guarded_set_up(self) -> None:
        try:
            await self._run_set_up()
        except (CallFailed, CommandRefused) as error:
            log.warning("%s: set-up: %s", self.id, error)
        except Exception:  # a charger with a strange configuration keeps its sessions and its limits
            log.exception("%s: set-up failed", self.id)
        await self._repeat_wish()

    async def _run_set_up(self) -> None:
        self._polling = True
        await self._set_up.trigger("StatusNotification", connectorId=1)
        features = await self._set_up.read_features()
        self._limiter.learn_features(features.max_stack, features.units)
        try:
            await self._limiter.set_safe_default()
        except CommandRefused as error:
            log.warning("%s; without us it may charge at its own limit", error)
        await self._repeat_wish()
        self._live.interval_s = await self._set_up.configure(
            features, self.settings.sample_interval_s, self._ping_interval_s
        )

    # ---- inside

    async def _ask(self, action: str, payload: Payload) -> Payload:
        link = self._link
        if link is None:
            raise LinkLost("the charger is not connected")
        try:
            return await link.call(action, payload)
        except SchemaViolation as error:
            raise AnswerWrong(f"our own {action} is wrong: {error}") from None

    async def call(self, action: str, payload: Payload) -> Payload:
        """Any OCPP call, for tools; raises DeviceUnreachable, CommandRefused, DeviceAnswerWrong."""
        try:
            return await self._ask(action, payload)
        except CallRefused as error:
            raise CommandRefused(self.id, action, str(error)) from None
        except AnswerWrong as error:
            raise DeviceAnswerWrong(self.id, action, str(error)) from None
        except CallFailed as error:
            raise DeviceUnreachable(self.id, action, str(error)) from None

    def _changed(self, what: str) -> None:
        self._news.set()
        self._on_change(self.id, what)

    def _measured(self, readings: list[Reading]) -> None:
        self._batches.append(readings)
        self._news.set()
