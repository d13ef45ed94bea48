"""Meter values of OCPP 2.0.1 and 2.1 (part 2, sections 2.30 and 2.48) decoded: pure, tolerant of units and shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.ocpp.samples import REGISTER, Item, Sample, to_samples
from adapters.ocpp.wire import to_number

LARGEST_EXPONENT = 9


def decode(meter_values: Sequence[Mapping[str, Any]], phases: tuple[int, ...]) -> list[Sample]:
    """Samples in the message's order; the charger's L1 is the first of the grid `phases` it is wired to."""
    return to_samples(meter_values, phases, _items)


def _items(sampled: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
    for item in sampled:
        number = to_number(item.get("value"))
        if number is not None:
            value = number * _scale(item)
            yield Item(item.get("measurand") or REGISTER, value, item.get("phase"), item.get("location"))


def _scale(item: Mapping[str, Any]) -> float:
    """Unit and power of ten; some chargers put the unit where 1.6 had it."""
    measure = item.get("unitOfMeasure")
    measure = measure if isinstance(measure, Mapping) else item
    exponent = to_number(measure.get("multiplier")) or 0.0
    kilo = str(measure.get("unit", "")).lower() in ("kwh", "kw")
    return (1000.0 if kilo else 1.0) * math.pow(10, max(-LARGEST_EXPONENT, min(LARGEST_EXPONENT, exponent)))
