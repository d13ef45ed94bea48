"""Rig of the tests of writes: a profile of its own with two setpoints, a wish for the sun, and clocks in a hurry."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.model.authority import Authority
from gateway.model.setpoint import Setpoint, SetpointKind
from gateway.runtime.system_clock import SystemClock
from tests.adapters.modbus_server import RawServer

PROFILE = """\
maker: M
model: X
source: {manual: m, version: '1', page: '2'}
verified: 'against nothing'
word_order: little
registers:
  - {quantity: power_w, function: holding, address: 0, type: int16}
writes:
  - setpoint: battery_band_w
    watchdog_s: 60
    unlock:
      - {function: 6, address: 40, fields: [{type: uint16, value: 4711}], read_back: none}
    frames:
      - function: 16
        address: 50
        fields:
          - {type: int32, of: value, scale: 10, range: [-5000, 5000], tolerance: 1}
          - {type: uint16, of: low, sign: -1, range: [0, 5000]}
      - {function: 6, address: 60, fields: [{type: uint16, value: 2}], read_back: 61}
    release:
      - {function: 6, address: 60, fields: [{type: uint16, value: 0}], read_back: none}
  - setpoint: pv_limit_percent
    frames:
      - {function: 6, address: 70, fields: [{type: uint16, of: value, scale: 0.1, offset: -5, range: [0, 100]}]}
    release:
      - {function: 6, address: 70, fields: [{type: uint16, copy_of: 71}]}
"""


def limit(percent: float, *, authority: Authority = Authority.BINDING_LIMIT) -> Setpoint:
    until = SystemClock().now() + timedelta(seconds=30)
    return Setpoint("dev", SetpointKind.PV_LIMIT, percent, until, authority, "test")


def a_battery(server: RawServer) -> None:
    server.registers = {61: 2, 71: 1050}


class CountedClock(SystemClock):
    """Sleeps of the home's time take none, are counted, and move its monotonic time; so does `ahead`."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        if seconds:
            self.slept.append(seconds)
            self.ahead_s += seconds
            return
        await super().sleep(0, real_floor=real_floor)


class LaterClock(CountedClock):
    """A clock in a hurry whose date is `later` than it is."""

    later = timedelta()

    def now(self) -> datetime:
        return super().now() + self.later
