"""A Modbus device: reads its profile's registers, and takes setpoints when the profile has controls."""

from __future__ import annotations

import logging
from datetime import datetime

from adapters.modbus.block_reader import BlockReader
from adapters.modbus.bus import Bus, Contact
from adapters.modbus.commands import Commands
from adapters.modbus.control import PowerLimitControl, StorageControl
from adapters.modbus.cycle import Cycle
from adapters.modbus.planner import ModelMoved
from adapters.modbus.profile import Profile
from adapters.modbus.register_control import RegisterControl
from adapters.modbus.settings import ModbusDeviceSettings
from adapters.modbus.sunspec import Chain, resolve, walk
from adapters.modbus.wiring import correct
from adapters.modbus.writes import Control
from gateway.model.errors import CommandRefused
from gateway.model.quantity import Quantity
from gateway.model.reading import Quality, Reading
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.model.site import BatterySpec, Device
from gateway.ports import Clock

log = logging.getLogger(__name__)

SLOW_AGAIN_S = 10.0
"""Slow registers of which some failed are read again after so long (home s), whatever their period."""


class ModbusDevice:
    """One device as Meter, and as Actuator for the setpoint kinds in `controls`."""

    def __init__(
        self, device: Device, settings: ModbusDeviceSettings, profile: Profile, bus: Bus, clock: Clock, *,
        main: bool = False,
    ) -> None:  # fmt: skip
        self.id = device.id
        self.period_s = settings.period_s
        self.controls = frozenset([*profile.controls, *(write.kind for write in profile.writes)])
        self._device = device
        self._settings, self._profile, self._bus, self._clock = settings, profile, bus, clock
        self._blocks = BlockReader(device.id, settings.unit, profile.limits, bus, clock)
        self._commands = Commands(device.id, settings.unit, bus, clock)
        self._cycle = Cycle(settings.period_s)
        self._chain: Chain | None = None
        self._absent: frozenset[Quantity] = frozenset()
        self._met: Contact | None = None
        self._slow_due = 0.0
        bus.add_unit(settings.unit, main=main, needs=profile.needs)

    @property
    def cycle_s(self) -> float | None:
        """How long the last whole sweep took, waiting for the bus included, s of the world; None before the first."""
        return self._cycle.last_s

    @property
    def warning(self) -> str:
        """That the device cannot be read as often as it should, and what helps, in words; empty when it can."""
        return self._cycle.warning

    async def read(self) -> list[Reading]:
        """All readings that are due; what the device has not got is missing with its reason; raises DeviceError."""
        begun_s = self._real_s()
        async with self._bus.sweep(self._settings.unit):
            await self._meet()
            slow = self._clock.monotonic() >= self._slow_due
            readings = await self._sweep(slow=slow)
        if slow:
            period_s = self._profile.slow_period_s
            period_s = period_s if self._blocks.whole else min(SLOW_AGAIN_S, period_s)
            self._slow_due = self._clock.monotonic() + period_s - self.period_s / 2
            now = self._clock.now()
            readings += [_no_model(self.id, quantity, now) for quantity in self._absent]
        self._cycle.took(self._real_s() - begun_s)
        await self._commands.end_overdue()
        return correct(readings, self._settings)

    async def apply(self, setpoint: Setpoint) -> None:
        """Send a setpoint, with its end where the device has a timer for it, and read it back; raises DeviceError."""
        if setpoint.kind not in self.controls:
            raise CommandRefused(self.id, "apply setpoint", f"{self._profile.model} takes no {setpoint.kind.value}")
        await self._meet()
        try:
            await self._commands.apply(setpoint)
        except ModelMoved:  # nothing has been written: look where it is now
            self._met = None
            await self._meet()
            await self._commands.apply(setpoint)

    async def release(self) -> None:
        """Give control back to the device: its safe value; raises DeviceError."""
        if not self.controls:
            return
        await self._meet()
        try:
            await self._commands.release()
        except ModelMoved:
            self._met = None
            await self._meet()
            await self._commands.release()

    async def _sweep(self, *, slow: bool) -> list[Reading]:
        try:
            return await self._blocks.read(slow=slow)
        except ModelMoved:
            self._met = None
            raise

    async def _meet(self) -> None:
        """See who is there: at first contact, after a reconnect, and, where a device has models, after any time-out."""
        contact = self._bus.contact(self._settings.unit)
        if self._met == contact:
            return
        same = self._met is not None and self._met[:2] == contact[:2]
        if self._profile.models is None:
            self._blocks.meet(self._profile.registers)
            self._commands.meet(self._declared())
        else:
            chain = await walk(self._bus, self._settings.unit, self.id)
            if chain != self._chain:
                same, self._chain = False, chain
                self._resolve(chain)
        if not same:
            self._commands.forget()
            self._slow_due = 0.0
        self._met = contact

    def _resolve(self, chain: Chain) -> None:
        table = self._profile.models
        assert table is not None
        found = {reading: resolve(reading, chain, table) for reading in self._profile.readings}
        lost = {r.quantity for r, register in found.items() if register is None and not r.optional}
        self._absent = frozenset(lost)
        self._blocks.forget()  # another device, or other firmware: what this one refused says nothing about that one
        self._blocks.meet([r for r in found.values() if r is not None and r.quantity not in lost])
        self._commands.meet(self._of_models(chain))
        identity = chain.identity
        log.info("%s: %s %s %s, models %s", self.id, identity.maker, identity.model, identity.version,
                 sorted(chain.models))  # fmt: skip

    def _declared(self) -> dict[SetpointKind, Control]:
        unit = self._settings.unit
        return {write.kind: RegisterControl(self._bus, unit, write, self.id) for write in self._profile.writes}

    def _of_models(self, chain: Chain) -> dict[SetpointKind, Control]:
        """The SunSpec controls the profile names and the device has, by where their models are."""
        unit, spec = self._settings.unit, self._device.spec
        grid_charge = spec.grid_charge if isinstance(spec, BatterySpec) else True
        found: dict[SetpointKind, Control] = {}
        if 124 in chain.models and SetpointKind.BATTERY_BAND in self.controls:
            found[SetpointKind.BATTERY_BAND] = StorageControl(
                self._bus, unit, chain.guard(124), self.id, grid_charge=grid_charge
            )
        if 123 in chain.models and SetpointKind.PV_LIMIT in self.controls:
            found[SetpointKind.PV_LIMIT] = PowerLimitControl(self._bus, unit, chain.guard(123), self.id)
        return found

    def _real_s(self) -> float:
        return self._clock.monotonic() / self._clock.speed


def _no_model(device: str, quantity: Quantity, now: datetime) -> Reading:
    return Reading(device, quantity, None, now, Quality.MISSING, "the device has no such model")
