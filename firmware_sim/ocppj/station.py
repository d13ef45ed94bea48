"""What a charge point does whatever version it speaks: follow car and limit, measure, boot, misbehave."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from firmware_sim.clock import SimClock
from firmware_sim.ocppj import following, quirks, shapes
from firmware_sim.ocppj.car import Car
from firmware_sim.ocppj.connector import Connector, Offer, RemoteStart, Transaction
from firmware_sim.ocppj.limiting import heeds
from firmware_sim.ocppj.line import UNREACHABLE, Ears, Line, Payload, Refused, Silent
from firmware_sim.ocppj.notices import Notices
from firmware_sim.ocppj.options import Options
from firmware_sim.ocppj.profiles import ProfileStore, Session

REBOOT_S = 8.0
SLOW_REDIAL_S = 360.0
DROPS, DROP_AT_CALL = 3, 2
HEARD = 2000


class Station(Ears):
    """Everything the firmware knows; a version adds how it is said."""

    version = ""
    calls: Mapping[str, shapes.Shape] = {}
    answers: Mapping[str, shapes.Shape] = {}

    def __init__(self, clock: SimClock, options: Options, offers: Sequence[Offer], car: Car | None = None) -> None:
        self.clock, self.options = clock, options
        self.quirks = set(options.quirks)
        self.connectors = [Connector(number, offer) for number, offer in enumerate(offers, 1)]
        self.connectors[0].car = car or Car()
        self.profiles = ProfileStore(heeded=lambda profile: heeds(profile, self.quirks))
        self.operative = True
        self.booted = False
        self.rebooting = False
        self.heartbeat_s = 300.0
        self.heard: deque[tuple[str, Payload]] = deque(maxlen=HEARD)
        """Each call of the central system, as it came."""
        self.security = options.address.security
        self.line = Line(options.address, self)
        self.line.redial_s = self._redial_s
        self._heard_on_line = 0
        self._accepted = asyncio.Event()
        """Set by an accepted boot, which a trigger may have asked for: it ends the wait of a pending one."""
        self._notices = Notices(self.line)
        self._triggered = False
        self._tasks: set[asyncio.Task[None]] = set()

    # --- how a version says it ----------------------------------------------------------------------------------

    def handle(self, action: str, payload: Payload) -> Payload:
        """The payload of the CALLRESULT; raises Refused for a CALLERROR, Silent for none."""
        raise NotImplementedError

    def boot_payload(self) -> Payload:
        """BootNotification."""
        raise NotImplementedError

    async def authorized(self, tag: str) -> bool:
        """Ask the central system about a tag; raises what `UNREACHABLE` names."""
        raise NotImplementedError

    def tell_begin(self, connector: Connector, started: Transaction) -> None:
        """A transaction began."""
        raise NotImplementedError

    def tell_end(self, connector: Connector, ended: Transaction, reason: str) -> None:
        """A transaction ended; `reason` is one of 1.6 section 7.36."""
        raise NotImplementedError

    def tell_status(self, connector: Connector | None) -> None:
        """The status of one connector, or of the station."""
        raise NotImplementedError

    def tell_values(self, connector: Connector, context: str) -> None:
        """A sampling of the meter."""
        raise NotImplementedError

    def tell_state(self, connector: Connector) -> None:
        """The charging state changed inside a transaction."""

    def interval_s(self, kind: str) -> float:
        """A setting in seconds: sample, aligned or connection."""
        raise NotImplementedError

    async def run(self) -> None:
        """Charge, measure and talk until cancelled."""
        for kind in self.quirks & quirks.MOMENTARY:
            self.later(self.misbehave(kind, None if kind == quirks.HANG else 30.0))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.line.run(), name="line")
            group.create_task(self._ticks(), name="ticks")
            group.create_task(self._heartbeats(), name="heartbeats")
            group.create_task(self._notices.run(lambda: self.booted), name="notices")

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` after the present answer is out."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def soon(self, act: Callable[[], None]) -> None:
        """Do `act` after the present answer is out."""

        async def do() -> None:
            await asyncio.sleep(0)
            act()

        self.later(do())

    def triggered(self, tell: Callable[[], None]) -> None:
        """Tell what a trigger asked for, after the present answer is out: that may go out before the boot is accepted."""

        def act() -> None:
            self._triggered = True
            tell()
            self._triggered = False

        self.soon(act)

    def connector(self, number: int) -> Connector | None:
        """The connector of that number, None when there is none."""
        return self.connectors[number - 1] if 1 <= number <= len(self.connectors) else None

    def places(self, number: int) -> list[Connector]:
        """One connector, or all of them for 0."""
        found = self.connector(number)
        return list(self.connectors) if number == 0 else [found] if found else []

    def answer(self, action: str, payload: Payload) -> Payload:
        """Judge the call by its shape, then carry it out; raises Refused or Silent."""
        self.heard.append((action, payload))
        self._heard_on_line += 1
        if quirks.DROPS_IN_SETUP in self.quirks and self.line.dials <= DROPS and self._heard_on_line >= DROP_AT_CALL:
            self.line.drop(0.0)
            raise Silent
        shape = self.calls.get(action)
        if shape is not None:
            self._judge(action, shape, payload)
        return self.handle(action, payload)

    def judge(self, action: str, payload: Payload) -> None:
        """Judge an answer; raises Refused where it breaks the standard."""
        shape = self.answers.get(action)
        if shape is not None:
            self._judge(f"answer to {action}", shape, payload)

    def _judge(self, what: str, shape: shapes.Shape, payload: Payload) -> None:
        try:
            shape.check(payload, "")
        except shapes.Wrong as wrong:
            self.line.wire_errors.append(f"{what}{wrong}")
            codes = shapes.CODES["1.6" if self.version == "1.6" else "2"]
            raise Refused(codes[wrong.kind], str(wrong)) from wrong

    # --- one tick -----------------------------------------------------------------------------------------------

    async def _ticks(self) -> None:
        while True:
            if not self.rebooting:
                self.tick(self.clock.now())
            await self.clock.sleep(1.0, 0.1)

    def tick(self, now: datetime) -> None:
        """Follow each car, limit and meter once."""
        for connector in self.connectors:
            following.follow_car(self, connector, now)
            following.follow_limit(
                self, connector, self.clock.now()
            )  # a transaction begun just now is newer than `now`
            following.follow_status(self, connector, now)
            following.measure(self, connector, now)

    def follow_limits(self) -> None:
        """A new profile takes effect at once, not at the next tick."""
        if not self.rebooting:
            for connector in self.connectors:
                following.follow_limit(self, connector, self.clock.now())

    # --- transactions -------------------------------------------------------------------------------------------

    def begin(self, connector: Connector, tag: str, wish: RemoteStart | None = None) -> None:
        """Start a transaction; the message goes out in order, now or when the line is back."""
        started = Transaction(tag, self.clock.now(), connector.car.energy_wh, offline=not self.line.up)
        if wish is not None:
            started.profile, started.remote_start_id = wish.profile, wish.id
        connector.transaction = started
        connector.sampled_at = None
        if started.profile:
            self.profiles.install(started.profile)
        self.tell_begin(connector, started)

    def end(self, connector: Connector, reason: str) -> None:
        """Stop the running transaction and open the contactor."""
        ended = connector.transaction
        if ended is None:
            return
        connector.transaction, connector.finished = None, True
        connector.stuck = reason == "Remote" and quirks.STUCK_IN_FINISHING in self.quirks
        self.profiles.forget_transaction(connector.number)
        self.tell_end(connector, ended, reason)

    def session_of(self, number: int) -> Session | None:
        """The transaction on one connector; for 0 the only running one."""
        for connector in self.places(number):
            if connector.transaction:
                return connector.session()
        return None

    def set_operative(self, number: int, operative: bool) -> bool:
        """Change the availability; True where a running transaction delays it."""
        places = self.places(number)
        for connector in places if number else []:
            connector.operative = operative
        if number == 0:
            self.operative = operative
        return not operative and any(connector.transaction for connector in places)

    def break_down(self, places: list[Connector]) -> None:
        """Out of order until the next reset."""
        for connector in places:
            connector.broken = True
            self.end(connector, "Other")

    def said_tag(self, tag: str, stopping: bool) -> str:
        """The tag as this firmware quotes it."""
        if quirks.TAG_OVERREAD in self.quirks and stopping and len(tag) >= 20:
            return tag[:20] + "\u00ff\u0013@\u00e9\u0001garbage"
        if quirks.GARBLED_TAG in self.quirks:
            return tag[:16] + "\u0001\u00fe\u007f"
        return tag

    # --- the line -----------------------------------------------------------------------------------------------

    async def opened(self) -> None:
        """Boot when it has not yet, then tell the status."""
        self._heard_on_line = 0
        while not self.booted and quirks.NO_BOOT not in self.quirks:
            await self.boot()
        self.booted = True
        self.report_status()

    async def boot(self) -> None:
        """BootNotification (1.6 section 4.2): wait the given interval when it is not accepted, or until another one is."""
        self._accepted.clear()
        try:
            answer = await self.line.call("BootNotification", self.boot_payload())
        except (Refused, TimeoutError):
            await self.clock.sleep(10.0, 0.5)
            return
        interval_s = float(answer["interval"] or 300)
        if answer["status"] == "Accepted":
            self.booted = True
            self.heartbeat_s = interval_s
            self._accepted.set()
        else:
            await self._wait_for_acceptance(interval_s)

    async def _wait_for_acceptance(self, at_most_s: float) -> None:
        accepted = asyncio.ensure_future(self._accepted.wait())
        pause = asyncio.ensure_future(self.clock.sleep(at_most_s, 0.5))
        try:
            await asyncio.wait({accepted, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            accepted.cancel()
            pause.cancel()

    async def boot_again(self) -> None:
        """As a trigger asks for; a broken line is no matter."""
        try:
            await self.boot()
        except UNREACHABLE:
            return

    def report_status(self) -> None:
        """The status of the station and of each connector."""
        for connector in (None, *self.connectors):
            self.tell_status(connector)

    def notice(self, action: str, payload: Payload) -> None:
        """Send a message that is lost when the line is down."""
        self._notices.put(action, payload, triggered=self._triggered)

    async def _heartbeats(self) -> None:
        while True:
            await self.clock.sleep(self.heartbeat_s or 300.0, 0.5)
            if self.booted and self.line.up:
                self.notice("Heartbeat", {})

    def _redial_s(self) -> float:
        if quirks.SLOW_REDIAL in self.quirks:
            return max(SLOW_REDIAL_S / self.clock.speed, 0.5)
        return random.uniform(0.5, 2.0)

    # --- faults -------------------------------------------------------------------------------------------------

    async def misbehave(self, kind: str, for_s: float | None) -> None:
        """Show a quirk for `for_s` real seconds, or for good when None."""
        if kind == quirks.REBOOT:
            return await self.reboot("Reboot" if self.options.stop_on_reboot else None)
        if kind == quirks.DROP:
            return self.line.drop(for_s or 0.0)
        self.quirks.add(kind)
        if kind == quirks.HANG:
            self.line.hang(True)
        if for_s is not None:
            await asyncio.sleep(for_s)
            self.clear(kind)
        return None

    def clear(self, kind: str) -> None:
        """Behave again."""
        self.quirks.discard(kind)
        if kind == quirks.HANG:
            self.line.hang(False)

    async def reboot(self, stop_reason: str | None) -> None:
        """Restart: the contactor opens, TxProfile is lost, the line drops, BootNotification comes again.

        Without `stop_reason` the transaction goes on under its id afterwards, as many chargers do.
        """
        for connector in self.connectors:
            if stop_reason and connector.transaction:
                self.end(connector, stop_reason)
            connector.finished = connector.stuck = connector.broken = False
        if stop_reason:
            await asyncio.sleep(0.3)  # the end of the transaction goes out before the line
        self.rebooting, self.booted = True, False
        for connector in self.connectors:
            connector.offered_a = 0.0
            connector.set_pilot(0.0, 3)
        self.profiles.forget_transaction()
        down_s = max(REBOOT_S / self.clock.speed, 0.5)
        self.line.drop(down_s)
        await asyncio.sleep(down_s)
        self.rebooting = False
