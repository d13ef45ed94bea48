"""MeterValues of OCPP 1.6 (section 6.31, 7.43) decoded: pure, tolerant of units, blanks and missing phases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.ocpp.samples import REGISTER, Item, Sample, to_samples
from adapters.ocpp.wire import to_number


def decode(meter_values: Sequence[Mapping[str, Any]], phases: tuple[int, ...]) -> list[Sample]:
    """Samples in the message's order; the charger's L1 is the first of the grid `phases` it is wired to."""
    return to_samples(meter_values, phases, _items)


def _items(sampled: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
    for item in sampled:
        number = to_number(item.get("value"))
        if number is None or item.get("format") == "SignedData":
            continue
        scale = 1000.0 if str(item.get("unit", "")).lower() in ("kwh", "kw") else 1.0
        yield Item(item.get("measurand") or REGISTER, number * scale, item.get("phase"), item.get("location"))
