"""What a season is made of: its clock, a store that loses what was to come later, and a charger's manners and messages."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gateway.model.session import EvSession
from gateway.ports import Store

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)


class SeasonClock:
    """Minutes of home time, moved by the season."""

    def __init__(self) -> None:
        self.minute = 0

    @property
    def speed(self) -> float:
        return 1.0

    def now(self) -> datetime:
        return BEGIN + timedelta(minutes=self.minute)

    def monotonic(self) -> float:
        return 60.0 * self.minute

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        raise AssertionError("nothing sleeps in a season")


class KilledStore:
    """The store as a gateway that may be killed sees it: what was to come later is lost with it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: dict[int, EvSession] = {}

    async def next_transaction(self) -> int:
        return await self.store.next_transaction()

    async def save_session(self, session: EvSession, *, later: bool = False) -> None:
        self.waiting.pop(session.transaction, None)
        if later:
            self.waiting[session.transaction] = session
        else:
            await self.store.save_session(session)

    async def sessions(self, start: datetime, end: datetime, *, charger: str = "") -> list[EvSession]:
        return await self.store.sessions(start, end, charger=charger)

    async def minute(self) -> None:
        for session in self.waiting.values():
            await self.store.save_session(session, later=True)
        self.waiting.clear()


@dataclass(frozen=True)
class Manners:
    """How a charger behaves."""

    version: int
    queues_samples: bool
    any_order: bool
    garbage_ids: bool
    forgets: bool
    """A reboot ends its transaction without a word, and a new one begins."""
    register: str
    """Over a reboot: "keeps", "zero" (counts since its start) or "flash" (goes back to what was saved)."""
    per_session: bool
    """The register begins at 0 with each transaction."""
    tells_available: bool
    restamps: bool = False
    """A start whose answer was lost is said again with the stamp of that time."""
    odd_samples: bool = False
    """Now and then one or two samples tell 0, or 150 kWh too much."""

    @staticmethod
    def drawn(chance: random.Random) -> Manners:
        register = chance.choice(("keeps", "keeps", "zero", "flash"))
        any_order = chance.random() < 0.4
        manners = Manners(
            version=chance.choice((16, 2)),
            queues_samples=register != "keeps" or chance.random() < 0.5,
            any_order=any_order,
            garbage_ids=not any_order and chance.random() < 0.4,
            forgets=chance.random() < 0.4,
            register=register,
            per_session=register == "keeps" and chance.random() < 0.3,
            tells_available=chance.random() < 0.6,
        )
        odd = manners.register == "keeps" and not (any_order or manners.per_session or manners.forgets)
        return replace(manners, restamps=chance.random() < 0.4, odd_samples=odd and chance.random() < 0.7)


@dataclass
class Run:
    """One transaction as it truly was."""

    number: int
    start: datetime
    first_wh: float
    true_wh: float = 0.0
    told_wh: float = 0.0
    """What its messages tell of it; see the top."""
    last_wh: int | None = None
    """The register of its last message."""
    fell_wh: int = 0
    """How much lower that was than the message before."""
    forgiven_wh: float = 0.0
    """What may be lacking of that, because nobody could know it; see the top."""
    id: int | None = None
    """The id we gave it (1.6), once it heard it."""
    twin: Run | None = None
    """The forgotten one before it, from which no message tells it; see the top."""
    seq: int = 0


@dataclass
class Message:
    """One message of the charger; `wh` is its register, whole Wh."""

    kind: str
    run: Run
    at: datetime
    wh: int
    seq: int = 0
    fell_wh: int = 0
    """How much lower it is than the message before."""
    said_before: bool = False
