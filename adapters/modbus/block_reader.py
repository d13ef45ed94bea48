"""Reading a device's registers block by block, and learning which of them it refuses."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from adapters.modbus.bus import Bus, IllegalAddress
from adapters.modbus.decode import SIZES, Decoded, decode, scale_factor
from adapters.modbus.planner import Block, ReadLimits, Register, plan_blocks, split
from gateway.model.errors import DeviceAnswerWrong
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.ports import Clock

log = logging.getLogger(__name__)

ILLEGAL_VALUE = "exception 3 "
"""How the bus words the answer of devices that say 3 where the standard says 2 (illegal data address)."""
FIRST_RETRY_S, LAST_RETRY_S = 60.0, 86_400.0
"""What was refused is asked for again after a minute, then twice as long, at last once a day (home s): a device that
starts, or an inverter at night, may refuse what it has at other times."""


class BlockReader:
    """Reads planned blocks, splits what the device refuses, and remembers it, over reconnects too."""

    def __init__(self, device: str, unit: int, limits: ReadLimits, bus: Bus, clock: Clock) -> None:
        self._device, self._unit, self._limits, self._bus, self._clock = device, unit, limits, bus, clock
        self._registers: tuple[Register, ...] = ()
        self._blocks: dict[bool, list[Block]] = {False: [], True: []}
        self._refused: dict[Register, str] = {}
        self._told: set[Register] = set()
        self._retry_at = -LAST_RETRY_S
        self._retry_s = FIRST_RETRY_S

    def meet(self, registers: Iterable[Register]) -> None:
        """These are the device's registers; what was learned of the same ones is kept, of others forgotten."""
        wanted = tuple(registers)
        if wanted != self._registers:
            self._registers = wanted
            self._told.clear()
            self._plan()

    def forget(self) -> None:
        """Another device answers now: what was learned says nothing about it."""
        self._registers = ()

    async def read(self, *, slow: bool) -> list[Reading]:
        """The fast readings, and the slow ones too when asked; raises DeviceError when a block fails."""
        if self._refused and self._clock.monotonic() >= self._retry_at:
            self._plan()
        decoded: dict[Quantity, list[tuple[Register, Decoded, datetime]]] = {}
        for group in (False, True) if slow else (False,):
            for register, value, time in await self._read_group(group):
                decoded.setdefault(register.quantity, []).append((register, value, time))
        return [self._reading(quantity, terms) for quantity, terms in decoded.items()]

    def _plan(self) -> None:
        """Plan anew, nothing learned; fast and slow registers never share a block."""
        self._refused = {}
        self._blocks = {
            slow: plan_blocks([r for r in self._registers if r.slow == slow], self._limits) for slow in (False, True)
        }

    async def _read_group(self, slow: bool) -> list[tuple[Register, Decoded, datetime]]:
        values: list[tuple[Register, Decoded, datetime]] = []
        blocks, at = self._blocks[slow], 0
        while at < len(blocks):
            block = blocks[at]
            try:
                words = await self._bus.read_block(self._unit, block.function, block.address, block.count, self._device)
            except DeviceAnswerWrong as error:
                blocks[at : at + 1] = self._refuse(block, error)  # kept at once: a later block may fail
                continue
            at += 1
            now = self._clock.now()
            values += [(register, decode_register(register, block, words), now) for register in block.registers]
        now = self._clock.now()
        values += [(r, Decoded(None, why), now) for r, why in self._refused.items() if r.slow == slow]
        return values

    def _refuse(self, block: Block, error: DeviceAnswerWrong) -> list[Block]:
        """The smaller blocks to read instead, [] when it is given up; raises the error when it is no refusal."""
        code = refusal_code(error)
        if code is None:
            raise error
        halves = split(block, self._limits)
        if not halves:
            self._give_up(block, error, code)
        return halves

    def _give_up(self, block: Block, error: DeviceAnswerWrong, code: int) -> None:
        if not self._refused:
            self._put_off()
        for register in block.registers:
            self._refused[register] = f"the device refuses register {register.address} (exception {code})"
        if not self._told.issuperset(block.registers):
            self._told.update(block.registers)
            log.warning("%s; it is left out", error)

    def _put_off(self) -> None:
        """When to ask again: later each time it is refused again, soon when it had long been given."""
        now = self._clock.monotonic()
        long_given = now > self._retry_at + self._retry_s
        self._retry_s = FIRST_RETRY_S if long_given else min(LAST_RETRY_S, 2 * self._retry_s)
        self._retry_at = now + self._retry_s

    def _reading(self, quantity: Quantity, terms: list[tuple[Register, Decoded, datetime]]) -> Reading:
        time = min(time for _, _, time in terms)
        needed = [decoded for register, decoded, _ in terms if not register.optional]
        lacking = next((decoded for decoded in needed if decoded.value is None), None)
        values = [decoded.value for _, decoded, _ in terms if decoded.value is not None]
        if lacking is not None or not values:
            reason = lacking.reason if lacking is not None else terms[0][1].reason
            return Reading(self._device, quantity, None, time, Quality.MISSING, reason)
        return Reading(self._device, quantity, sum(values), time)


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
    factor = 1.0
    if register.scale_address is not None:
        scale = scale_factor(words[register.scale_address - block.address])
        if scale.value is None:
            return scale
        factor = scale.value
    value = raw.value * factor * register.scale + register.offset + 0.0  # + 0.0: production of nothing is 0, not -0
    if (register.low is not None and value < register.low) or (register.high is not None and value > register.high):
        return Decoded(None, f"{value:g} {register.quantity.unit} is outside {register.low:g}..{register.high:g}")
    return Decoded(value)
