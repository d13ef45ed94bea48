"""`inverter`: a hybrid PV and battery inverter that speaks SunSpec over Modbus TCP.

Models 1, 103, 120, 123, 160 and 124 from register 40000. Storage control as the Fronius GEN24 Modbus manual words it:
StorCtl_Mod bit 0 puts InWRte in force (most charging, percent of WChaMax; negative: at least that much discharging),
bit 1 puts OutWRte in force (most discharging; negative: at least that much charging). InOutWRte_RvrtTms seconds after
the last write the inverter is back in self-consumption; 0 means never.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from firmware_sim.clock import SimClock, add_clock_arguments, clock_from
from firmware_sim.hub import HubClient, Message
from firmware_sim.inverter_values import SCALES, Block, blocks
from firmware_sim.modbus_device import serve_device
from firmware_sim.modbus_faults import Faults
from firmware_sim.modbus_server import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    READ_INPUT,
    ModbusRefusal,
    ModbusServer,
)
from firmware_sim.process import run_process
from firmware_sim.sunspec import IMMEDIATE, STORAGE, Point, encode

UNIT, BASE = 1, 40_000
SUNS = (0x5375, 0x6E53)
MOST_W = 5_000.0
CHARGE_LIMIT, DISCHARGE_LIMIT = 1, 2

FACTORY: dict[str, int] = {
    "DA": 1,
    "Conn": 1,
    "WMaxLimPct": 10_000,
    "WMaxLimPct_RvrtTms": 0,
    "WMaxLim_Ena": 0,
    "OutPFSet_Ena": 0,
    "VArPct_Ena": 0,
    "StorCtl_Mod": 0,
    "MinRsvPct": 500,
    "OutWRte": 10_000,
    "InWRte": 10_000,
    "InOutWRte_RvrtTms": 0,
    "ChaGriSet": 1,
}
RANGES: dict[str, tuple[int, int]] = {
    "Conn": (0, 1),
    "WMaxLimPct": (0, 10_000),
    "WMaxLim_Ena": (0, 1),
    "StorCtl_Mod": (0, 3),
    "MinRsvPct": (0, 10_000),
    "OutWRte": (-10_000, 10_000),
    "InWRte": (-10_000, 10_000),
    "ChaGriSet": (0, 1),
}
STORAGE_NAMES = frozenset(point.name for point in STORAGE if point.writable)
LIMIT_NAMES = frozenset(point.name for point in IMMEDIATE if point.name.startswith("WMaxLim") and point.writable)


class Controls:
    """The writable points and their revert times; times in s of home time, from any fixed instant."""

    def __init__(self) -> None:
        self.raw = dict(FACTORY)
        self._storage_reverts_at: float | None = None
        self._limit_reverts_at: float | None = None

    def write(self, values: dict[str, int], now_s: float) -> None:
        """Take a whole write or none of it; raises ModbusRefusal for a value outside its range."""
        for name, value in values.items():
            low, high = RANGES.get(name, (-0x8000, 0xFFFF))
            if not low <= value <= high:
                raise ModbusRefusal(ILLEGAL_VALUE)
        self.raw.update(values)
        if values.keys() & STORAGE_NAMES:
            self._storage_reverts_at = _deadline(self.raw["InOutWRte_RvrtTms"], now_s)
        if values.keys() & LIMIT_NAMES:
            self._limit_reverts_at = _deadline(self.raw["WMaxLimPct_RvrtTms"], now_s)

    def expire(self, now_s: float) -> None:
        """Fall back to the factory's behaviour where a revert time has passed."""
        if self._storage_reverts_at is not None and now_s >= self._storage_reverts_at:
            self.raw.update({name: FACTORY[name] for name in ("StorCtl_Mod", "OutWRte", "InWRte")})
            self._storage_reverts_at = None
        if self._limit_reverts_at is not None and now_s >= self._limit_reverts_at:
            self.raw.update({name: FACTORY[name] for name in ("WMaxLimPct", "WMaxLim_Ena")})
            self._limit_reverts_at = None

    def orders(self) -> dict[str, Any]:
        """What the house is told: the battery's band in W (charging positive), the PV limit in percent."""
        raw = self.raw
        if raw["Conn"] == 0:
            return {"battery_low_w": 0.0, "battery_high_w": 0.0, "pv_limit_percent": 0.0}
        mode = raw["StorCtl_Mod"]
        return {
            "battery_low_w": -raw["OutWRte"] / 10_000 * MOST_W if mode & DISCHARGE_LIMIT else -MOST_W,
            "battery_high_w": raw["InWRte"] / 10_000 * MOST_W if mode & CHARGE_LIMIT else MOST_W,
            "pv_limit_percent": raw["WMaxLimPct"] / 100 if raw["WMaxLim_Ena"] else 100.0,
            "battery_reserve_percent": raw["MinRsvPct"] / 100,
            "grid_charge": bool(raw["ChaGriSet"]),
        }


def _deadline(after_s: int, now_s: float) -> float | None:
    return now_s + after_s if after_s else None


class SunSpecInverter:
    """The registers on the wire."""

    def __init__(self, faults: Faults, clock: SimClock) -> None:
        self._faults = faults
        self._clock = clock
        self.controls = Controls()
        self.written = asyncio.Event()
        self._image: list[int] = []
        self._shown = self._applied = SCALES
        self._places: dict[int, Point] = {}

    def show(self, state: Message) -> None:
        """Encode a state of the house: the whole chain of models at once."""
        chain = blocks(self._faults.told(state))
        self._shown, self._applied = self._faults.scales(SCALES)
        self._image = [*SUNS]
        for block in chain:
            self._append(block)
        self._image += [0xFFFF, 0]

    def read(self, function: int, start: int, count: int) -> Sequence[int]:
        if function == READ_INPUT:
            raise ModbusRefusal(ILLEGAL_FUNCTION)
        first = start - BASE
        if first < 0 or first + count > len(self._image):
            raise ModbusRefusal(ILLEGAL_ADDRESS)
        values = self._image[first : first + count]
        for place in range(start, start + count):
            point = self._places.get(place)
            if point is not None and point.name in self.controls.raw:
                values[place - start] = self.controls.raw[point.name] & 0xFFFF
        return values

    def write(self, function: int, start: int, values: Sequence[int]) -> None:
        wish: dict[str, int] = {}
        for place, value in enumerate(values, start):
            point = self._places.get(place)
            if point is None:
                raise ModbusRefusal(ILLEGAL_ADDRESS)
            wish[point.name] = value - 0x10000 if point.kind == "int16" and value > 0x7FFF else value
        self.controls.write(wish, self._now_s())
        self.written.set()

    async def obey(self, hub: HubClient) -> None:
        """Tell the house what was written, and that a revert time has passed, until cancelled."""
        told: dict[str, Any] = {}
        while True:
            self.controls.expire(self._now_s())
            orders = self.controls.orders()
            if orders != told:
                await hub.set(**orders)
                told = orders
            try:
                async with asyncio.timeout(max(0.05, 1 / self._clock.speed)):
                    await self.written.wait()
            except TimeoutError:
                pass  # time to look at the revert times
            self.written.clear()

    def _append(self, block: Block) -> None:
        """One block of the chain; a model number opens a model, 0 continues it."""
        if block.model:
            self._image += [block.model, block.length]
        address = BASE + len(self._image)
        for point in block.points:
            if point.writable:
                self._places[address] = point
            address += point.length
        self._image += encode(block.points, block.values, self._applied, self._shown)

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="firmware_sim inverter", description="A SunSpec hybrid inverter.")
    add_clock_arguments(parser)
    parser.add_argument("--hub", type=int, required=True, help="port of the house's hub")
    parser.add_argument("--port", type=int, default=0, help="Modbus TCP port on 127.0.0.1, 0 for any")
    args = parser.parse_args(argv)
    clock = clock_from(args)
    faults, hub = Faults(clock), HubClient("inverter", args.hub)
    inverter = SunSpecInverter(faults, clock)
    server = ModbusServer({UNIT: inverter}, faults)
    run_process(
        serve_device(hub, server, faults, clock, inverter.show, port=args.port, beside=lambda: inverter.obey(hub))
    )
