"""Commands to SunSpec inverters: storage (model 124) and the power limit (model 123)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from adapters.modbus.bus import Bus
from adapters.modbus.decode import decode, encode_int16, scale_factor
from adapters.modbus.framing import WRITE_MANY
from adapters.modbus.planner import Guard
from adapters.modbus.writes import WriteSpan
from gateway.model.errors import CommandRefused, DeviceAnswerWrong
from gateway.model.setpoint import Setpoint

# Offsets from the ID register, SunSpec model 124.
WCHA_MAX, STOR_CTL_MOD, OUT_W_RTE, CHA_GRI_SET, WCHA_MAX_SF, IN_OUT_W_RTE_SF = 2, 5, 12, 17, 18, 25
STORAGE_LENGTH = 26
CHARGE_AND_DISCHARGE = 0b11
"""StorCtl_Mod: bit 0 holds charging (InWRte), bit 1 discharging (OutWRte)."""
FROM_PV_ONLY, FROM_GRID = 0, 1
# Offsets from the ID register, SunSpec model 123.
W_MAX_LIM_PCT, W_MAX_LIM_ENA, W_MAX_LIM_PCT_SF = 5, 9, 23
MAX_REVERT_S = 65_534


def revert_seconds(seconds: float) -> int:
    """A command's remaining life as a revert time: at least 1 (0 would mean for ever), at most a register's worth."""
    return max(1, min(MAX_REVERT_S, math.ceil(seconds)))


def storage_rates(low_w: float, high_w: float, max_w: float, rate_scale: float) -> tuple[int, int]:
    """(OutWRte, InWRte) registers for a battery band [low_w, high_w], W, charging positive.

    Both are percent of WChaMax and open the window [-OutWRte, InWRte]; a negative one forces the other direction
    (as the Fronius GEN24 Modbus manual words it): [P, P] with P > 0 is InWRte = P, OutWRte = -P.
    """
    out = max(-100.0, min(100.0, -low_w / max_w * 100))
    into = max(-100.0, min(100.0, high_w / max_w * 100))
    return encode_int16(out / rate_scale), encode_int16(into / rate_scale)


class StorageControl:
    """A battery behind model 124 where `guard` says, as Control; it may be charged from the grid or not.

    Before anything is written the model is seen to be still there, and its scales are read.
    """

    def __init__(self, bus: Bus, unit: int, guard: Guard, device: str, *, grid_charge: bool = True) -> None:
        self._bus, self._unit, self._guard, self._device = bus, unit, guard, device
        self._address = guard.address
        self._grid_charge = grid_charge

    @property
    def spans(self) -> frozenset[WriteSpan]:
        """The mode, and rates with revert time and grid permission."""
        mode, rates = self._address + STOR_CTL_MOD, self._address + OUT_W_RTE
        return frozenset({(WRITE_MANY, mode, mode), (WRITE_MANY, rates, self._address + CHA_GRI_SET)})

    def lasts_s(self, life_s: float) -> float:
        """It reverts by itself at the end of the wish."""
        return life_s

    async def apply(self, setpoint: Setpoint, life_s: float) -> None:
        """Set the band of a battery setpoint; raises DeviceError."""
        forced = setpoint.low > 0  # inside a band around zero the inverter follows its own meter, never the grid
        grid_charge = forced and self._grid_charge
        await self.set_band(setpoint.low, setpoint.value, life_s, grid_charge=grid_charge)

    async def set_band(self, low_w: float, high_w: float, seconds: float, *, grid_charge: bool) -> None:
        """Let the battery work inside [low_w, high_w], W, charging positive, for `seconds`; raises DeviceError.

        Rates, revert time and grid permission go in one write, the mode after them; both are read back.
        """
        max_w, rate_scale = await self._limits()
        out, into = storage_rates(low_w, high_w, max_w, rate_scale)
        source = FROM_GRID if grid_charge else FROM_PV_ONLY
        rates = [out, into, 0, revert_seconds(seconds), 0, source]
        await self._write(OUT_W_RTE, rates)
        await self._write(STOR_CTL_MOD, [CHARGE_AND_DISCHARGE])
        state = await self._read()
        if state[STOR_CTL_MOD] != CHARGE_AND_DISCHARGE:
            raise CommandRefused(self._device, "set battery band", f"StorCtl_Mod reads back {state[STOR_CTL_MOD]}")
        if [*state[OUT_W_RTE : OUT_W_RTE + 2], state[CHA_GRI_SET]] != [out, into, source]:
            raise CommandRefused(self._device, "set battery band", "the rates read back differ from what was written")

    async def release(self) -> None:
        """Give the battery back to its own control; raises DeviceError."""
        await self._read()
        await self._write(STOR_CTL_MOD, [0])

    async def _limits(self) -> tuple[float, float]:
        state = await self._read()
        max_w = decode(state[WCHA_MAX : WCHA_MAX + 1], "uint16", nan=(0xFFFF,)).value
        factors = [scale_factor(state[at]).value for at in (WCHA_MAX_SF, IN_OUT_W_RTE_SF)]
        if not max_w or factors[0] is None or factors[1] is None:
            raise DeviceAnswerWrong(self._device, "read battery limits", "the device states no WChaMax or scale")
        return max_w * factors[0], factors[1]

    async def _read(self) -> list[int]:
        state = await self._bus.read_block(self._unit, "holding", self._address, STORAGE_LENGTH, self._device)
        self._guard.check(state[:2], self._device)
        return state

    async def _write(self, offset: int, values: Sequence[int]) -> None:
        await self._bus.write_registers(self._unit, self._address + offset, values, self._device)


class PowerLimitControl:
    """An inverter's AC power limit behind model 123 where `guard` says, as Control; seen to be there at each write."""

    def __init__(self, bus: Bus, unit: int, guard: Guard, device: str) -> None:
        self._bus, self._unit, self._guard, self._device = bus, unit, guard, device
        self._address = guard.address

    @property
    def spans(self) -> frozenset[WriteSpan]:
        """Limit, revert time and permission."""
        first, last = self._address + W_MAX_LIM_PCT, self._address + W_MAX_LIM_ENA
        return frozenset({(WRITE_MANY, first, last)})

    def lasts_s(self, life_s: float) -> float:
        """It reverts by itself at the end of the wish."""
        return life_s

    async def apply(self, setpoint: Setpoint, life_s: float) -> None:
        """Hold the setpoint's percentage; raises DeviceError."""
        await self.set_limit(setpoint.value, life_s)

    async def set_limit(self, percent: float, seconds: float) -> None:
        """Hold AC power at `percent` of its rating (0-100) for `seconds`, in one verified write; raises DeviceError."""
        state = await self._read()
        factor = scale_factor(state[W_MAX_LIM_PCT_SF]).value
        if factor is None:
            raise DeviceAnswerWrong(self._device, "read power limit", "the device states no scale of WMaxLimPct")
        wanted = encode_int16(max(0.0, min(100.0, percent)) / factor)
        values = [wanted, 0, revert_seconds(seconds), 0, 1]
        start = self._address + W_MAX_LIM_PCT
        await self._bus.write_registers(self._unit, start, values, self._device)
        back = await self._read()
        percent_back, enabled = back[W_MAX_LIM_PCT], back[W_MAX_LIM_ENA]
        if (percent_back, enabled) != (wanted, 1):
            raise CommandRefused(self._device, "set power limit", f"reads back {percent_back}, enabled {enabled}")

    async def release(self) -> None:
        """Lift the limit; raises DeviceError."""
        await self._read()
        await self._bus.write_registers(self._unit, self._address + W_MAX_LIM_ENA, [0], self._device)

    async def _read(self) -> list[int]:
        state = await self._bus.read_block(self._unit, "holding", self._address, W_MAX_LIM_PCT_SF + 1, self._device)
        self._guard.check(state[:2], self._device)
        return state
