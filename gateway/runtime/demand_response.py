"""The DR loop: what every utility asked is kept, decided, and applied at its second; with or without the servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.core.demand_response.opt import agreement_of, asks_action, decide_opt, not_understood
from gateway.core.demand_response.response import prices, to_limits
from gateway.core.demand_response.safe import next_safe, safe_limits
from gateway.core.demand_response.schedule import event_span
from gateway.core.demand_response.standing import is_in, never_left, noted, restored, stands
from gateway.core.demand_response.strategies import Strategies
from gateway.core.demand_response.timeline import PAST_S, Laid, build_timeline, phase_of
from gateway.model.agreement import Shared
from gateway.model.audit import AuditRow
from gateway.model.dr import DrEvent, DrProgram, EventPhase, EventRecord, OptState, PricePoint, ServerFacts, Timeline
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.model.proof import Fact
from gateway.model.setpoint import Limit
from gateway.model.site import Site
from gateway.ports import Clock, DrAnswering, DrServer, Store
from gateway.runtime.dr_merge import CLOCK_WORDS, CLOCK_WRONG_S, Doubts, merge_events, merge_programs
from gateway.runtime.dr_release import leaves, release_ended, set_aside
from gateway.runtime.dr_servers import ServerHealth, ServerLoop, answer_of, facts_of
from gateway.runtime.dr_words import announced, is_news
from gateway.runtime.event_chain import EventChain
from gateway.runtime.notices import Notices

log = logging.getLogger(__name__)

HORIZON_S = 3 * 86_400.0
OVER = (EventPhase.ENDED, EventPhase.CANCELLED)


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
    chain: EventChain | None = None
    configured: Collection[str] | None = None
    """The servers of the site file; an event of another one has nobody left who could end it."""
    records: dict[str, EventRecord] = field(default_factory=dict)
    programs: dict[str, DrProgram] = field(default_factory=dict)
    health: dict[str, ServerHealth] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)
    limits: tuple[Limit, ...] = ()
    """In force now or later, by start."""
    older: dict[str, str] = field(default_factory=dict)
    """Event -> fingerprint of a version older than the one known that was logged."""
    doubts: dict[str, Doubts] = field(default_factory=dict)
    """By server."""
    _laid: Laid = field(default_factory=Laid)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _due: dict[str, asyncio.Event] = field(default_factory=dict)
    _reconsider: bool = False
    _live: set[str] | None = None
    """The events taken part in that were not over at the last look."""
    _looked_at: datetime | None = None

    # ---- what is known

    async def resume(self) -> None:
        """Take up the events known before a restart: their anchors, draws and opt states."""
        self.records.clear()
        for record in await self.store.event_records():
            self.records[record.key] = record
        known = await self.store.get("dr-programs") or {}
        for item in known.get("programs", []):
            program = DrProgram(**item)
            self.programs[program.key] = program
        for record in list(self.records.values()):
            left = self.configured is not None and record.event.server not in self.configured
            if left and record.cancelled_at is None and not self.over(record):
                await self.cancel(record, "its server is no longer in the site file")
        self.rebuild()

    async def look(self, server: DrServer) -> None:
        """One complete look at a server: programs, then events; raises ServerError and then changes nothing."""
        programs = await server.programs()
        events = await server.events()
        renamed = await merge_programs(self, server.name, programs)
        changed = await merge_events(self, server.name, events)
        if renamed or changed:
            items = [asdict(program) for program in self.programs.values()]
            await self.store.put("dr-programs", {"programs": items})
            self._reconsider |= renamed  # agreements may go by a program's name, and units are its own
            self.rebuild()
            self.on_change("event")

    async def poll(self, server: DrServer) -> None:
        """Follow one server until cancelled."""
        await ServerLoop(self, server).run()

    def decision(self, event: DrEvent, *, goes_on: bool = False) -> tuple[OptState, str]:
        """Where the home stands on an event by agreement and policy, with the reason in words.

        While the clocks are far apart nothing is joined to the second; what was joined before (`goes_on`) stays.
        """
        program, wishes = self.programs.get(event.program_key), self.preferences()
        agreed = agreement_of(event, program, wishes).at(self.clock.now())
        opt, reason = decide_opt(event, program, wishes, agreed)
        skew = self.skew_s(event.server) or 0.0
        if abs(skew) <= CLOCK_WRONG_S or opt is not OptState.JOINED or goes_on or not asks_action(event):
            return opt, reason
        words = f"{CLOCK_WORDS} {abs(skew):.0f} s, so it cannot be kept to the second. Check this hub's time."
        return OptState.SKIPPED, words

    def find(self, name: str) -> EventRecord | None:
        """An event by its key, or by the server's own id where only one has it; None when there is none."""
        alike = [record for record in self.records.values() if record.event.id == name]
        return self.records.get(name) or (alike[0] if len(alike) == 1 else None)

    def phase(self, event_id: str) -> EventPhase:
        """Where an event stands now."""
        return phase_of(self.records[event_id], self.clock.now(), self.site.timezone)

    def over(self, record: EventRecord) -> bool:
        """Whether an event has ended, or was withdrawn; one that only asks for reports goes on until it is withdrawn."""
        if not record.event.intervals and record.event.reports:
            return record.cancelled_at is not None
        return phase_of(record, self.clock.now(), self.site.timezone) in OVER

    def facts(self, server: str) -> ServerFacts:
        """What a server tells of itself."""
        return facts_of(self.servers.get(server))

    def shares(self, server: str, what: Shared) -> bool:
        """Whether the owner lets any of a server's programs be told this now."""
        wishes, now = self.preferences(), self.clock.now()
        mine = [program for program in self.programs.values() if program.server == server]
        words = [wishes.agreement(program.key, program.id, program.name).at(now) for program in mine]
        return any(word.standing != "none" and what in word.share for word in words)

    def skew_s(self, server: str) -> float | None:
        """A server's clock minus ours, s; None where it is not known."""
        return self.facts(server).clock_skew_s

    # ---- keeping

    async def keep(self, record: EventRecord, step: str, words: str) -> None:
        """Keep a record that the utility or the home changed; on the disk before this returns.

        The chain comes first: after a kill in between the same step is taken again, and the chain knows it.
        """
        record = noted(self.records.get(record.key), record, self.clock.now())
        if step == "asked":
            await self._chain_received(record)
        if step in ("asked", "decided"):
            await self._chain_decided(record)
            await self._chain_left(self.records.get(record.key), record)
        await self.store.save_event(record)
        self.records[record.key] = record
        await self._note(record, step, words)
        self._answer(record)

    async def cancel(self, record: EventRecord, why: str) -> None:
        """The event is withdrawn: it ends at once."""
        await self.chain_released(record, reason=why)
        await self.keep(replace(record, cancelled_at=self.clock.now()), "released", why)
        name = record.event.name or record.event.id
        if record.opt in (OptState.JOINED, OptState.BINDING):
            await self.notices.raise_(f"event {record.key}", "info", f"'{name}' is over before its time: {why}.")

    async def tell_decision(self, record: EventRecord) -> None:
        """Say in audit and to the owner where the home stands on a new event."""
        await self._note(record, "decided", f"{record.opt.value}: {record.opt_reason}")
        if is_news(record.event):
            await self.notices.raise_(f"event {record.key}", "info", announced(record))

    async def update(self, event_id: str, **changes: Any) -> None:
        """Change some fields of a record (a report was queued, delivered energy is known), whatever else changed."""
        record = self.records[event_id] = replace(self.records[event_id], **changes)
        await self.store.save_event(record)
        if "delivered_wh" in changes:
            record = await self._earned(record)
            low, high = record.delivered_low_wh, record.delivered_high_wh
            await self._chain(record, "delivered", delivered_wh=record.delivered_wh, low_wh=low, high_wh=high)

    async def _earned(self, record: EventRecord) -> EventRecord:
        """What the program pays for what was delivered, where the table of strategies says so; nothing for a test.

        What it pays per event is counted only where the home delivered something, and followed the event to its end
        without leaving.
        """
        pay, wh = self.strategies.pay_of(record.event.program_key), record.delivered_wh
        if pay is None or wh is None or record.event.test:
            return record
        through = wh > 0 and is_in(stands(record)[-1]) and not self._left(record)
        amount = (pay.per_event or 0.0 if through else 0.0) + (pay.per_kwh or 0.0) * max(0.0, wh) / 1000
        record = self.records[record.key] = replace(record, earned_micro=round(amount * 1e6))
        await self.store.save_event(record)
        return record

    def _left(self, record: EventRecord) -> bool:
        """Whether the owner opted out for a while of the event's time, or of it all."""
        span = event_span(record, self.site.timezone)
        if span is None:
            return False
        return not never_left(record, span[0], span[1] or self.clock.now(), self.acts_on(record, span[0]))

    async def _note(self, record: EventRecord, step: str, words: str) -> None:
        await self.store.append(AuditRow(self.clock.now(), step, record.key, words, 6, record.key))

    async def _chain_received(self, record: EventRecord) -> None:
        event = record.event
        await self._chain(
            record,
            "received",
            fingerprint=event.fingerprint,
            modified=event.modified,
            name=event.name,
            program=event.program,
        )

    async def _chain_decided(self, record: EventRecord) -> None:
        await self._chain(record, "decided", opt=record.opt.value, reason=record.opt_reason)

    async def _chain_left(self, before: EventRecord | None, record: EventRecord) -> None:
        if leaves(before, record):
            await self.chain_released(record, reason=record.opt_reason)
        for device in set_aside(before, record):
            await self.chain_released(record, subject=device, reason="overridden by the owner")

    async def chain_released(self, record: EventRecord, **facts: Fact) -> None:
        """The event has let go of the home, or of one device."""
        await self._chain(record, "released", **facts)

    async def _chain(self, record: EventRecord, step: str, **facts: Fact) -> None:
        if self.chain is not None:
            await self.chain.add(record.key, step, **facts)

    # ---- the owner's word

    async def opt(self, event_id: str, choice: str, who: str) -> EventRecord:
        """The owner joins or skips an event; raises WishRefused when it is not theirs to decide."""
        record = self.find(event_id)
        if record is None:
            raise WishRefused(f"There is no event '{event_id}'.")
        if choice not in ("join", "skip"):
            raise WishRefused(f"'{choice}' is not a choice; use join or skip.")
        if self.over(record):
            raise WishRefused("The event is over, so there is nothing left to join or skip.")
        if not_understood(record.event, self.programs.get(record.event.program_key)):
            raise WishRefused("Nothing here acts on what this event asks, so there is nothing to join or skip.")
        if record.opt is OptState.BINDING and choice == "skip":
            raise WishRefused(f"{record.opt_reason} It cannot be skipped; to leave its program, see Programs.")
        if record.opt is OptState.BINDING:
            return record
        opt = OptState.JOINED if choice == "join" else OptState.SKIPPED
        record = replace(record.with_opt(opt, f"{who} chose to {choice}"), chosen=True)
        await self._at_once(record, f"{who} chose to {choice}", "event", opt=opt.value, reason=record.opt_reason)
        for cause in (f"event {record.key}", f"event {record.key} changed"):
            await self.notices.end(cause)  # what it says now follows with the news
        self._answer(record)
        return record

    async def overridden(self, event_id: str, device: str) -> None:
        """Note that the owner set an event aside for one device: its limits on that device end at once."""
        record = self.find(event_id)
        if record is None or device in record.overridden_devices:
            return
        devices = (*record.overridden_devices, device)
        record = replace(record, overridden_at=record.overridden_at or self.clock.now(), overridden_devices=devices)
        words = f"overridden by the owner for {device}"
        await self._at_once(record, words, "override", subject=device, opt="overridden by the owner")

    async def followed(self, event_id: str, device: str) -> None:
        """Undo `overridden`: the event acts on the device again."""
        record = self.find(event_id)
        if record is None or device not in record.overridden_devices:
            return
        devices = tuple(name for name in record.overridden_devices if name != device)
        record = replace(record, overridden_at=record.overridden_at if devices else None, overridden_devices=devices)
        words = f"follows the event again: {device}"
        await self._at_once(record, words, "override", subject=device, opt="follows again")

    async def _at_once(self, record: EventRecord, words: str, cause: str, **facts: Fact) -> None:
        """In force first, then on the disk: a person waits for the effect."""
        before = self.records.get(record.key)
        record = noted(before, record, self.clock.now())
        self.records[record.key] = record
        self.rebuild()
        self.on_change(cause)
        await self._chain(record, "decided", **facts)
        await self._chain_left(before, record)
        await self.store.save_event(self.records[record.key])
        await self._note(record, "decided", words)

    def reconsider(self) -> None:
        """Preferences or agreements changed: what the owner did not decide event by event is decided anew."""
        self._reconsider = True
        self.rebuild()

    async def _reconsidered(self) -> None:
        self._reconsider = False
        for record in list(self.records.values()):
            if record.chosen or record.cancelled_at is not None or self.over(record):
                continue
            opt, reason = self.decision(record.event, goes_on=record.opt is OptState.JOINED)
            if (opt, reason) != (record.opt, record.opt_reason):
                await self.keep(record.with_opt(opt, reason), "decided", f"{opt.value}: {reason}")

    # ---- answers to servers that want them

    def _answer(self, record: EventRecord) -> None:
        wanted = isinstance(self.servers.get(record.event.server), DrAnswering)
        if wanted and answer_of(record) != record.answered:
            self._due.setdefault(record.event.server, asyncio.Event()).set()

    def answering(self, server: str) -> None:
        """A server is told all answers now."""
        self._due.setdefault(server, asyncio.Event()).clear()

    async def answers_due(self, server: str) -> None:
        """Return when the home has something new to tell a server."""
        await self._due.setdefault(server, asyncio.Event()).wait()

    # ---- in time

    def rebuild(self) -> None:
        """Timeline and limits from the records, as of now."""
        now, silent = self.clock.now(), self._silent()
        self.timeline = build_timeline(
            list(self.records.values()),
            self.programs,
            now,
            horizon_s=HORIZON_S,
            consents=self._consents(),
            timezone=self.site.timezone,
            devices=self.device_names(),
            laid=self._laid,
        )
        found = to_limits(self.timeline, now, self.strategies, site=self.site)
        found += safe_limits(self.timeline, self._followed(), silent, self.strategies, self.site, now)
        self.limits = tuple(found)
        for key, why in self._laid.unusable.items():
            words = f"The utility's event '{key}' cannot be laid out in time and changes nothing: {why}."
            self.notices.later_raise(f"event {key} unusable", "warning", words)
        self._changed.set()

    def as_if(self, record: EventRecord, *, joined: bool) -> tuple[tuple[Limit, ...], tuple[PricePoint, ...]]:
        """The limits and prices there would be if the home took part in an event, or did not."""
        now = self.clock.now()
        changed = record.with_opt(OptState.JOINED if joined else OptState.SKIPPED, "")
        if joined and record.opt is OptState.BINDING:
            changed = record
        others = [other for other in self.records.values() if other.key != record.key]
        timeline = build_timeline(
            [*others, changed], self.programs, now,
            horizon_s=HORIZON_S, consents=self._consents(), timezone=self.site.timezone, devices=self.device_names(),
        )  # fmt: skip
        found = to_limits(timeline, now, self.strategies, site=self.site)
        return tuple(found), tuple(prices(timeline, self.site.currency))

    def as_followed(self, record: EventRecord, since: datetime) -> Timeline:
        """The timeline from `since` on, had the home followed an event to its end: what was in force while it did."""
        others, now = [other for other in self.records.values() if other.key != record.key], self.clock.now()
        return build_timeline(
            [*others, restored(record)], self.programs, now,
            horizon_s=HORIZON_S, past_s=max(PAST_S, (now - since).total_seconds()), consents=self._consents(),
            timezone=self.site.timezone, devices=self.device_names(),
        )  # fmt: skip

    def acts_on(self, record: EventRecord, since: datetime) -> frozenset[str]:
        """The devices an event limits from `since` on, those the owner set aside included; none for news and prices."""
        found = to_limits(self.as_followed(record, since), since, self.strategies, site=self.site)
        return frozenset(limit.device for limit in found if limit.source == record.key and limit.device)

    def wake(self) -> None:
        """Something that is no event changed (a server fell silent): look at the limits anew."""
        self.rebuild()
        self.on_change("event")

    def in_force(self) -> tuple[Limit, ...]:
        """The limits in force now."""
        now = self.clock.now()
        return tuple(limit for limit in self.limits if limit.holds(now))

    async def follow(self) -> None:
        """Sleep to the next change of the timeline (or a new one), then tick and re-plan; until cancelled."""
        while True:
            self._changed.clear()
            if self._reconsider or self._agreement_ended():
                await self._reconsidered()
                self.rebuild()
                self._changed.clear()
                self.on_change("event")
            self._live = await release_ended(self, self._live)
            wake = asyncio.ensure_future(self._changed.wait())
            pause = asyncio.ensure_future(self.clock.sleep(self._next_s()))
            try:
                await asyncio.wait({wake, pause}, return_when=asyncio.FIRST_COMPLETED)
                if not wake.done():
                    self.rebuild()
                    self.on_change("event")
            finally:
                wake.cancel()
                pause.cancel()

    def _agreement_ended(self) -> bool:
        """Whether an agreement's end has passed since the last look."""
        now, before = self.clock.now(), self._looked_at
        self._looked_at = now
        ends = (word.until for word in self.preferences().agreements.values())
        return any(until is not None and (before is None or before < until) and until <= now for until in ends)

    def _next_s(self) -> float:
        """Seconds to the next edge of the timeline, of a return, of an agreement or of a safe value."""
        now = self.clock.now()
        edges = [edge for limit in self.limits for edge in (limit.start, limit.end) if edge > now]
        edges += [edge for edge in (self.timeline.next_change(now), *self._other_edges(now)) if edge is not None]
        return min((min(edges) - now).total_seconds(), HORIZON_S / 3) if edges else HORIZON_S / 3

    def _other_edges(self, now: datetime) -> list[datetime | None]:
        ends = [word.until for word in self.preferences().agreements.values() if word.until and word.until > now]
        return [*ends, next_safe(self._followed(), self._silent(), self.strategies, now)]

    def device_names(self) -> dict[str, str]:
        """Each name that an event's target may use for a device, with its id."""
        return {name: device.id for device in self.site.devices for name in (device.id, device.name)}

    def _silent(self) -> dict[str, datetime]:
        return {name: health.silent_since for name, health in self.health.items() if health.silent_since is not None}

    def _followed(self) -> dict[str, DrProgram]:
        """The programs the home takes part in: the others' safe values are no business of its."""
        consents = self._consents()
        return {key: program for key, program in self.programs.items() if consents[key] != "none"}

    def _consents(self) -> dict[str, str]:
        wishes, now = self.preferences(), self.clock.now()
        return {key: wishes.agreement(key, p.id, p.name).at(now).standing for key, p in self.programs.items()}
