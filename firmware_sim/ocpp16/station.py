"""The charge point: one connector, its status, its transaction and the current it offers the car (OCPP 1.6)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from firmware_sim.clock import SimClock
from firmware_sim.ocpp16 import quirks
from firmware_sim.ocpp16.car import Car, sample, stamp
from firmware_sim.ocpp16.configuration import standard
from firmware_sim.ocpp16.line import Address, Line, LineDown, Payload, Queued, Refused
from firmware_sim.ocpp16.profiles import Profile, ProfileStore, Session

MIN_A = 6.0
SULKING_S = 15.0
"""Offered current unused for this long means SuspendedEV."""
REBOOT_S = 8.0
ALONE_AFTER_S = 4.0
"""Real seconds without a line after which a plugged car is served offline (section 3.5)."""
UNREACHABLE = (LineDown, Refused, TimeoutError)


@dataclass(frozen=True)
class Options:
    """How this station was built and set up."""

    address: Address
    id: str = "CP_1"
    meter_interval_s: float = 10.0
    max_current_a: float = 32.0
    tag: str = "HEARTH01"
    wait_for_remote_start: bool = False
    stop_on_reboot: bool = False
    quirks: frozenset[str] = frozenset()


@dataclass
class Transaction:
    """A charging transaction; `id` is None until the central system has named it."""

    tag: str
    started: datetime
    meter_start_wh: float
    id: int | None = None
    profile: Profile | None = None
    """From RemoteStartTransaction: in force from the start."""


@dataclass
class Station:
    """Everything the firmware knows. `offer` hands the offered current to the house, A per phase, 0 or 6 and more."""

    clock: SimClock
    options: Options
    offer: Callable[[float], None]
    answer: Callable[[Station, str, Payload], Payload]
    car: Car = field(default_factory=Car)
    profiles: ProfileStore = field(default_factory=ProfileStore)
    transaction: Transaction | None = None
    operative: bool = True
    offered_a: float = 0.0
    status: str = "Available"

    def __post_init__(self) -> None:
        self.quirks = set(self.options.quirks)
        self.config = standard(
            self.options.meter_interval_s,
            watts_only=quirks.WATTS_ONLY in self.quirks,
            stack_levels=0 if quirks.STACK0_ONLY in self.quirks else 5,
            strict_measurands=quirks.MEASURAND_REFUSE_LIST in self.quirks,
        )
        self.line = Line(self.options.address, lambda action, payload: self.answer(self, action, payload), self._opened)
        self.line.ping_interval_s = self.config.number("WebSocketPingInterval") or None
        self.booted = False
        self.rebooting = False
        self.remote_start: tuple[str, Profile | None, datetime] | None = None
        self._finished = False
        self._authorizing = False
        self._unused_since: datetime | None = None
        self._sampled_at: datetime | None = None
        self._aligned_at: int | None = None
        self._notices: asyncio.Queue[tuple[str, Payload]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Charge, measure and talk until cancelled."""
        for kind in self.quirks & {quirks.HANG, quirks.DROP, quirks.REBOOT}:
            self.later(self.misbehave(kind, None if kind == quirks.HANG else 30.0))
        async with asyncio.TaskGroup() as group:
            group.create_task(self.line.run(), name="line")
            group.create_task(self._ticks(), name="ticks")
            group.create_task(self._heartbeats(), name="heartbeats")
            group.create_task(self._notify(), name="notices")

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` after the present answer is out."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def session(self) -> Session | None:
        """The transaction as the profiles see it."""
        running = self.transaction
        return Session(running.id, running.started) if running else None

    # --- one tick -----------------------------------------------------------------------------------------------

    async def _ticks(self) -> None:
        while True:
            if not self.rebooting:
                self.tick(self.clock.now())
            await self.clock.sleep(1.0, 0.1)

    def tick(self, now: datetime) -> None:
        """Follow the car, the limit and the meter once."""
        self._follow_car(now)
        self._follow_limit(self.clock.now())  # a transaction begun just now is newer than `now`
        self._follow_status(now)
        self._measure(now)

    def _follow_car(self, now: datetime) -> None:
        if not self.car.plugged:
            self._finished = False
            if self.transaction:
                self.end("EVDisconnected")
                self._finished = False
            return
        if self.transaction or not self.operative or self._authorizing:
            return
        if self.remote_start and now - self.remote_start[2] <= self._connection_timeout():
            tag, profile, _ = self.remote_start
            self.remote_start = None
            self.begin(tag, profile)
        elif not self._finished and not self.options.wait_for_remote_start and self._may_ask():
            self._authorizing = True
            self.later(self._authorize_and_begin())

    def _may_ask(self) -> bool:
        """Ask the central system when it is there; go on alone once it has been away for a while."""
        return (self.booted and self.line.up) or self.line.down_s > ALONE_AFTER_S

    def follow_limit(self) -> None:
        """A new profile takes effect at once, not at the next tick."""
        if not self.rebooting:
            self._follow_limit(self.clock.now())

    def _follow_limit(self, now: datetime) -> None:
        if quirks.LIE in self.quirks and self.transaction:
            return
        offered = self._allowed_a(now) if self.transaction else 0.0
        if offered != self.offered_a:
            self.offered_a = offered
            self.offer(offered)

    def _allowed_a(self, now: datetime) -> float:
        limit = self.profiles.limit_a(now, self.session(), self.car.supply())
        allowed = self.options.max_current_a if limit is None else min(limit, self.options.max_current_a)
        step = 1.0 if quirks.WHOLE_AMPS in self.quirks else 10.0
        allowed = math.floor(allowed * step + 1e-6) / step
        return allowed if allowed >= MIN_A else 0.0

    def _follow_status(self, now: datetime) -> None:
        status = self._status(now)
        if status != self.status:
            self.status = status
            self.report_status()

    def _status(self, now: datetime) -> str:
        if self.transaction is None:
            if not self.operative:
                return "Unavailable"
            return "Available" if not self.car.plugged else "Finishing" if self._finished else "Preparing"
        if self.offered_a == 0.0 or self.car.drawing:
            self._unused_since = None
            return "Charging" if self.car.drawing else "SuspendedEVSE"
        self._unused_since = self._unused_since or now
        sulking = (now - self._unused_since).total_seconds() >= SULKING_S
        return "SuspendedEV" if sulking or self.status == "SuspendedEV" else self.status

    # --- transactions -------------------------------------------------------------------------------------------

    async def _authorize_and_begin(self) -> None:
        try:
            answer = await self.line.call("Authorize", {"idTag": self.options.tag})
            accepted = answer["idTagInfo"]["status"] == "Accepted"
        except UNREACHABLE:
            accepted = self.config.keys["LocalAuthorizeOffline"].value == "true"
        if accepted and self.car.plugged and self.transaction is None:
            self.begin(self.options.tag, None)
        elif not accepted:
            await self.clock.sleep(10.0, 0.2)
        self._authorizing = False

    def begin(self, tag: str, profile: Profile | None) -> None:
        """Start a transaction; the message goes out in order, now or when the line is back."""
        started = Transaction(tag, self.clock.now(), self.car.energy_wh, profile=profile)
        self.transaction = started
        self._sampled_at = None
        if profile:
            self.profiles.install(profile)
        payload = {
            "connectorId": 1,
            "idTag": tag,
            "meterStart": round(started.meter_start_wh),
            "timestamp": stamp(started.started),
        }
        for _ in range(2 if quirks.REPEAT_START in self.quirks else 1):
            self.line.enqueue(Queued("StartTransaction", lambda: payload, lambda answer: self._named(started, answer)))

    def _named(self, started: Transaction, answer: Payload) -> None:
        started.id = answer["transactionId"]
        refused = answer["idTagInfo"]["status"] not in ("Accepted", "ConcurrentTx")
        if refused and self.transaction is started and self.config.keys["StopTransactionOnInvalidId"].value == "true":
            self.end("DeAuthorized")

    def end(self, reason: str) -> None:
        """Stop the running transaction and open the contactor."""
        ended, at, register_wh = self.transaction, self.clock.now(), self.car.energy_wh
        if ended is None:
            return
        self.transaction, self._finished = None, True
        self.profiles.forget_transaction()
        self.line.enqueue(
            Queued(
                "StopTransaction",
                lambda: {
                    "transactionId": self._quoted(ended, unknown=-1),
                    "idTag": ended.tag,
                    "meterStop": round(register_wh),
                    "timestamp": stamp(at),
                    "reason": reason,
                },
            )
        )

    def _quoted(self, transaction: Transaction, unknown: int | None = None) -> int | None:
        if quirks.GARBAGE_TRANSACTION_ID in self.quirks:
            return quirks.GARBAGE_ID
        return unknown if transaction.id is None else transaction.id

    # --- the meter ----------------------------------------------------------------------------------------------

    def _measure(self, now: datetime) -> None:
        every_s = self.config.number("MeterValueSampleInterval")
        due = self._sampled_at is None or (now - self._sampled_at).total_seconds() >= every_s
        if self.transaction and every_s > 0 and due:
            self._sampled_at = now
            self.send_meter_values("Sample.Periodic", "MeterValuesSampledData")
        aligned_s = self.config.number("ClockAlignedDataInterval")
        if aligned_s > 0:
            slot = int(now.timestamp() // aligned_s)
            if self._aligned_at is not None and slot != self._aligned_at:
                self.send_meter_values("Sample.Clock", "MeterValuesAlignedData")
            self._aligned_at = slot

    def send_meter_values(self, context: str, key: str) -> None:
        """Sample now; inside a transaction the message is kept for a broken line."""
        value = sample(self.car, self.offered_a, self.config.measurands(key), context, self.clock.now())
        running = self.transaction
        if running is None:
            self._notices.put_nowait(("MeterValues", {"connectorId": 1, "meterValue": [value]}))
            return

        def build() -> Payload:
            quoted = self._quoted(running)
            named = {} if quoted is None else {"transactionId": quoted}
            return {"connectorId": 1, **named, "meterValue": [value]}

        self.line.enqueue(Queued("MeterValues", build))

    # --- the line -----------------------------------------------------------------------------------------------

    async def _opened(self) -> None:
        while not self.booted and quirks.NO_BOOT not in self.quirks:
            await self.boot()
        self.booted = True
        self.report_status()

    async def boot(self) -> None:
        """BootNotification (section 4.2): wait the given interval when it is not accepted."""
        payload = {
            "chargePointVendor": "Hearth Simulations",
            "chargePointModel": "Wallbox 22",
            "chargePointSerialNumber": self.options.id,
            "firmwareVersion": "1.0.0",
        }
        try:
            answer = await self.line.call("BootNotification", payload)
        except (Refused, TimeoutError):
            await self.clock.sleep(10.0, 0.5)
            return
        interval_s = float(answer.get("interval") or 300)
        if answer["status"] == "Accepted":
            self.booted = True
            self.config.keys["HeartbeatInterval"].value = str(round(interval_s))
        else:
            await self.clock.sleep(interval_s, 0.5)

    async def _heartbeats(self) -> None:
        while True:
            await self.clock.sleep(self.config.number("HeartbeatInterval") or 300.0, 0.5)
            if self.booted and self.line.up:
                self.notice("Heartbeat", {})

    def notice(self, action: str, payload: Payload) -> None:
        """Send a message that is lost when the line is down."""
        self._notices.put_nowait((action, payload))

    def report_status(self) -> None:
        """StatusNotification of the station (connector 0) and of its connector."""
        whole = "Available" if self.operative else "Unavailable"
        for connector, status in ((0, whole), (1, self.status)):
            payload = {"connectorId": connector, "errorCode": "NoError", "status": status}
            self.notice("StatusNotification", {**payload, "timestamp": stamp(self.clock.now())})

    async def _notify(self) -> None:
        while True:
            action, payload = await self._notices.get()
            if self.booted or action == "BootNotification":
                try:
                    await self.line.call(action, payload)
                except UNREACHABLE:
                    continue

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
        if stop_reason:
            self.end(stop_reason)
            self._finished = False
            await asyncio.sleep(0.3)  # the StopTransaction goes out before the line
        self.rebooting, self.booted, self.offered_a = True, False, 0.0
        self.offer(0.0)
        self.profiles.forget_transaction()
        down_s = max(REBOOT_S / self.clock.speed, 0.5)
        self.line.drop(down_s)
        await asyncio.sleep(down_s)
        self.rebooting = False

    def _connection_timeout(self) -> timedelta:
        return timedelta(seconds=self.config.number("ConnectionTimeOut"))
