"""The owner's side of demand response as pages and API see it: programs, servers, effects, and what is kept back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.core.demand_response.baseline.methods import WORDS as METHOD_WORDS
from gateway.core.demand_response.opt import asks_action, not_understood
from gateway.core.demand_response.schedule import event_span
from gateway.core.demand_response.strategies import Pay
from gateway.model.agreement import Agreement
from gateway.model.dr import DrProgram, EventRecord, ServerFacts
from gateway.model.effect import EventEffect
from gateway.model.errors import WishRefused
from gateway.ports import Clock
from gateway.runtime.agreements import with_agreement
from gateway.runtime.demand_response import DemandResponse
from gateway.runtime.dr_servers import ServerHealth
from gateway.runtime.effects import Effects
from gateway.runtime.wishes import OwnerWishes

NO_PAY = Pay()


@dataclass(frozen=True, slots=True)
class ProgramState:
    """A program with the owner's word about it; `live` names its events that are on or to come, by key."""

    program: DrProgram
    agreement: Agreement
    pays: Pay
    """In the site's currency; None where the table of strategies does not say."""
    live: tuple[str, ...]
    server_ok: bool


@dataclass(frozen=True, slots=True)
class ServerState:
    """How a utility's server fares and what it tells of itself; `heard` and `silent_since` aware UTC."""

    name: str
    ok: bool
    error: str
    heard: datetime | None
    silent_since: datetime | None
    facts: ServerFacts = field(default_factory=ServerFacts)


@dataclass(frozen=True, slots=True)
class DrDesk:
    """Reads the loops' state and hands the owner's agreements to the preferences."""

    clock: Clock
    dr: DemandResponse
    effects: Effects
    wishes: OwnerWishes
    kept_back: Callable[[EventRecord], list[str]] = lambda record: []

    # ---- programs and servers

    def programs(self) -> list[ProgramState]:
        """Every program, by server and name."""
        known = sorted(self.dr.programs.values(), key=lambda program: (program.server, program.name))
        return [self._program(program) for program in known]

    def program(self, key: str) -> ProgramState | None:
        """One program by its key; None for one that no server announced."""
        found = self.dr.programs.get(key)
        return self._program(found) if found is not None else None

    def servers(self) -> list[ServerState]:
        """Every server of the site file, in its order."""
        return [self._server(name) for name in dict.fromkeys((*self.dr.servers, *self.dr.health))]

    async def agree(self, key: str, word: Agreement, who: str) -> ProgramState:
        """Keep the owner's word about a program; raises WishRefused with the reason."""
        program = self.dr.programs.get(key)
        if program is None:
            raise WishRefused(f"There is no program '{key[:200]}'.")
        wishes = with_agreement(self.wishes.preferences, key, word, self.clock.now())
        await self.wishes.set_preferences(wishes, who)
        return self._program(program)

    def _program(self, program: DrProgram) -> ProgramState:
        word = self.wishes.preferences.agreement(program.key, program.id, program.name)
        mine = [record for record in self.dr.records.values() if record.event.program_key == program.key]
        live = tuple(record.key for record in mine if not self.dr.over(record))
        health = self.dr.health.get(program.server, ServerHealth())
        return ProgramState(program, word, self.dr.strategies.pay_of(program.key) or NO_PAY, live, health.ok)

    def _server(self, name: str) -> ServerState:
        health = self.dr.health.get(name, ServerHealth())
        heard = None
        if health.last_ok is not None:
            heard = self.clock.now() - timedelta(seconds=self.clock.monotonic() - health.last_ok)
        return ServerState(name, health.ok, health.error, heard, health.silent_since, self.dr.facts(name))

    # ---- events

    def asks(self, record: EventRecord) -> bool:
        """Whether an event asks the home to do something; prices, carbon and news do not."""
        return asks_action(record.event)

    def understood(self, record: EventRecord) -> bool:
        """Whether the home can act on any of an event, by kinds, values and units."""
        return not not_understood(record.event, self.dr.programs.get(record.event.program_key))

    def span(self, record: EventRecord) -> tuple[datetime, datetime | None] | None:
        """First start and last end of an event, joined or not (end None: open); None when it has no intervals."""
        return event_span(record, self.dr.site.timezone)

    def agreed(self, record: EventRecord) -> Agreement:
        """What counts now about the program of an event."""
        program, event = self.dr.programs.get(record.event.program_key), record.event
        name = program.name if program is not None else ""
        return self.wishes.preferences.agreement(event.program_key, event.program, name).at(self.clock.now())

    def pays(self, record: EventRecord) -> Pay:
        """What the program of an event pays, in the site's currency."""
        return self.dr.strategies.pay_of(record.event.program_key) or NO_PAY

    def known_effect(self, record: EventRecord) -> EventEffect | None:
        """The effect of an event as it was last worked out; None while it was not."""
        return self.effects.known.get(record.key)

    async def effect(self, record: EventRecord) -> EventEffect:
        """The effect of an event as of now; raises WishRefused with the reason when there is none."""
        if self.dr.over(record):
            raise WishRefused("The event is over, so joining it changes nothing any more.")
        if not self.asks(record):
            raise WishRefused("The event asks nothing of the home; the plan counts with it.")
        found = await self.effects.of(record.key)
        if found is None:
            raise WishRefused("There is no plan yet to compare with. Ask again in a minute.")
        return found

    def method_words(self, record: EventRecord) -> str:
        """How the whole home's baseline of an event was made, for a person; empty while there is none."""
        return METHOD_WORDS.get(record.baseline_method, record.baseline_method)
