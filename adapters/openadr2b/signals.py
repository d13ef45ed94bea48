"""The signals of a 2.0b event, each with intervals of its own, as one row of intervals.

    SIMPLE             |--- 1 ---|------- 2 -------|
    ELECTRICITY_PRICE  |------- 0.30 ----|-- 0.45 -|
    one row            |--- 0 ---|-- 1 --|--- 2 ---|      each with the payloads in force

Kinds are named as OpenADR 3.1 names them where they mean the same; others keep their own name ("DEMAND_CHARGE/price")
and are recorded, not acted on. Amounts are brought to kW and kWh by the signal's siScaleCode.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from xml.etree.ElementTree import Element

from adapters.openadr2b.markup import text
from adapters.openadr2b.times import parse_seconds, parse_time
from gateway.model.dr import DrInterval, Duration, IntervalPeriod, Payload

KINDS = {
    ("SIMPLE", "level"): "SIMPLE",
    ("ELECTRICITY_PRICE", "price"): "PRICE",
    ("ENERGY_PRICE", "price"): "PRICE",
    ("LOAD_DISPATCH", "setpoint"): "DISPATCH_SETPOINT",
    ("LOAD_DISPATCH", "delta"): "DISPATCH_SETPOINT_RELATIVE",
    ("CHARGE_STATE", "setpoint"): "CHARGE_STATE_SETPOINT",
    ("LOAD_CONTROL", "x-loadControlSetpoint"): "CONTROL_SETPOINT",
    ("LOAD_CONTROL", "x-loadControlLevelOffset"): "CONTROL_LEVEL_OFFSET",
    ("LOAD_CONTROL", "x-loadControlPercentOffset"): "CONTROL_LEVEL_OFFSET_PERCENT",
}
SCALES = {
    "p": 1e-12, "n": 1e-9, "micro": 1e-6, "m": 1e-3, "c": 1e-2, "d": 0.1,
    "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "none": 1.0, "": 1.0,
}  # fmt: skip
_PER = {"currencyPerKWh": "KWH", "currencyPerKW": "KW", "currencyPerThm": "THM", "currency": ""}
TOLERANCE_S = 0.5
MAX_INTERVALS = 5000
"""Of an event, and so of one of its signals."""
MAX_PAYLOADS = 50
"""In force at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """The intervals of an event with the units and currencies of their kinds; `classes`: device classes named."""

    intervals: tuple[DrInterval, ...]
    units: dict[str, str]
    currencies: dict[str, str]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Slice:
    start_s: float
    end_s: float
    payload: Payload


@dataclass(frozen=True, slots=True)
class _Unit:
    name: str = ""
    currency: str = ""
    factor: float = 1.0


def read_signals(event: Element, start: datetime, length_s: float) -> Row:
    """All signals of an eiEvent over `length_s` s from `start` (inf: no end).

    Raises ValueError when a signal cannot be read or its intervals do not add up to the event (conformance rule 31).
    """
    signals = event.findall("eiEventSignals/eiEventSignal")
    if not signals:
        raise ValueError("an event without signals")
    count = len(event.findall("eiEventSignals/eiEventSignal/intervals/interval"))
    if count > MAX_INTERVALS:
        raise ValueError(f"it has {count} intervals, more than {MAX_INTERVALS}")
    slices: list[_Slice] = []
    units: dict[str, str] = {}
    currencies: dict[str, str] = {}
    for signal in signals:
        kind, unit = _kind(signal), _unit(signal)
        slices += _slices(signal, kind, unit.factor, start, length_s)
        units |= {kind: unit.name} if unit.name else {}
        currencies |= {kind: unit.currency} if unit.currency else {}
    return Row(tuple(_merged(slices)), units, currencies, _classes(signals))


def _kind(signal: Element) -> str:
    name, form = text(signal, "signalName"), text(signal, "signalType")
    if not name or not form:
        raise ValueError("a signal without name or type")
    name = "SIMPLE" if name == "simple" else name
    return KINDS.get((name, form), f"{name}/{form}")


def _slices(signal: Element, kind: str, factor: float, start: datetime, length_s: float) -> list[_Slice]:
    found: list[_Slice] = []
    at = 0.0
    intervals = signal.findall("intervals/interval")
    if not intervals:
        raise ValueError(f"signal {kind} has {len(intervals)} intervals")
    for interval in _in_order(intervals):
        stated = text(interval, "dtstart/date-time")
        begin = (parse_time(stated) - start).total_seconds() if stated else at
        written = text(interval, "duration/duration")
        seconds = parse_seconds(written, start) if written else 0.0
        at = begin + seconds if seconds else length_s
        found.append(_Slice(begin, at, Payload(kind, (_value(interval) * factor,))))
    _check_sum(kind, found, length_s)
    return found


def _check_sum(kind: str, slices: Sequence[_Slice], length_s: float) -> None:
    if any(piece.start_s < -TOLERANCE_S or piece.end_s <= piece.start_s for piece in slices):
        raise ValueError(f"an interval of {kind} starts before the event, or has no length")
    if not math.isinf(length_s) and abs(slices[-1].end_s - length_s) > TOLERANCE_S:
        raise ValueError(f"the intervals of {kind} last {slices[-1].end_s:g} s, the event {length_s:g} s")


def _in_order(intervals: list[Element]) -> list[Element]:
    """By their uid (0, 1, 2 ...) where each has one of its own, else as they stand."""
    uids = [text(interval, "uid/text") for interval in intervals]
    if len(set(uids)) < len(uids) or not all(uid.isdecimal() for uid in uids):
        return intervals
    return [interval for _, interval in sorted(zip((int(uid) for uid in uids), intervals, strict=True), key=_number)]


def _number(pair: tuple[int, Element]) -> int:
    return pair[0]


def _value(interval: Element) -> float:
    value = float(text(interval, "signalPayload/payloadFloat/value") or "nan")
    if not math.isfinite(value):
        raise ValueError("an interval without a finite value")
    return value


def _unit(signal: Element) -> _Unit:
    """What the signal's itemBase says; each has itemUnits and siScaleCode (emix:itemBase and its substitutes)."""
    base = next((part for part in signal if part.find("itemUnits") is not None), None)
    if base is None:
        return _Unit()
    factor, units = SCALES.get(text(base, "siScaleCode")), text(base, "itemUnits")
    if factor is None:
        raise ValueError(f"unknown scale {text(base, 'siScaleCode')!r}")
    if base.tag in _PER:
        return _Unit(_PER[base.tag], units, factor)
    if units in ("W", "J/s"):
        return _Unit("KW", "", factor / 1000)
    if units == "Wh":
        return _Unit("KWH", "", factor / 1000)
    return _Unit(units.upper(), "", factor)


def _classes(signals: Sequence[Element]) -> tuple[str, ...]:
    """The device classes all signals of the event are meant for; none when one is meant for all."""
    named = [[text(mrid) for mrid in signal.findall("eiTarget/endDeviceAsset/mrid")] for signal in signals]
    return tuple(dict.fromkeys(name for names in named for name in names)) if all(named) else ()


def _merged(slices: Sequence[_Slice]) -> Iterator[DrInterval]:
    """Cut at every edge, so that each interval of the row holds one value a kind; gaps hold none."""
    edges = sorted({max(0.0, edge) for piece in slices for edge in (piece.start_s, piece.end_s)} | {0.0})
    coming = deque(sorted(enumerate(slices), key=lambda numbered: numbered[1].start_s))
    held: list[tuple[int, _Slice]] = []
    for number, (begin, end) in enumerate(pairwise(edges)):
        while coming and coming[0][1].start_s <= begin:
            held.append(coming.popleft())
        held = sorted((each for each in held if end <= each[1].end_s), key=lambda numbered: numbered[0])
        if len(held) > MAX_PAYLOADS:
            raise ValueError(f"it has {len(held)} values at one time, more than {MAX_PAYLOADS}")
        length = Duration(infinite=True) if math.isinf(end) else Duration(seconds=end - begin)
        yield DrInterval(number, tuple(piece.payload for _, piece in held), IntervalPeriod(duration=length))
