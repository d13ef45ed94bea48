"""Which shipped profile explains a unit: few questions, every answer kept and used for all candidates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.modbus.block_reader import decode_register
from adapters.modbus.bus import IllegalAddress
from adapters.modbus.decode import Decoded
from adapters.modbus.planner import Block, ReadLimits, Register, plan_blocks, split
from adapters.modbus.probe_line import LineGone, ProbeLine, Refused
from adapters.modbus.probe_score import Score, judge, same_values
from adapters.modbus.profile import Profile, load_profile, profile_names
from adapters.modbus.sunspec import Chain, resolve
from adapters.profiles.file import load_usable
from gateway.model.errors import DeviceAnswerWrong, DeviceUnreachable
from gateway.model.quantity import POWERS, VOLTAGES, Quantity

BUDGET = 40
"""Most questions one unit is asked."""
FIRST_LOOK = 32
"""Of these, the most for a first look at each table; the rest is for those that look right."""
LOST_ANSWERS = 3
"""After so many silences in a row a unit that had answered is left in peace."""
NAMED_MAKER, NAMED_MODEL = 3.0, 6.0
"""What it counts that the device itself names the profile's maker, and its model."""
TELLING = (*VOLTAGES, Quantity.FREQUENCY, Quantity.POWER, *POWERS)
LEAST_SUPPORT = 1.0
PROMISING, SURE_PERCENT = 6.0, 95
"""A table that looks so good is read at once, and when it is so sure then no other is looked at."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile that may be the device's; `confidence` in percent, `reason` in words."""

    profile: str
    name: str
    """Maker and model."""
    confidence: int
    reason: str
    values: Mapping[Quantity, float]
    alike: tuple[str, ...] = ()
    """Other profiles whose tables say the same of this device: nobody can tell them apart over the wire."""


@dataclass(slots=True)
class UnitBook:
    """What one unit answered so far: words by function and address; and what it refuses."""

    line: ProbeLine
    unit: int
    words: dict[tuple[str, int], int] = field(default_factory=dict)
    asked: int = 0
    most: int = BUDGET
    """Most questions it is asked; walking a long chain of SunSpec models comes on top."""
    _refused: set[tuple[str, int, int]] = field(default_factory=set)
    _no_function: set[str] = field(default_factory=set)
    _lost: int = 0

    async def read_block(self, unit: int, function: str, address: int, count: int, device: str) -> list[int]:
        """As Bus.read_block, kept for later; the questions count."""
        self.asked += 1
        words = await self.line.read_block(unit, function, address, count, device)
        self.words.update({(function, address + offset): word for offset, word in enumerate(words)})
        return words

    def knows(self, register: Register) -> bool:
        """Whether all words of the register were answered."""
        return all((register.function, at) in self.words for at in range(register.start, register.end))

    def value(self, register: Register) -> Decoded | None:
        """The register's value; None when it was refused or not asked."""
        if not self.knows(register):
            return None
        start, end = register.start, register.end
        words = [self.words[register.function, at] for at in range(start, end)]
        return decode_register(register, Block(register.function, start, end - start, (register,)), words)

    async def fetch(self, block: Block, limits: ReadLimits, *, deep: bool = False) -> None:
        """Read a block unless it is known or refused; with `deep` a refused one is tried in halves."""
        if all(self.knows(register) for register in block.registers) or block.function in self._no_function:
            return
        question = (block.function, block.address, block.count)
        if self.asked >= self.most or self._lost >= LOST_ANSWERS:
            return
        if question not in self._refused:
            if await self._ask(block):
                return
            self._refused.add(question)
        for half in split(block, limits) if deep else []:
            await self.fetch(half, limits, deep=len(half.registers) > 4)

    async def _ask(self, block: Block) -> bool:
        try:
            await self.read_block(self.unit, block.function, block.address, block.count, f"unit {self.unit}")
        except LineGone:
            raise
        except DeviceUnreachable:
            self._lost += 1
            return False
        except Refused as refusal:
            if refusal.code == 1:
                self._no_function.add(block.function)
            return False
        except (IllegalAddress, DeviceAnswerWrong):
            return False
        self._lost = 0
        return True


@dataclass(frozen=True, slots=True)
class Table:
    """One profile's registers as they stand in the unit at hand."""

    profile: Profile
    registers: tuple[Register, ...]
    named: float = 0.0
    """What it counts that the device's own words name this maker or model."""
    lacking: int = 0
    """How many of a SunSpec profile's points the device does not have."""

    def blocks(self) -> list[Block]:
        """All its read requests, the most telling one first."""
        return sorted(plan_blocks(self.registers, self.profile.limits), key=_telling, reverse=True)

    def first_look(self) -> Block:
        """The most telling neighbours, without a hole that another device might refuse."""
        limits = replace(self.profile.limits, max_gap=0)
        return max(plan_blocks(self.registers, limits), key=_telling)


def _telling(block: Block) -> int:
    return sum(register.quantity in TELLING for register in block.registers)


def load_profiles(folder: Path) -> list[Profile]:
    """All profiles of the folder that can be used; each of the others is told in one line."""
    return load_usable(profile_names(folder), lambda name: load_profile(name, folder))


async def match(book: UnitBook, profiles: Sequence[Profile], chain: Chain | None, said: str) -> list[Candidate]:
    """The profiles that explain the unit, best first; `said` is what the device says of itself, in its own words."""
    tables = sorted(_tables(profiles, chain, said), key=lambda t: (-t.named, -_telling(t.first_look())))
    for table in tables:
        if book.asked >= FIRST_LOOK and not table.named:
            continue
        await book.fetch(table.first_look(), table.profile.limits)
        if _score(table, book).support >= PROMISING and await _read_all(table, book) >= SURE_PERCENT:
            break
    promising = sorted(((table, _score(table, book)) for table in tables), key=lambda pair: -pair[1].support)
    for table, score in promising:
        if score.support > 0 or chain is not None:
            await _read_all(table, book)
    return rank([(table.profile, _score(table, book)) for table in tables])


def rank(scored: Iterable[tuple[Profile, Score]]) -> list[Candidate]:
    """Candidates by confidence; those nobody can tell apart are one candidate with the others as `alike`."""
    known = [(profile, score) for profile, score in scored if score.support >= LEAST_SUPPORT]
    most = max((score.support for _, score in known), default=1.0)
    known.sort(key=lambda pair: (-pair[1].confidence(most), -pair[1].plausible, pair[0].name))
    found: list[Candidate] = []
    for profile, score in known:
        sure = score.confidence(most)
        twin = next((i for i, c in enumerate(found) if _twins(c, sure, score)), None)
        if twin is None:
            name = f"{profile.maker} {profile.model}"
            found.append(Candidate(profile.name, name, sure, score.reason(), dict(score.values)))
        else:
            found[twin] = replace(found[twin], alike=(*found[twin].alike, profile.name))
    return [candidate for candidate in found if candidate.confidence >= 10]


async def _read_all(table: Table, book: UnitBook) -> int:
    """Ask for the whole table; returns how sure it is by itself, percent."""
    for block in table.blocks():
        await book.fetch(block, table.profile.limits, deep=True)
    score = _score(table, book)
    return score.confidence(score.support or 1.0)


def _twins(known: Candidate, sure: int, score: Score) -> bool:
    return sure >= known.confidence - 3 and same_values(known.values, score.values)


def _score(table: Table, book: UnitBook) -> Score:
    score = judge(table.registers, book.value)
    if table.profile.models is not None:  # the device itself says that it has these points
        score.proven = True
        score.support += score.plausible
        score.against += table.lacking
    if table.named and score.support > 0:
        score.proven = True
        score.support += table.named
        score.words.insert(0, "the device names itself so")
    return score


def _tables(profiles: Sequence[Profile], chain: Chain | None, said: str) -> list[Table]:
    tables = []
    for profile in profiles:
        named = _named(profile, said)
        if profile.models is None:
            # A SunSpec device is read as such, unless its maker has a table of its own.
            if chain is None or named:
                tables.append(Table(profile, profile.registers, named))
        elif chain is not None:
            registers = _resolved(profile, chain)
            lacking = len(profile.readings) - len(registers)
            tables += [Table(profile, registers, named, lacking)] if len(registers) > lacking else []
    return [table for table in tables if table.registers]


def _resolved(profile: Profile, chain: Chain) -> tuple[Register, ...]:
    """The readings of a SunSpec profile in this device."""
    assert profile.models is not None
    found = [resolve(reading, chain, profile.models) for reading in profile.readings]
    return tuple(register for register in found if register is not None)


def _named(profile: Profile, said: str) -> float:
    words = set(re.findall(r"[a-z0-9]+", said.lower()))
    maker = re.findall(r"[a-z0-9]+", profile.maker.lower())
    models = {
        word for word in re.findall(r"[a-z0-9]+", profile.model.lower()) if len(word) > 2 and re.search(r"\d", word)
    }
    return (NAMED_MAKER if maker and set(maker) <= words else 0.0) + (NAMED_MODEL if models & words else 0.0)
