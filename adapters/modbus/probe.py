"""Finds out who answers on a Modbus address or line: for the installer's `hearth probe modbus`.

One connection, one question at a time, reading only. A unit that does not answer costs one short time-out; one that
does is asked at most BUDGET questions, whose answers serve all candidates.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.modbus.probe_line import LineGone, ProbeLine, Refused
from adapters.modbus.probe_match import Candidate, UnitBook, load_profiles, match
from adapters.modbus.profile import Profile
from adapters.modbus.settings import BusSettings, ModbusTcpSettings
from adapters.modbus.sunspec import Chain, walk
from gateway.model.errors import DeviceAnswerWrong, DeviceUnreachable
from gateway.ports import Clock

USUAL = (1, 2, 3, 4, 5, 10, 100, 126, 200, 240, 247)
"""Unit ids devices leave the factory with: asked first."""
RUN = 20
WALL = "refuses everything asked"
TWIN_TRIES, TWIN_WORDS = 2, 5
"""Two different devices never read alike in so many different words: voltages differ in their last digits."""
PROFILES = Path(__file__).resolve().parents[2] / "config" / "devices" / "modbus"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was found at one unit; the first of `candidates` is the most likely, none when nothing known fits."""

    unit: int
    description: str
    """Who the device says it is; empty when it does not say."""
    candidates: tuple[Candidate, ...] = ()
    same_as: int | None = None
    """The unit that gave the very same answers before: the device answers to any unit id."""
    asked: int = 0

    @property
    def profile(self) -> str:
        """The profile to put into the site file; empty when nothing known fits."""
        return self.candidates[0].profile if self.candidates else ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a scan stands: `done` of `total` units, and what is asked now."""

    unit: int
    what: str
    done: int
    total: int


Tell = Callable[[Progress], None]


@dataclass(slots=True)
class Scan:
    """A scan of one open line; `found` are the units that answered so far."""

    line: ProbeLine
    profiles: Sequence[Profile]
    tell: Tell = lambda progress: None
    found: list[ProbeResult] = field(default_factory=list)
    _books: dict[int, UnitBook] = field(default_factory=dict)

    async def run(self, units: Iterable[int]) -> AsyncIterator[ProbeResult]:
        """Ask each unit who it is and yield those that answer; raises DeviceUnreachable when the line is lost."""
        wanted = in_order(units)
        for done, unit in enumerate(wanted):
            self.tell(Progress(unit, "is anybody there", done, len(wanted)))
            result = await self._unit(unit, done, len(wanted))
            if result is not None and not self._one_more_wall(result):
                self.found.append(result)
                yield result

    def _one_more_wall(self, result: ProbeResult) -> bool:
        """Whether it refuses everything like one before: some gateways do so for units that are not there."""
        return result.description == WALL and any(known.description == WALL for known in self.found)

    async def _unit(self, unit: int, done: int, total: int) -> ProbeResult | None:
        book = UnitBook(self.line, unit)
        if not await _answers(book):
            return None
        twin = await self._twin(book)
        if twin is not None:
            return ProbeResult(unit, f"the same device as unit {twin}", same_as=twin, asked=book.asked)
        try:
            return await self._identify(book, done, total)
        except LineGone:
            raise
        except DeviceUnreachable:
            return ProbeResult(unit, "answered once and then fell silent", asked=book.asked)

    async def _identify(self, book: UnitBook, done: int, total: int) -> ProbeResult:
        self.tell(Progress(book.unit, "is it SunSpec", done, total))
        chain = await _chain(book)
        if chain is not None:
            book.most += len(chain.models)
        said = _said(chain)
        if not said:
            self.tell(Progress(book.unit, "who does it say it is", done, total))
            book.asked += 1
            said = " ".join(dict.fromkeys((await self.line.identification(book.unit)).values()))
        self.tell(Progress(book.unit, "which table fits", done, total))
        candidates = await match(book, self.profiles, chain, said)
        if not book.words and not said:
            said = WALL
        self._books[book.unit] = book
        return ProbeResult(book.unit, said, tuple(candidates), asked=book.asked)

    async def _twin(self, book: UnitBook) -> int | None:
        """The unit found before that reads the very same now: a device on TCP may answer to any unit id."""
        for unit, known in self._books.items():
            function, address, count = ("", 0, 0) if self.line.serial else _longest_run(known)
            for _ in range(TWIN_TRIES if count else 0):  # the values may move between the two questions
                try:
                    mine = await self.line.read_block(book.unit, function, address, count, f"unit {book.unit}")
                    theirs = await self.line.read_block(unit, function, address, count, f"unit {unit}")
                except (DeviceAnswerWrong, DeviceUnreachable):
                    break
                if mine == theirs and len({*mine} - {0}) >= TWIN_WORDS:
                    return unit
        return None


async def probe_modbus(
    host: str, port: int, units: Iterable[int], clock: Clock, *, timeout_s: float = 0.5, framing: str = "tcp",
    profiles: Path = PROFILES,
) -> list[ProbeResult]:  # fmt: skip
    """Ask each unit of a host who it is; only those that answered. Raises DeviceUnreachable when nobody listens."""
    settings = ModbusTcpSettings.model_validate(
        {"kind": "modbus_tcp", "host": host, "port": port, "timeout_s": timeout_s, "framing": framing}
    )
    return [result async for result in probe_line(settings, units, clock, profiles=profiles)]


async def probe_line(
    settings: BusSettings, units: Iterable[int], clock: Clock, *, profiles: Path = PROFILES,
    tell: Tell = lambda progress: None,
) -> AsyncIterator[ProbeResult]:  # fmt: skip
    """Scan one line and yield what is found as it is found; raises DeviceUnreachable when it cannot be opened."""
    line = ProbeLine(settings, clock)
    await line.open()
    try:
        async for result in Scan(line, load_profiles(profiles), tell).run(units):
            yield result
    finally:
        line.close()


def in_order(units: Iterable[int]) -> list[int]:
    """The unit ids, each once, the usual ones first."""
    wanted = list(dict.fromkeys(units))
    return [unit for unit in USUAL if unit in wanted] + [unit for unit in wanted if unit not in USUAL]


async def _answers(book: UnitBook) -> bool:
    """Whether anybody answers: an exception is an answer too."""
    for _ in range(2):
        try:
            await book.read_block(book.unit, "input", 0, 2, f"unit {book.unit}")
        except LineGone:
            raise
        except DeviceUnreachable:
            return False
        except Refused:
            return True
        except DeviceAnswerWrong as error:
            if "exception" in error.reason:
                return True
            continue  # a late answer of another unit, or noise: once more
        return True
    return False


async def _chain(book: UnitBook) -> Chain | None:
    try:
        return await walk(book, book.unit, f"unit {book.unit}")
    except DeviceAnswerWrong:
        return None


def _said(chain: Chain | None) -> str:
    if chain is None:
        return ""
    who = chain.identity
    serial = f"serial {who.serial}" if who.serial else ""
    words = " ".join(word for word in (who.maker, who.model, who.version) if word)
    return ", ".join(part for part in (words, serial) if part)


def _longest_run(book: UnitBook) -> tuple[str, int, int]:
    """The most neighbouring words it answered: function, address, count (0: none); at most RUN of them."""
    best = ("", 0, 0)
    for function, address in book.words:
        if (function, address - 1) in book.words:
            continue
        end = address
        while (function, end) in book.words and end - address < RUN:
            end += 1
        if end - address > best[2]:
            best = (function, address - address % 2, (end - address) // 2 * 2)
    return best
