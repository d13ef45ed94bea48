"""The lies a Modbus device can tell, by name, in three families; docs/simulated-home.md lists them.

    home --STATE--> what the device believes --REGISTERS--> what it answers --LINE--> what comes over the wire

STATE lies change the state of the house before it is encoded: the registers are well formed and untrue.
REGISTERS lies change the words of a read answer: the frame is right, the numbers in it are not.
LINE lies change, add, delay or drop bytes of the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from firmware_sim.modbus_frames import Frame, Piece

Numbers = Mapping[str, float]
"""What the fault says more about its lie; `age_s` is for how long it is being told, s of home time."""
State = dict[str, Any]

ERROR = 0x80
READS = (3, 4)


def _count(frame: Frame, more: int) -> Frame:
    """A read answer with `more` registers than asked (fewer when negative), honest about its length."""
    data = (frame.pdu[2:] + bytes(2 * max(0, more)))[: max(0, len(frame.pdu) - 2 + 2 * more)]
    return replace(frame, pdu=bytes((frame.pdu[0], len(data))) + data)


def _other_function(frame: Frame) -> Frame:
    return replace(frame, pdu=bytes((frame.pdu[0] ^ 7,)) + frame.pdu[1:])


def _byte_count(frame: Frame) -> Frame:
    """The byte count promises one register more than there is."""
    return replace(frame, pdu=bytes((frame.pdu[0], frame.pdu[1] + 2)) + frame.pdu[2:])


def _transaction(frame: Frame) -> bytes:
    return (frame if frame.transaction is None else replace(frame, transaction=frame.transaction + 1)).packed()


def _bad_check(frame: Frame) -> bytes:
    """One bit of the data turned on its way: RTU notices by its check; TCP gets a wrong protocol id instead."""
    packed = frame.packed(protocol=1)
    return packed if frame.transaction is not None else packed[:-3] + bytes((packed[-3] ^ 0x40,)) + packed[-2:]


def _halves(frame: Frame, n: Numbers) -> list[Piece]:
    packed = frame.packed()
    half = len(packed) // 2
    return [Piece(packed[:half]), Piece(packed[half:], n.get("seconds", 1.5))]


def _doubled(frame: Frame) -> Frame:
    """The same answer with other numbers in it, as if of another instant."""
    return replace(frame, pdu=frame.pdu[:2] + bytes(byte ^ 0x11 for byte in frame.pdu[2:]))


Line = Callable[[Frame, Frame, Numbers], list[Piece]]
"""(the true answer, the answer to the question before, numbers) -> what is sent."""

LINE: dict[str, Line] = {
    "late": lambda frame, _, n: [Piece(frame.packed(), n.get("seconds", 1.5))],
    "count": lambda frame, _, n: [Piece(_count(frame, -1).packed())],
    "long": lambda frame, _, n: [Piece(_count(frame, 2).packed())],
    "wrong_function": lambda frame, _, n: [Piece(_other_function(frame).packed())],
    "wrong_unit": lambda frame, _, n: [Piece(replace(frame, unit=frame.unit % 247 + 1).packed())],
    "wrong_transaction": lambda frame, _, n: [Piece(_transaction(frame))],
    "truncated": lambda frame, _, n: [Piece(frame.packed()[:-3])],
    "byte_count": lambda frame, _, n: [Piece(_byte_count(frame).packed())],
    "length": lambda frame, _, n: [Piece(frame.packed(longer=4) if frame.transaction is not None else b"")],
    "bad_check": lambda frame, _, n: [Piece(_bad_check(frame))],
    "garbage_prefix": lambda frame, _, n: [Piece(b"\x00\xff\x55\x80\x7e" + frame.packed())],
    "half_then_stall": lambda frame, _, n: _halves(frame, n),
    "glued": lambda frame, _, n: [Piece(frame.packed() + _doubled(frame).packed())],
    "unsolicited": lambda frame, before, n: [Piece(before.packed() + frame.packed())],
    "answer_of_before": lambda frame, before, n: [Piece(before.packed())],
}
"""`bad_check` on TCP is a wrong protocol id: TCP has no check of its own."""


def _halves_swapped(words: list[int]) -> list[int]:
    return [word for pair in zip(words[1::2], words[::2], strict=False) for word in pair] + words[len(words) & ~1 :]


def _filled(*pattern: int) -> Callable[[list[int]], list[int]]:
    return lambda words: [pattern[at % len(pattern)] for at in range(len(words))]


REGISTERS: dict[str, Callable[[list[int]], list[int]]] = {
    "not_a_number": _filled(0x7FC0, 0x0000),
    "infinity": _filled(0x7F80, 0x0000),
    "marker_7fffffff": _filled(0x7FFF, 0xFFFF),
    "marker_80000000": _filled(0x8000, 0x0000),
    "marker_8000": _filled(0x8000),
    "marker_ffff": _filled(0xFFFF),
    "zero_everything": _filled(0),
    "words_swapped": _halves_swapped,
    "bytes_swapped": lambda words: [(word & 0xFF) << 8 | word >> 8 for word in words],
}
ASKED = ("other_registers",)
"""Lies about which registers were asked for: the right count of others. Only plausibility can tell."""


def _counters(state: State, change: Callable[[float], float], *, names: tuple[str, ...] = ()) -> State:
    """The state with every counter (or those named) changed; registers stay at or above 0."""
    told = dict(state)
    for name in names or [name for name in state if name.endswith("_wh")]:
        value = state[name]
        told[name] = [max(0.0, change(v)) for v in value] if isinstance(value, list) else max(0.0, change(value))
    return told


def _powers(state: State, factor: float) -> State:
    """Powers times a factor; currents have no sign."""
    told = dict(state)
    for name in ("grid_w", "inverter_w"):
        told[name] = [value * factor for value in state[name]]
    told["current_a"] = [value * abs(factor) for value in state["current_a"]]
    return told | {"pv_w": state["pv_w"] * factor, "battery_w": state["battery_w"] * factor}


def _running_away(state: State, n: Numbers) -> State:
    """Counters, except of what is fed into the grid, that run on at `watts` (9000) more than the power says."""
    wh = n.get("watts", 9_000.0) * n["age_s"] / 3600
    names = tuple(
        name for name in state if name.endswith("_wh") and "grid_export" not in name and "phase_export" not in name
    )
    return _counters(state, lambda value: value + wh, names=names)


def _sunny_night(state: State, n: Numbers) -> State:
    watts = n.get("watts", 2_000.0)
    return state | {"pv_w": -watts, "inverter_w": [state["battery_w"] / 3 - watts / 3] * 3}


def _out_of_range(state: State) -> State:
    told = _powers(state, 1e5)
    return told | {
        "voltage_v": [value * 20 for value in state["voltage_v"]],
        "current_a": [5e5 for _ in state["current_a"]],
    }


def _grid_lost(state: State) -> State:
    """The street is dark: no voltage, nothing flows; the meter itself lives on the home's battery."""
    nothing = [0.0, 0.0, 0.0]
    return state | {"voltage_v": nothing, "current_a": nothing, "grid_w": nothing, "grid_total_w": 0.0}


STATE: dict[str, Callable[[State, Numbers], State]] = {
    "grid_lost": lambda state, n: _grid_lost(state),
    "lie": lambda state, n: _powers(state, n.get("factor", 2.0)),
    "counter_falls": lambda state, n: _counters(state, lambda value: value - n.get("wh", 5_000.0)),
    "counter_jumps": lambda state, n: _counters(state, lambda value: value + n.get("wh", 500_000.0)),
    "counter_against_power": _running_away,
    "sign_turned": lambda state, n: _powers(state, -1.0),
    "phases_do_not_add_up": lambda state, n: state | {"grid_total_w": sum(state["grid_w"]) * n.get("factor", 2.0)},
    "night_production": _sunny_night,
    "out_of_range": lambda state, n: _out_of_range(state),
}
SCALES = ("scale_factor_changed", "scale_factor_wrong", "scale_factor_unimplemented")
"""Of devices with scale factors: another one with values to match (no lie, but one who remembers the old one is wrong),
another one with the old values, and none."""
OTHERS = ("stall", "close", "refuse", "frozen", "die")
KINDS = (*LINE, *REGISTERS, *ASKED, *STATE, *SCALES, *OTHERS)
