"""Reading a device's registers block by block, and learning which of them it refuses."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from adapters.modbus.bus import Bus, IllegalAddress
from adapters.modbus.decode import SIZES, Decoded, decode, scale_factor
from adapters.modbus.planner import Block, ModelMoved, ReadLimits, Register, plan_blocks, split
from gateway.model.errors import DeviceAnswerWrong, DeviceError, DeviceUnreachable
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading, Rule
from gateway.ports import Clock

log = logging.getLogger(__name__)

ILLEGAL_VALUE = "exception 3 "
"""How the bus words the answer of devices that say 3 where the standard says 2 (illegal data address)."""
FIRST_RETRY_S, LAST_RETRY_S = 2.0, 86_400.0
"""What was refused is asked for again soon, then after twice as long each time, at last once a day (home s): a device that
starts, or an inverter at night, may refuse what it has at other times, and a main meter's power is missed at once."""


FIRST_PAUSE_S, LAST_PAUSE_S = 2.0, 60.0
"""A block that gets no answer while others do is left out for so long (home s): each try costs a time-out."""


class Term(NamedTuple):
    """One part of a quantity; `known` unless its block could not be read, so that nobody knows whether it is there."""

    register: Register
    decoded: Decoded
    time: datetime
    known: bool = True


@dataclass(slots=True)
class Pause:
    """A block that gets no answer: until when it is left out (monotonic home s), and what it said."""

    until: float
    delay_s: float
    reason: str


class BlockReader:
    """Reads planned blocks, splits what the device refuses, and remembers it, over reconnects too."""

    def __init__(self, device: str, unit: int, limits: ReadLimits, bus: Bus, clock: Clock) -> None:
        self._device, self._unit, self._limits, self._bus, self._clock = device, unit, limits, bus, clock
        self._registers: tuple[Register, ...] = ()
        self._blocks: dict[bool, list[Block]] = {False: [], True: []}
        self._refused: dict[Register, str] = {}
        self._seen: set[Register] = set()
        """Optional registers that have held a value: the device has them."""
        self._paused: dict[Block, Pause] = {}
        self.whole = True
        """Whether every block the last sweep asked for was answered."""
        self._told: set[Register] = set()
        self._retry_at = -LAST_RETRY_S
        self._retry_s = FIRST_RETRY_S

    def meet(self, registers: Iterable[Register]) -> None:
        """These are the device's registers; what was learned of the same ones is kept, of others forgotten."""
        wanted = tuple(registers)
        if wanted != self._registers:
            self._registers = wanted
            self._told.clear()
            self._seen.clear()
            self._plan()

    def forget(self) -> None:
        """Another device answers now: what was learned says nothing about it."""
        self._registers = ()

    async def read(self, *, slow: bool) -> list[Reading]:
        """The fast readings, and the slow ones too when asked; what one block fails to give is missing.

        Raises ModelMoved, or DeviceError when no block at all could be read.
        """
        if self._refused and self._clock.monotonic() >= self._retry_at:
            self._plan()
        terms: dict[Quantity, list[Term]] = {}
        failures: list[tuple[Block, DeviceError]] = []
        for group in (False, True) if slow else (False,):
            for term in await self._read_group(group, failures):
                terms.setdefault(term.register.quantity, []).append(term)
        self.whole = not failures
        if failures:
            if not any(t.known and t.register not in self._refused for parts in terms.values() for t in parts):
                raise failures[0][1]
            self._pause(*failures[0])  # the later ones may have failed for its sake
        return [self._reading(quantity, parts) for quantity, parts in terms.items()]

    def _plan(self) -> None:
        """Plan anew, nothing learned; fast and slow registers never share a block."""
        self._refused = {}
        self._paused = {}
        self._blocks = {
            slow: plan_blocks([r for r in self._registers if r.slow == slow], self._limits) for slow in (False, True)
        }

    async def _read_group(self, slow: bool, failures: list[tuple[Block, DeviceError]]) -> list[Term]:
        terms: list[Term] = []
        blocks, at = self._blocks[slow], 0
        while at < len(blocks):
            block = blocks[at]
            try:
                terms += await self._read_one(block)
            except ModelMoved:
                raise
            except DeviceAnswerWrong as error:
                if refusal_code(error) is not None:
                    blocks[at : at + 1] = self._refuse(block, error)  # kept at once: a later block may fail
                    continue
                failures.append((block, error))
                terms += self._unknown(block, error.reason)
            except DeviceError as error:
                failures.append((block, error))
                terms += self._unknown(block, error.reason)
            at += 1
        now = self._clock.now()
        return terms + [Term(r, Decoded(None, why), now) for r, why in self._refused.items() if r.slow == slow]

    async def _read_one(self, block: Block) -> list[Term]:
        pause = self._paused.get(block) if self._paused else None  # seldom, and a block's hash costs
        if pause is not None and self._clock.monotonic() < pause.until:
            return self._unknown(block, pause.reason)
        words = await self._bus.read_block(self._unit, block.function, block.address, block.count, self._device)
        self._check_guards(block, words)
        if self._paused:
            self._paused.pop(block, None)
        now = self._clock.now()
        terms = [Term(register, decode_register(register, block, words), now) for register in block.registers]
        self._seen.update(t.register for t in terms if t.register.optional and _is_there(t.decoded))
        return terms

    def _pause(self, block: Block, error: DeviceError) -> None:
        """A block that gets no answer while others do is left out for a while, longer each time."""
        if isinstance(error, DeviceUnreachable):
            before = self._paused.get(block)
            delay_s = min(LAST_PAUSE_S, 2 * before.delay_s) if before else FIRST_PAUSE_S
            self._paused[block] = Pause(self._clock.monotonic() + delay_s, delay_s, error.reason)

    def _unknown(self, block: Block, reason: str) -> list[Term]:
        now = self._clock.now()
        return [Term(register, Decoded(None, reason), now, known=False) for register in block.registers]

    def _check_guards(self, block: Block, words: list[int]) -> None:
        for guard in {register.guard for register in block.registers if register.guard is not None}:
            at = guard.address - block.address
            guard.check(words[at : at + 2], self._device)

    def _refuse(self, block: Block, error: DeviceAnswerWrong) -> list[Block]:
        """The smaller blocks to read instead, [] when it is given up."""
        halves = split(block, self._limits)
        if not halves:
            self._give_up(block, error)
        return halves

    def _give_up(self, block: Block, error: DeviceAnswerWrong) -> None:
        if not self._refused:
            self._put_off()
        for register in block.registers:
            self._refused[register] = (
                f"the device refuses register {register.address} (exception {refusal_code(error)})"
            )
        if not self._told.issuperset(block.registers):
            self._told.update(block.registers)
            log.warning("%s; it is left out", error)

    def _put_off(self) -> None:
        """When to ask again: later each time it is refused again, soon when it had long been given."""
        now = self._clock.monotonic()
        long_given = now > self._retry_at + self._retry_s
        self._retry_s = FIRST_RETRY_S if long_given else min(LAST_RETRY_S, 2 * self._retry_s)
        self._retry_at = now + self._retry_s

    def _reading(self, quantity: Quantity, terms: list[Term]) -> Reading:
        """The sum of the parts the device has; missing when one of them is missing now."""
        if len(terms) == 1 and (value := terms[0].decoded.value) is not None:
            return Reading(self._device, quantity, value, terms[0].time)
        time = min(term.time for term in terms)
        lacking = next((t.decoded for t in terms if t.decoded.value is None and self._is_needed(t)), None)
        values = [term.decoded.value for term in terms if term.decoded.value is not None]
        if lacking is not None or not values:
            why = lacking if lacking is not None else terms[0].decoded
            return Reading(self._device, quantity, None, time, Quality.MISSING, why.reason, why.rule)
        return Reading(self._device, quantity, sum(values), time)

    def _is_needed(self, term: Term) -> bool:
        """An optional part is not needed as long as the device has never had it, which takes its own word."""
        register = term.register
        return not register.optional or not term.known or register in self._seen or _is_there(term.decoded)


def _is_there(decoded: Decoded) -> bool:
    """Whether the device has the register: it holds a value, or one that cannot be."""
    return decoded.value is not None or decoded.rule is not None


def refusal_code(error: DeviceAnswerWrong) -> int | None:
    """The exception with which the device refuses these registers for good (2, or 3 with some makers); else None."""
    if isinstance(error, IllegalAddress):
        return 2
    return 3 if ILLEGAL_VALUE in error.reason else None


def decode_register(register: Register, block: Block, words: list[int]) -> Decoded:
    """One register's value in the quantity's unit and our sign, out of a block's words."""
    at = register.address - block.address
    raw = decode(
        words[at : at + SIZES[register.type]], register.type, word_order=register.word_order,
        byte_order=register.byte_order, nan=register.nan,
    )  # fmt: skip
    if raw.value is None:
        return raw
    if register.states:
        meant = dict(register.states).get(round(raw.value))
        return Decoded(meant, "" if meant is not None else f"the device says {raw.value:g}, which tells nothing of it")
    factor = 1.0
    if register.scale_address is not None:
        scale = scale_factor(words[register.scale_address - block.address])
        if scale.value is None:
            return scale
        factor = scale.value
    value = raw.value * factor * register.scale + register.offset + 0.0  # + 0.0: production of nothing is 0, not -0
    if (register.low is not None and value < register.low) or (register.high is not None and value > register.high):
        reason = f"{value:g} {register.quantity.unit} is outside {register.low:g}..{register.high:g}"
        return Decoded(None, reason, Rule.RANGE)
    return Decoded(value)
