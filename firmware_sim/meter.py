"""`meter`: the main meter, an Eastron SDM630 Modbus V2.

Register numbers are those of Eastron's "SDM630 Modbus Protocol Implementation": a parameter is a float32, big-endian,
in two registers; input registers by function 4, settings by functions 3 and 16 (there is no function 6).
"""

from __future__ import annotations

import argparse
import math
import struct
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from firmware_sim.clock import add_clock_arguments, clock_from
from firmware_sim.hub import HubClient, Message
from firmware_sim.modbus_device import serve_device
from firmware_sim.modbus_faults import Faults
from firmware_sim.modbus_server import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    READ_INPUT,
    WRITE_MANY,
    ModbusRefusal,
    ModbusServer,
)
from firmware_sim.process import run_process

UNIT = 1
MOST_REGISTERS = 80
SERIAL_NUMBER = 21_063_001
SERIAL_AT = 0xFC00

SETTINGS = {
    0x0002: 60.0,  # demand period, min
    0x000A: 3.0,  # system type: three phases, four wires
    0x000C: 60.0,  # pulse width, ms
    0x0012: 0.0,  # one stop bit, no parity
    0x0014: 1.0,  # node
    0x001C: 2.0,  # 9600 baud
}


def parameters(state: Message) -> dict[int, float]:
    """Input registers of the SDM630 for a state of the house: start address -> value (W, A, V, kWh)."""
    volts = [float(value) for value in state["voltage_v"]]
    watts = [float(value) for value in state["grid_w"]]
    amps = [float(value) for value in state["current_a"]]
    apparent = [v * a for v, a in zip(volts, amps, strict=True)]
    power_factor = [w / va if va > 0.5 else 1.0 for w, va in zip(watts, apparent, strict=True)]
    imported, exported = state["grid_import_wh"] / 1000, state["grid_export_wh"] / 1000
    total_w, total_va = float(state.get("grid_total_w", sum(watts))), sum(apparent)
    line = [
        math.sqrt(a * a + b * b + a * b) for a, b in ((volts[0], volts[1]), (volts[1], volts[2]), (volts[2], volts[0]))
    ]
    table: dict[int, float] = {}
    _triple(table, 0x0000, volts)
    _triple(table, 0x0006, amps)
    _triple(table, 0x000C, watts)
    _triple(table, 0x0012, apparent)
    _triple(table, 0x0018, [0.0] * 3)  # VAr
    _triple(table, 0x001E, power_factor)
    _triple(table, 0x0024, [0.0 if w >= 0 else 180.0 for w in watts])  # phase angle, degrees
    table[0x002A] = sum(volts) / 3
    table[0x002E] = sum(amps) / 3
    table[0x0030] = sum(amps)
    table[0x0034] = total_w
    table[0x0038] = total_va
    table[0x003C] = 0.0  # total VAr
    table[0x003E] = total_w / total_va if total_va > 0.5 else 1.0
    table[0x0042] = 0.0 if total_w >= 0 else 180.0
    at_s = datetime.fromisoformat(state["t"]).timestamp() if "t" in state else 0.0
    table[0x0046] = 50.0 + 0.015 * math.sin(total_w / 97 + imported + at_s / 40)  # a grid never stands still
    table[0x0048], table[0x004A] = imported, exported
    table[0x004C] = table[0x004E] = 0.0  # kVArh in, out
    table[0x0050] = imported + exported  # kVAh: no reactive energy here
    table[0x0052] = (imported + exported) / 0.69  # Ah
    table[0x0054] = table[0x0056] = total_w  # demand and its maximum
    table[0x0064] = table[0x0066] = total_va
    table[0x0068] = table[0x006A] = 0.0  # neutral current demand and its maximum
    _triple(table, 0x00C8, line)
    table[0x00CE] = sum(line) / 3
    table[0x00E0] = _neutral_a([math.copysign(a, w) for a, w in zip(amps, watts, strict=True)])
    _triple(table, 0x00EA, [1.8] * 3)  # THD of the voltages, percent
    _triple(table, 0x00F0, [4.0] * 3)  # THD of the currents, percent
    table[0x00F8], table[0x00FA] = 1.8, 4.0
    _triple(table, 0x0102, amps)  # current demand
    _triple(table, 0x0108, amps)  # and its maximum
    _triple(table, 0x014E, [1.6] * 3)  # THD line to line, percent
    table[0x0154] = 1.6
    table[0x0156], table[0x0158] = imported + exported, 0.0
    _triple(table, 0x015A, [value / 1000 for value in state["grid_phase_import_wh"]])
    _triple(table, 0x0160, [value / 1000 for value in state["grid_phase_export_wh"]])
    _triple(
        table,
        0x0166,
        [
            (into + out) / 1000
            for into, out in zip(state["grid_phase_import_wh"], state["grid_phase_export_wh"], strict=True)
        ],
    )
    for start in (0x016C, 0x0172, 0x0178):  # kVArh in, out and total per phase
        _triple(table, start, [0.0] * 3)
    return table


def _triple(table: dict[int, float], start: int, values: Sequence[float]) -> None:
    for phase, value in enumerate(values):
        table[start + 2 * phase] = value


def _neutral_a(signed: Sequence[float]) -> float:
    """Current in the neutral of three phases 120 degrees apart, A."""
    a, b, c = signed
    return math.sqrt(max(0.0, a * a + b * b + c * c - a * b - b * c - c * a))


class Sdm630:
    """The registers on the wire; `show(state)` puts a new state there at once, all values of one instant."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._inputs: dict[int, float] = {}
        self._settings = dict(SETTINGS)

    def show(self, state: Message) -> None:
        self._inputs = parameters(self._faults.told(state))

    def read(self, function: int, start: int, count: int) -> Sequence[int]:
        """Even starts on a parameter and even counts up to 80; reserved places inside a block read 0."""
        if function != READ_INPUT and start in (SERIAL_AT, SERIAL_AT + 1) and start + count <= SERIAL_AT + 2:
            return [SERIAL_NUMBER >> 16, SERIAL_NUMBER & 0xFFFF][start - SERIAL_AT :][:count]
        table = self._inputs if function == READ_INPUT else self._settings
        if count > MOST_REGISTERS or count % 2:
            raise ModbusRefusal(ILLEGAL_VALUE)
        if start not in table or start + count > max(table) + 2:
            raise ModbusRefusal(ILLEGAL_ADDRESS)
        packed = b"".join(struct.pack(">f", table.get(at, 0.0)) for at in range(start, start + count, 2))
        return struct.unpack(f">{count}H", packed)

    def write(self, function: int, start: int, values: Sequence[int]) -> None:
        """One setting at a time, by function 16."""
        if function != WRITE_MANY:
            raise ModbusRefusal(ILLEGAL_FUNCTION)
        if start not in self._settings:
            raise ModbusRefusal(ILLEGAL_ADDRESS)
        if len(values) != 2:
            raise ModbusRefusal(ILLEGAL_VALUE)
        (self._settings[start],) = struct.unpack(">f", struct.pack(">2H", *values))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="firmware_sim meter", description="The main meter, an Eastron SDM630.")
    add_clock_arguments(parser)
    parser.add_argument("--hub", type=int, required=True, help="port of the house's hub")
    parser.add_argument("--port", type=int, default=0, help="Modbus TCP port on 127.0.0.1, 0 for any")
    parser.add_argument("--rtu-port", type=int, default=None, help="also serve RTU frames over TCP on this port")
    parser.add_argument("--pty", type=Path, default=None, help="also serve RTU on a pty pair linked at this path")
    args = parser.parse_args(argv)
    clock = clock_from(args)
    faults, hub = Faults(clock), HubClient("meter", args.hub)
    meter = Sdm630(faults)
    server = ModbusServer({UNIT: meter}, faults)
    run_process(
        serve_device(hub, server, faults, clock, meter.show, port=args.port, rtu_port=args.rtu_port, pty=args.pty)
    )
