"""What the homes say of an event, read from their reports: taking part or not, energy delivered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from firmware_sim.vtn_store import Object

WORDS = {
    "NORMAL": "as usual",
    "CURTAILED": "takes part",
    "HEIGHTENED": "takes part, uses more",
    "OPTED_OUT": "opted out",
    "ERROR": "in trouble",
    "SGD_ERROR_CONDITION": "in trouble",
}
"""How an OPERATING_STATE ends, e.g. RUNNING_CURTAILED (report payload enumeration of 3.1.0)."""


@dataclass(frozen=True)
class State:
    """One home's newest word on one event."""

    client: str
    words: str
    opted_out: bool


def states(event: Object, reports: list[Object]) -> list[State]:
    """Each home's newest operating state in its reports on this event."""
    newest: dict[str, str] = {}
    for report in sorted(_on(event, reports), key=lambda item: str(item.get("modificationDateTime"))):
        for _, values in _values(report, "OPERATING_STATE"):
            newest[str(report["clientName"])] = str(values[-1])
    return [State(client, told(state), state.endswith("OPTED_OUT")) for client, state in newest.items()]


def told(state: str) -> str:
    """An operating state in words, with the state itself."""
    ending = next((words for name, words in WORDS.items() if state.endswith(name)), "")
    return f"{ending} ({state})" if ending else state


def delivered_kwh(event: Object, reports: list[Object]) -> dict[tuple[str, str], float]:
    """By home and resource: the sum of BASELINE minus USAGE over the intervals for which both were reported, kWh."""
    found: dict[tuple[str, str], float] = {}
    mine = _on(event, reports)
    usage, baseline = _by_place(mine, "USAGE"), _by_place(mine, "BASELINE")
    for place in sorted(usage.keys() & baseline.keys(), key=str):
        client, resource = place[:2]
        found[client, resource] = found.get((client, resource), 0.0) + baseline[place] - usage[place]
    return found


def series(report: Object) -> Iterator[tuple[str, str, list[float]]]:
    """(resource, payload type, values in order) of what can be drawn."""
    for resource in report["resources"]:
        lines: dict[str, list[float]] = {}
        for interval in resource["intervals"]:
            for part in interval.get("payloads", []):
                numbers = [v for v in part.get("values", []) if isinstance(v, (int, float)) and not isinstance(v, bool)]
                lines.setdefault(str(part.get("type")), []).extend(float(number) for number in numbers)
        yield from ((str(resource["resourceName"]), kind, values) for kind, values in lines.items() if values)


def _by_place(reports: list[Object], kind: str) -> dict[tuple[str, str, Any, Any], float]:
    found = {}
    for report in reports:
        for place, values in _values(report, kind):
            if all(isinstance(value, (int, float)) for value in values):
                found[str(report["clientName"]), *place] = float(sum(values))
    return found


def _values(report: Object, kind: str) -> Iterator[tuple[tuple[str, Any, Any], list[Any]]]:
    """((resource, interval id, its start), values) of one payload type."""
    for resource in report["resources"]:
        for interval in resource["intervals"]:
            start = (interval.get("intervalPeriod") or {}).get("start")
            for part in interval.get("payloads", []):
                if part.get("type") == kind and part.get("values"):
                    yield (str(resource["resourceName"]), interval["id"], start), part["values"]


def _on(event: Object, reports: list[Object]) -> list[Object]:
    return [report for report in reports if report.get("eventID") == event["id"]]
