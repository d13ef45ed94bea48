"""A small charger with a car, in this process: it keeps charging profiles as the standard says, but for its quirks.

It shares no code with the product's encoding: profiles are read from the payloads, which are checked by the standard's
schemas first. `Drive` plays the tick: it renews the wish, looks at the samples, and climbs when a limit is not honoured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adapters.ocpp.dispatch import NoAnswer
from adapters.ocpp.facts import ChargerFacts
from adapters.ocpp.limits import Limiter
from adapters.ocpp.live import LiveState
from adapters.ocpp.samples import Sample
from adapters.ocpp.schemas import Schemas
from adapters.ocpp.sessions import SessionBook
from adapters.ocpp.v2.profiles import Profiles2
from adapters.ocpp.v16.profiles import Profiles16
from gateway.core.control.timing import ControlTiming
from gateway.core.control.verification import honours
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused
from gateway.model.quantity import CURRENTS, Quantity
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import ChargerSpec
from gateway.model.snapshot import ChargePhase, ChargerStatus
from tests.fakes import FakeClock, FakeStore

SAMPLE_S = 10
VOLTAGE_V = 230.0
SCHEMAS: dict[str, Schemas] = {}


def schemas(version: str) -> Schemas:
    return SCHEMAS.setdefault(version, Schemas(version))


@dataclass
class Stored:
    """One profile as this charger understood it; periods are (start s, limit, phases)."""

    number: int
    purpose: str
    kind: str
    stack: int
    unit: str
    place: int
    periods: list[tuple[int, float, int]]
    start: datetime | None
    duration_s: float | None
    valid_to: datetime | None

    def holds(self, now: datetime, tx_start: datetime | None) -> tuple[float, int] | None:
        """(limit, phases) at `now`, by the charger's own clock; None outside its time."""
        begin = self.start if self.kind == "Absolute" else tx_start
        if begin is None or (self.valid_to is not None and now >= self.valid_to):
            return None
        age = (now - begin).total_seconds()
        if age < 0 or (self.duration_s is not None and age >= self.duration_s):
            return None
        return next(((limit, phases) for at, limit, phases in reversed(self.periods) if age >= at), None)


Rule = Callable[[Stored], bool]


@dataclass
class Quirk:
    """How a charger differs from the standard, profile by profile."""

    refuses: Rule = lambda p: False
    ignores: Rule = lambda p: False
    """Accepted, then forgotten."""
    silent: Rule = lambda p: False
    """Never answered."""
    zero_means_a: float | None = None
    """What it does at 0 A instead of pausing."""
    refuses_actions: tuple[str, ...] = ()
    ignores_stop: bool = False
    ignores_all: bool = False
    starts_by_itself: bool = True
    stuck_after_stop: bool = False
    composite: str = "nonsense"
    """"right", "nonsense", "refused" or "silent"."""
    one_phase_car: bool = False
    offers: bool = True
    over_a: float = 0.0
    """It gives so much more than it is told."""
    foreign: Stored | None = None
    stamps_local: timedelta | None = None
    """It writes its stamps so much ahead of its clock, which is what it reads profiles by."""


@dataclass
class Box:
    """The charger: what it was told, what its car draws, how often its memory was written."""

    version: str = "1.6"
    quirk: Quirk = field(default_factory=Quirk)
    spec: ChargerSpec = field(default_factory=ChargerSpec)
    units: tuple[str, ...] = ("A", "W")
    max_stack: int = 4
    switches: bool = False
    car_a: float = 16.0
    clock: FakeClock = field(default_factory=FakeClock)
    store: FakeStore = field(default_factory=FakeStore)
    ahead: timedelta | None = None
    """Its clock is so much ahead of ours; None: it is right, and its samples bear no stamp."""
    calls: list[tuple[datetime, str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rating_a = self.spec.max_current_a
        """What it offers without a profile."""
        self.profiles: list[Stored] = [self.quirk.foreign] if self.quirk.foreign else []
        self.plugged = self.in_service = True
        self.stuck = False
        self.scheduled: bool | None = None
        self.tx_start: datetime | None = None
        self.transaction, self.register_wh = 0, 0.0
        self.live = LiveState("car", self.spec.phases, self.clock, float(SAMPLE_S))
        self.book = SessionBook("car", self.store, self.clock)
        self.facts = ChargerFacts("car", self.store)
        encoding = Profiles16() if self.version == "1.6" else Profiles2()
        self.limiter = Limiter("car", self.spec, self.live, self.book, self.facts, self.clock, self.call, encoding, 1)
        self.limiter.learn_features(self.max_stack, self.units, self.switches)

    def its_time(self, ours: datetime) -> datetime:
        """What its clock shows at this instant of ours."""
        return ours + (self.ahead or timedelta())

    def its_stamp(self) -> datetime | None:
        """What it writes on a sample now."""
        if self.ahead is None and self.quirk.stamps_local is None:
            return None
        return self.its_time(self.clock.now()) + (self.quirk.stamps_local or timedelta())

    # ---- what it is told

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        schemas(self.version).check(action, payload)
        self.calls.append((self.clock.now(), action, payload))
        if action in self.quirk.refuses_actions:
            return {"status": "Rejected"}
        answer: dict[str, Any] = await getattr(self, f"_{action}")(payload)
        return answer

    async def _SetChargingProfile(self, payload: dict[str, Any]) -> dict[str, Any]:
        stored = self._read(payload)
        if stored.unit not in self.units:
            return {"status": "Rejected"}
        if self.quirk.silent(stored):
            raise NoAnswer("no answer to SetChargingProfile")
        if self.quirk.refuses(stored) or (stored.purpose == "TxProfile" and self.tx_start is None):
            return {"status": "Rejected"}
        if not self.quirk.ignores(stored):
            self._keep(stored)
        return {"status": "Accepted"}

    def _keep(self, new: Stored) -> None:
        alike = (new.purpose, new.stack, new.place)
        self.profiles = [p for p in self.profiles if p.number != new.number and (p.purpose, p.stack, p.place) != alike]
        self.profiles.append(new)

    def _read(self, payload: dict[str, Any]) -> Stored:
        if self.version == "1.6":
            profile, place = payload["csChargingProfiles"], payload["connectorId"]
            number, schedule = profile["chargingProfileId"], profile["chargingSchedule"]
            assert profile.get("transactionId", self.transaction) == self.transaction
        else:
            profile, place = payload["chargingProfile"], payload["evseId"]
            number, schedule = profile["id"], profile["chargingSchedule"][0]
            assert profile.get("transactionId", f"tx-{self.transaction}") == f"tx-{self.transaction}"
        return Stored(
            number, profile["chargingProfilePurpose"], profile["chargingProfileKind"], profile["stackLevel"],
            schedule["chargingRateUnit"], place,
            [(p["startPeriod"], p["limit"], p.get("numberPhases", 3)) for p in schedule["chargingSchedulePeriod"]],
            _time(schedule.get("startSchedule")), schedule.get("duration"), _time(profile.get("validTo")),
        )  # fmt: skip

    async def _ClearChargingProfile(self, payload: dict[str, Any]) -> dict[str, Any]:
        number = payload.get("id", payload.get("chargingProfileId"))
        which = payload.get("chargingProfileCriteria", payload)
        before = len(self.profiles)
        self.profiles = [
            p for p in self.profiles
            if not (p.number == number if number is not None else p.purpose == which["chargingProfilePurpose"])
        ]  # fmt: skip
        return {"status": "Accepted" if len(self.profiles) < before else "Unknown"}

    async def _RemoteStopTransaction(self, payload: dict[str, Any]) -> dict[str, Any]:
        assert payload["transactionId"] in (self.transaction, f"tx-{self.transaction}")
        if self.tx_start is None:
            return {"status": "Rejected"}
        if not self.quirk.ignores_stop:
            await self.end()
            self.stuck = self.quirk.stuck_after_stop
        return {"status": "Accepted"}

    _RequestStopTransaction = _RemoteStopTransaction

    async def _RemoteStartTransaction(self, payload: dict[str, Any]) -> dict[str, Any]:
        token = payload.get("idToken")
        assert len(token["idToken"] if token else payload["idTag"]) <= 16
        if not self.plugged or self.stuck or not self.in_service:
            return {"status": "Rejected"}
        await self.begin()
        if "chargingProfile" in payload:
            await self._SetChargingProfile(
                {"connectorId": 1, "csChargingProfiles": payload["chargingProfile"]} if self.version == "1.6"
                else {"evseId": 1, "chargingProfile": payload["chargingProfile"]}
            )  # fmt: skip
        return {"status": "Accepted"}

    _RequestStartTransaction = _RemoteStartTransaction

    async def _ChangeAvailability(self, payload: dict[str, Any]) -> dict[str, Any]:
        operative = payload.get("type", payload.get("operationalStatus")) == "Operative"
        if self.tx_start is not None:
            self.scheduled = operative
            return {"status": "Scheduled"}
        self.in_service = operative
        return {"status": "Accepted"}

    async def _GetCompositeSchedule(self, payload: dict[str, Any]) -> dict[str, Any]:
        limit = self.allowed()[0]
        good = {
            "chargingRateUnit": "A", "duration": payload["duration"],
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        }  # fmt: skip
        bad = {"chargingRateUnit": "A", "duration": 8_600_000_000_000, "chargingSchedulePeriod": []}
        if self.quirk.composite == "silent":
            await asyncio.Event().wait()
        if self.quirk.composite == "refused":
            return {"status": "Rejected"}
        schedule = good if self.quirk.composite == "right" else bad
        return {"status": "Accepted", "chargingSchedule" if self.version == "1.6" else "schedule": schedule}

    # ---- what it does

    async def begin(self) -> None:
        """A transaction begins, and the gateway hears of it."""
        self.tx_start, now = self.clock.now(), self.clock.now()
        self.register_wh += 1000.0  # a start at the same register is the same one, told again
        told = self.its_stamp() or now
        session = await self.book.start(1, "TAG", now.isoformat(), told, self.register_wh, their_id="")
        self.transaction = session.transaction
        if self.version != "1.6":
            await self.book.stop(session, now, self.register_wh, "replaced")
            number = session.transaction + 1
            session = await self.book.start(1, "TAG", now.isoformat(), told, self.register_wh, their_id=f"tx-{number}")
            self.transaction = number
        self.limiter.new_session()
        self.show()

    async def end(self) -> None:
        """The transaction ends; its profiles with it."""
        session = self.book.open_session()
        if session is not None:
            await self.book.stop(session, self.clock.now(), self.register_wh, "Remote")
        self.tx_start = None
        if self.scheduled is not None:
            self.in_service, self.scheduled = self.scheduled, None
        self.profiles = [p for p in self.profiles if p.purpose != "TxProfile"]
        self.show()

    def allowed(self) -> tuple[float, int]:
        """What its profiles combine to now: A per phase and phases."""
        if self.quirk.ignores_all:
            return self.rating_a, 3
        found: dict[str, tuple[float, int]] = {}
        for profile in sorted(self.profiles, key=lambda p: p.stack):
            began = None if self.tx_start is None else self.its_time(self.tx_start)
            if (held := profile.holds(self.its_time(self.clock.now()), began)) is not None:
                limit, phases = held
                carried = 1 if self.quirk.one_phase_car else phases
                amps = limit if profile.unit == "A" else limit / VOLTAGE_V / carried
                found[profile.purpose] = (amps, phases)
        ceiling = min((found[p][0] for p in found if "Max" in p), default=self.rating_a)
        amps, phases = found.get("TxProfile") or found.get("TxDefaultProfile") or (self.rating_a, 3)
        return min(amps, ceiling, self.rating_a), phases

    def currents(self) -> list[float]:
        """What the car draws, A per phase."""
        if self.tx_start is None or not self.plugged:
            return [0.0, 0.0, 0.0]
        limit, phases = self.allowed()
        if limit == 0 and self.quirk.zero_means_a is not None:
            limit = self.quirk.zero_means_a
        amps = min(limit + self.quirk.over_a, self.car_a) if limit >= 6 else 0.0
        used = 1 if self.quirk.one_phase_car or not self.switches else phases
        used = used if self.quirk.one_phase_car or self.switches else 3
        return [amps if index < used else 0.0 for index in range(3)]

    def show(self) -> None:
        """Tell state and samples, as inbox and meter values would."""
        amps = self.currents()
        if not self.plugged:
            self.live.phase = ChargePhase.AVAILABLE
        elif not self.in_service:
            self.live.phase = ChargePhase.FAULTED
        else:
            self.live.phase = ChargePhase.CHARGING if max(amps) > 0 else ChargePhase.PLUGGED
        values = dict(zip(CURRENTS, amps, strict=True)) | {Quantity.POWER: sum(amps) * VOLTAGE_V}
        if self.quirk.offers and self.tx_start is not None:
            values[Quantity.CURRENT_OFFERED] = self.allowed()[0]
        self.live.take_sample(Sample(self.its_stamp(), values))

    def status(self) -> ChargerStatus:
        session, value = self.book.open_session(), self.live.value
        return ChargerStatus(
            "car", self.live.phase or ChargePhase.AVAILABLE, True,
            transaction=str(session.transaction) if session else "",
            current_a=(value(CURRENTS[0]), value(CURRENTS[1]), value(CURRENTS[2])),
            offered_a=value(Quantity.CURRENT_OFFERED), meter_age_s=self.live.age_s(), sample_interval_s=SAMPLE_S,
        )  # fmt: skip

    def count(self, action: str) -> int:
        return sum(name == action for _, name, _ in self.calls)

    def told_profiles(self) -> list[dict[str, Any]]:
        """The profiles it was told, in order."""
        return [profile for _, profile in self._told()]

    def written(self, transactional: bool) -> list[datetime]:
        """When profiles of one kind were written: those that live in flash, or those of a transaction."""
        return [
            at for at, profile in self._told() if (profile["chargingProfilePurpose"] == "TxProfile") == transactional
        ]

    def _told(self) -> list[tuple[datetime, dict[str, Any]]]:
        keys = ("csChargingProfiles", "chargingProfile")
        return [
            (at, next(payload[key] for key in keys if key in payload))
            for at, name, payload in self.calls
            if name == "SetChargingProfile"
        ]


@dataclass
class Drive:
    """The tick's part: renew, look, climb; `told` is what a person was told."""

    box: Box
    told: list[str] = field(default_factory=list)
    disobeys: bool = False
    over_a_s: float = 0.0
    """Ampere-seconds drawn above the wish on the worst phase."""
    _wish: float | None = None
    _phases: int = 0
    _renewed: float = 0.0
    _accepted: float = 0.0
    _climbed: float = -1000.0

    async def run(self, wish: float, seconds: int, phases: int = 0) -> None:
        """Let seconds pass under a wish."""
        box = self.box
        for _ in range(seconds):
            now = box.clock.monotonic()
            changed = wish != self._wish or phases != self._phases
            due = changed or now - self._renewed >= 60
            if due or (int(now) % SAMPLE_S == 0 and box.limiter.wants_repeat()):
                if changed:
                    self._accepted = now
                await self._apply(wish, phases)
            if box.plugged and box.tx_start is None and box.quirk.starts_by_itself and box.in_service and not box.stuck:
                await box.begin()
                await self._apply(wish, phases)
            if int(now) % SAMPLE_S == 5:
                box.show()
            await self._verify(wish)
            self.over_a_s += max(0.0, max(box.currents()) - wish - 0.5)
            await box.clock.advance(1)

    async def _apply(self, wish: float, phases: int) -> None:
        self._wish, self._phases, self._renewed = wish, phases, self.box.clock.monotonic()
        try:
            await self.box.limiter.apply(wish, self.box.clock.now() + timedelta(seconds=120), phases)
        except NoAnswer:
            self._renewed -= 58  # the tick tries again a second later
        except CommandRefused as error:
            self.told.append(str(error))

    async def _verify(self, wish: float) -> None:
        now = self.box.clock.monotonic()
        held = Setpoint("car", SetpointKind.CURRENT, wish, self.box.clock.now(), Authority.PLAN, "")
        verdict = honours(self.box.status(), held, now - self._accepted, ControlTiming())
        if verdict is not None:
            self.disobeys = verdict is False
        if verdict is False and now - self._climbed > 15:
            self._climbed = self._accepted = now
            try:
                self.told.append((await self.box.limiter.next_rung()).words)
                await self._apply(wish, self._phases)
            except CommandRefused as error:
                self.told.append(str(error))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
