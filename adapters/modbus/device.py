"""A Modbus device: reads its profile's registers, and takes setpoints when the profile has controls."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from adapters.modbus.bus import Bus, IllegalAddress
from adapters.modbus.control import PowerLimitControl, StorageControl
from adapters.modbus.decode import SIZES, Decoded, decode, scale_factor
from adapters.modbus.planner import Block, ReadLimits, Register, plan_blocks, split
from adapters.modbus.profile import Profile
from adapters.modbus.settings import ModbusDeviceSettings
from adapters.modbus.sunspec import Chain, read_identity, resolve, walk
from adapters.modbus.wiring import correct
from gateway.model.authority import Authority
from gateway.model.errors import CommandRefused, DeviceAnswerWrong
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import BatterySpec, Device
from gateway.ports import Clock

log = logging.getLogger(__name__)

WRITE_GAP_S = 1.0
"""At most one write a second, home time: registers in flash wear out."""
ILLEGAL_VALUE = "exception 3 "
"""How the bus words the answer of devices that say 3 where the standard says 2 (illegal data address)."""


class ModbusDevice:
    """One device as Meter, and as Actuator for the setpoint kinds in `controls`."""

    def __init__(
        self, device: Device, settings: ModbusDeviceSettings, profile: Profile, bus: Bus, clock: Clock, *,
        main: bool = False,
    ) -> None:  # fmt: skip
        self.id = device.id
        self.period_s = settings.period_s
        self.controls = frozenset(profile.controls)
        self._settings, self._profile, self._bus, self._clock = settings, profile, bus, clock
        self._blocks = BlockReader(device.id, settings.unit, profile.limits, bus, clock)
        self._commands = Commands(device, settings.unit, bus, clock)
        self._chain: Chain | None = None
        self._absent: frozenset[Quantity] = frozenset()
        self._met = 0
        self._slow_due = 0.0
        bus.add_unit(settings.unit, main=main)

    async def read(self) -> list[Reading]:
        """All readings that are due; what the device has not got is missing with its reason; raises DeviceError."""
        await self._meet()
        slow = self._clock.monotonic() >= self._slow_due
        readings = await self._blocks.read(slow=slow)
        if slow:
            self._slow_due = self._clock.monotonic() + self._profile.slow_period_s - self.period_s / 2
            now = self._clock.now()
            readings += [_missing(self.id, quantity, now, "the device has no such model") for quantity in self._absent]
        return correct(readings, self._settings)

    async def apply(self, setpoint: Setpoint) -> None:
        """Send a setpoint with its end as the device's own revert time, and read it back; raises DeviceError."""
        if setpoint.kind not in self.controls:
            raise CommandRefused(self.id, "apply setpoint", f"{self._profile.model} takes no {setpoint.kind.value}")
        await self._meet()
        await self._commands.apply(setpoint)

    async def release(self) -> None:
        """Give control back to the device; raises DeviceError."""
        if self.controls:
            await self._meet()
            await self._commands.release()

    async def _meet(self) -> None:
        """At first contact, and after a reconnect, see who is there (a changed device or firmware: walk again)."""
        connects = self._bus.connects
        if self._met == connects and self._met:
            return
        if self._profile.models is None:
            self._blocks.plan(self._profile.registers)
        elif self._chain is None or not await self._is_same(self._chain):
            self._chain = await walk(self._bus, self._settings.unit, self.id)
            self._resolve(self._chain)
        self._commands.forget()
        self._met, self._slow_due = connects, 0.0

    async def _is_same(self, chain: Chain) -> bool:
        try:
            return await read_identity(self._bus, self._settings.unit, chain.base, self.id) == chain.identity
        except DeviceAnswerWrong:
            return False

    def _resolve(self, chain: Chain) -> None:
        table = self._profile.models
        assert table is not None
        found = {reading: resolve(reading, chain, table) for reading in self._profile.readings}
        lost = {r.quantity for r, register in found.items() if register is None and not r.optional}
        self._absent = frozenset(lost)
        self._blocks.plan([r for r in found.values() if r is not None and r.quantity not in lost])
        self._commands.meet({number: address for number, (address, _) in chain.models.items()})
        identity = chain.identity
        log.info("%s: %s %s %s, models %s", self.id, identity.maker, identity.model, identity.version,
                 sorted(chain.models))  # fmt: skip


class BlockReader:
    """Reads planned blocks, splits what the device refuses, and remembers it until the next contact."""

    def __init__(self, device: str, unit: int, limits: ReadLimits, bus: Bus, clock: Clock) -> None:
        self._device, self._unit, self._limits, self._bus, self._clock = device, unit, limits, bus, clock
        self._blocks: dict[bool, list[Block]] = {False: [], True: []}
        self._refused: dict[Register, str] = {}

    def plan(self, registers: Iterable[Register]) -> None:
        """Forget what was learned and plan anew; fast and slow registers never share a block."""
        registers = list(registers)
        self._refused = {}
        self._blocks = {
            slow: plan_blocks([r for r in registers if r.slow == slow], self._limits) for slow in (False, True)
        }

    async def read(self, *, slow: bool) -> list[Reading]:
        """The fast readings, and the slow ones too when asked; raises DeviceError when a block fails."""
        decoded: dict[Quantity, list[tuple[Register, Decoded, datetime]]] = {}
        for group in (False, True) if slow else (False,):
            for register, value, time in await self._read_group(group):
                decoded.setdefault(register.quantity, []).append((register, value, time))
        return [self._reading(quantity, terms) for quantity, terms in decoded.items()]

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
            for register in block.registers:
                self._refused[register] = f"the device refuses register {register.address} (exception {code})"
            log.warning("%s; it is left out until the next connection", error)
        return halves

    def _reading(self, quantity: Quantity, terms: list[tuple[Register, Decoded, datetime]]) -> Reading:
        time = min(time for _, _, time in terms)
        needed = [decoded for register, decoded, _ in terms if not register.optional]
        lacking = next((decoded for decoded in needed if decoded.value is None), None)
        values = [decoded.value for _, decoded, _ in terms if decoded.value is not None]
        if lacking is not None or not values:
            reason = lacking.reason if lacking is not None else terms[0][1].reason
            return _missing(self._device, quantity, time, reason)
        return Reading(self._device, quantity, sum(values), time)


class Commands:
    """The device's controls: writes a wish when it changed, and again only to keep its watchdog fed."""

    def __init__(self, device: Device, unit: int, bus: Bus, clock: Clock) -> None:
        self._device, self._unit, self._bus, self._clock = device, unit, bus, clock
        self._storage: StorageControl | None = None
        self._limit: PowerLimitControl | None = None
        self._last: dict[SetpointKind, tuple[Setpoint, float, float]] = {}
        self._next_write = 0.0

    def meet(self, models: dict[int, int]) -> None:
        """Learn where the device's control models are: number -> address of the ID register."""
        self._storage = self._limit = None
        if 124 in models:
            self._storage = StorageControl(self._bus, self._unit, models[124], self._device.id)
        if 123 in models:
            self._limit = PowerLimitControl(self._bus, self._unit, models[123], self._device.id)

    def forget(self) -> None:
        """The device may have restarted: write the next wish whatever it was before."""
        self._last.clear()

    async def apply(self, setpoint: Setpoint) -> None:
        """Write the setpoint unless the device holds it already for long enough; raises DeviceError."""
        life_s = (setpoint.until - self._clock.now()).total_seconds()
        if life_s <= 0:
            raise CommandRefused(self._device.id, "apply setpoint", "its end has passed")
        if self._holds(setpoint, life_s):
            return
        await self._wait_turn(setpoint.authority)
        self._last.pop(setpoint.kind, None)
        if setpoint.kind is SetpointKind.BATTERY_BAND:
            await self._apply_band(setpoint, life_s)
        else:
            await self._apply_limit(setpoint, life_s)
        self._last[setpoint.kind] = (setpoint, self._clock.monotonic(), life_s)

    async def release(self) -> None:
        """Both controls off; raises DeviceError."""
        self._last.clear()
        if self._storage:
            await self._storage.release()
        if self._limit:
            await self._limit.release()

    def _holds(self, setpoint: Setpoint, life_s: float) -> bool:
        last = self._last.get(setpoint.kind)
        if last is None or not setpoint.same_wish(last[0]):
            return False
        left_s = last[1] + last[2] - self._clock.monotonic()
        return left_s >= last[2] / 2 and left_s <= life_s + 1.0

    async def _wait_turn(self, authority: Authority) -> None:
        wait_s = self._next_write - self._clock.monotonic()
        if wait_s > 0 and authority > Authority.BINDING_LIMIT:  # safety waits for nobody
            await self._clock.sleep(wait_s)
        self._next_write = self._clock.monotonic() + WRITE_GAP_S

    async def _apply_band(self, setpoint: Setpoint, life_s: float) -> None:
        if self._storage is None:
            raise CommandRefused(self._device.id, "set battery band", "the device has no storage model 124")
        spec = self._device.spec
        may_grid_charge = spec.grid_charge if isinstance(spec, BatterySpec) else True
        forced = setpoint.low > 0  # inside a band around zero the inverter follows its own meter, never the grid
        await self._storage.set_band(setpoint.low, setpoint.value, life_s, grid_charge=forced and may_grid_charge)

    async def _apply_limit(self, setpoint: Setpoint, life_s: float) -> None:
        if self._limit is None:
            raise CommandRefused(self._device.id, "set power limit", "the device has no controls model 123")
        await self._limit.set_limit(setpoint.value, life_s)


def refusal_code(error: DeviceAnswerWrong) -> int | None:
    """The exception with which the device refuses these registers for good (2, or 3 with some makers); else None."""
    if isinstance(error, IllegalAddress):
        return 2
    return 3 if ILLEGAL_VALUE in error.reason else None


def decode_register(register: Register, block: Block, words: list[int]) -> Decoded:
    """One register's value in the quantity's unit and our sign, out of a block's words."""
    at = register.address - block.address
    raw = decode(words[at : at + SIZES[register.type]], register.type, word_order=register.word_order, nan=register.nan)
    if raw.value is None:
        return raw
    factor = 1.0
    if register.scale_address is not None:
        scale = scale_factor(words[register.scale_address - block.address])
        if scale.value is None:
            return scale
        factor = scale.value
    value = raw.value * factor * register.scale + 0.0  # + 0.0: production of nothing is 0, not -0
    if (register.low is not None and value < register.low) or (register.high is not None and value > register.high):
        return Decoded(None, f"{value:g} {register.quantity.unit} is outside {register.low:g}..{register.high:g}")
    return Decoded(value)


def _missing(device: str, quantity: Quantity, time: datetime, reason: str) -> Reading:
    return Reading(device, quantity, None, time, Quality.MISSING, reason)
