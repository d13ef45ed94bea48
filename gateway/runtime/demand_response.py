"""The DR loop: poll, keep, decide, apply at the second, report; with or without the utility's server."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from gateway.core.demand_response.response import decide_opt, not_understood, to_limits
from gateway.core.demand_response.strategies import Strategies
from gateway.core.demand_response.timeline import build_timeline, draw_shifts, phase_of
from gateway.model.audit import AuditRow
from gateway.model.dr import DrEvent, DrProgram, EventPhase, EventRecord, OptState, Timeline
from gateway.model.errors import ServerError, ServerUnreachable, WishRefused
from gateway.model.preferences import Preferences
from gateway.model.setpoint import Limit
from gateway.model.site import Site
from gateway.ports import Clock, DrServer, Store
from gateway.runtime.notices import Notices

log = logging.getLogger(__name__)

BACKOFF_MAX_S = 300.0
HORIZON_S = 3 * 86_400.0


@dataclass(slots=True)
class ServerHealth:
    """How one utility's server fares."""

    ok: bool = False
    last_ok: float | None = None
    error: str = ""
    failures: int = 0


@dataclass(slots=True)
class DemandResponse:
    """All events of all servers, their timeline and the limits they mean; `on_change` re-plans and ticks."""

    site: Site
    clock: Clock
    store: Store
    notices: Notices
    strategies: Strategies
    preferences: Callable[[], Preferences]
    on_change: Callable[[str], None]
    poll_s: float = 60.0
    servers: dict[str, DrServer] = field(default_factory=dict)
    records: dict[str, EventRecord] = field(default_factory=dict)
    programs: dict[str, DrProgram] = field(default_factory=dict)
    health: dict[str, ServerHealth] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)
    limits: tuple[Limit, ...] = ()
    """In force now or later, by start."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def resume(self) -> None:
        """Take up the events known before a restart: their anchors, draws and opt states."""
        self.records = {record.key: record for record in await self.store.event_records()}
        known = await self.store.get("dr-programs") or {}
        for item in known.get("programs", []):
            program = DrProgram(**item)
            self.programs[program.key] = program
        self.rebuild()

    async def poll(self, server: DrServer) -> None:
        """Poll one server until cancelled; a failed poll changes nothing but its health."""
        health = self.health.setdefault(server.name, ServerHealth())
        while True:
            pause = self.poll_s * random.uniform(0.9, 1.1)
            floor = 0.25
            try:
                await self.look(server)
            except ServerError as error:
                pause, floor = await self._failed(server, health, error)
            else:
                await self._fine(server, health)
            await self.clock.sleep(pause, real_floor=floor)

    async def look(self, server: DrServer) -> None:
        """One complete look at a server: programs, then events; raises ServerError and then changes nothing."""
        programs = await server.programs()
        events = await server.events()
        for program in programs:
            self.programs[program.key] = program
        changed = await self._merge(server.name, events)
        if changed:
            await self._keep_programs()
            self.rebuild()
            self.on_change("event")

    async def _keep_programs(self) -> None:
        items = [asdict(program) for program in self.programs.values()]
        await self.store.put("dr-programs", {"programs": items})

    async def _merge(self, server: str, events: list[DrEvent]) -> bool:
        listed = {event.id: event for event in events}
        changed = False
        for event in events:
            changed |= await self._event(event)
        for record in list(self.records.values()):
            gone = record.event.server == server and record.event.id not in listed and record.cancelled_at is None
            if gone and not self._over(record):
                await self._keep(replace(record, cancelled_at=self.clock.now()), "released", "cancelled by the utility")
                changed = True
        return changed

    async def _event(self, event: DrEvent) -> bool:
        known, now = self.records.get(event.key), self.clock.now()
        if known is not None and known.event.fingerprint == event.fingerprint and known.cancelled_at is None:
            return False
        if known is None:
            record = EventRecord(event, now, draw_shifts(event, self.site.name, now))
            opt, reason = decide_opt(event, self.programs.get(event.program_key), self.preferences())
            record = record.with_opt(opt, reason)
            await self._keep(record, "asked", f"event '{event.name or event.id}' received")
            await self._decided(record)
        else:
            shifts = draw_shifts(event, self.site.name, known.first_seen)
            record = replace(known, event=event, shifts_s=shifts, cancelled_at=None)
            program = self.programs.get(event.program_key)
            if not_understood(known.event, program):
                # What could not be decided before may be clear now.
                record = record.with_opt(*decide_opt(event, program, self.preferences()))
            await self._keep(record, "asked", f"event '{event.name or event.id}' changed")
        return True

    async def _decided(self, record: EventRecord) -> None:
        name = record.event.name or record.event.id
        words = f"{record.opt.value}: {record.opt_reason}"
        await self.store.append(AuditRow(self.clock.now(), "decided", record.key, words, 6, record.key))
        level = "info"
        await self.notices.raise_(f"event {record.key}", level, f"The utility announced '{name}'. {record.opt_reason}")

    async def _keep(self, record: EventRecord, step: str, words: str) -> None:
        await self.store.save_event(record)
        self.records[record.key] = record
        await self._note(record, step, words)

    async def _note(self, record: EventRecord, step: str, words: str) -> None:
        await self.store.append(AuditRow(self.clock.now(), step, record.key, words, 6, record.key))

    async def update(self, event_id: str, **changes: Any) -> None:
        """Change some fields of a record (a report was queued, delivered energy is known), whatever else changed."""
        record = self.records[event_id] = replace(self.records[event_id], **changes)
        await self.store.save_event(record)

    def find(self, name: str) -> EventRecord | None:
        """An event by its key, or by the server's own id where only one has it; None when there is none."""
        alike = [record for record in self.records.values() if record.event.id == name]
        return self.records.get(name) or (alike[0] if len(alike) == 1 else None)

    async def opt(self, event_id: str, choice: str, who: str) -> EventRecord:
        """The owner joins or skips an event; raises WishRefused when it is not theirs to decide."""
        record = self.find(event_id)
        if record is None:
            raise WishRefused(f"There is no event '{event_id}'.")
        if choice not in ("join", "skip"):
            raise WishRefused(f"'{choice}' is not a choice; use join or skip.")
        if record.opt is OptState.BINDING and choice == "skip":
            raise WishRefused("You consented to this program as binding, so its events cannot be skipped.")
        opt = OptState.JOINED if choice == "join" else OptState.SKIPPED
        if record.opt is OptState.BINDING:
            return record
        record = record.with_opt(opt, f"{who} chose to {choice}")
        self.records[record.key] = record
        self.rebuild()
        self.on_change("event")
        await self.store.save_event(record)
        await self._note(record, "decided", f"{who} chose to {choice}")
        return record

    async def overridden(self, event_id: str, device: str) -> None:
        """Note that the owner set an event aside for one device: its limits on that device end at once."""
        record = self.find(event_id)
        if record is None or device in record.overridden_devices:
            return
        devices = (*record.overridden_devices, device)
        record = replace(record, overridden_at=record.overridden_at or self.clock.now(), overridden_devices=devices)
        self.records[record.key] = record
        self.rebuild()
        self.on_change("override")
        await self.store.save_event(record)
        await self._note(record, "decided", f"overridden by the owner for {device}")

    async def followed(self, event_id: str, device: str) -> None:
        """Undo `overridden`: the event acts on the device again."""
        record = self.find(event_id)
        if record is None or device not in record.overridden_devices:
            return
        devices = tuple(name for name in record.overridden_devices if name != device)
        record = replace(record, overridden_at=record.overridden_at if devices else None, overridden_devices=devices)
        self.records[record.key] = record
        self.rebuild()
        self.on_change("override")
        await self.store.save_event(record)
        await self._note(record, "decided", f"follows the event again: {device}")

    def rebuild(self) -> None:
        """Timeline and limits from the records, as of now."""
        now = self.clock.now()
        self.timeline = build_timeline(
            list(self.records.values()),
            self.programs,
            now,
            horizon_s=HORIZON_S,
            consents=self._consents(),
            timezone=self.site.timezone,
        )
        self.limits = tuple(to_limits(self.timeline, now, self.strategies, site=self.site))
        self._changed.set()

    def _consents(self) -> dict[str, str]:
        wishes = self.preferences()
        return {key: wishes.agreement(key, p.id, p.name).standing for key, p in self.programs.items()}

    def in_force(self) -> tuple[Limit, ...]:
        """The limits in force now."""
        now = self.clock.now()
        return tuple(limit for limit in self.limits if limit.holds(now))

    async def follow(self) -> None:
        """Sleep to the next change of the timeline (or a new one), then tick and re-plan; until cancelled."""
        while True:
            self._changed.clear()
            now = self.clock.now()
            edge = self.timeline.next_change(now)
            limit = now + timedelta(seconds=HORIZON_S / 3)
            wait_s = (min(edge, limit) - now).total_seconds() if edge else HORIZON_S / 3
            wake = asyncio.ensure_future(self._changed.wait())
            pause = asyncio.ensure_future(self.clock.sleep(wait_s))
            try:
                await asyncio.wait({wake, pause}, return_when=asyncio.FIRST_COMPLETED)
                if not wake.done():
                    self.rebuild()
                    self.on_change("event")
            finally:
                wake.cancel()
                pause.cancel()

    def phase(self, event_id: str) -> EventPhase:
        """Where an event stands now."""
        return phase_of(self.records[event_id], self.clock.now(), self.site.timezone)

    def _over(self, record: EventRecord) -> bool:
        return phase_of(record, self.clock.now(), self.site.timezone) in (EventPhase.ENDED, EventPhase.CANCELLED)

    async def _failed(self, server: DrServer, health: ServerHealth, error: ServerError) -> tuple[float, float]:
        health.failures += 1
        if health.error != str(error):
            log.warning("%s", error)
            words = f"The utility's server '{server.name}' cannot be used: {error.reason}. {error.remedy}".strip()
            await self.notices.raise_(f"server {server.name}", "warning", words)
        health.ok, health.error = False, str(error)
        wished = error.retry_after_s if isinstance(error, ServerUnreachable) else None
        backoff = min(BACKOFF_MAX_S, 2.0 ** min(health.failures, 9)) * random.uniform(0.5, 1.0)
        return wished or backoff, wished or min(backoff, 30.0)

    async def _fine(self, server: DrServer, health: ServerHealth) -> None:
        if health.error:
            log.info("%s answers again", server.name)
        await self.notices.end(f"server {server.name}")
        health.ok, health.error, health.failures = True, "", 0
        health.last_ok = self.clock.monotonic()
