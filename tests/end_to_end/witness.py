"""The house's own truth over time: what the simulated meters counted, kept by somebody who believes no gateway."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

COUNTERS = (
    "grid_import_wh", "grid_export_wh", "tank_energy_wh", "hp_energy_wh", "pool_energy_wh", "dishwasher_energy_wh",
    "pv_energy_wh",
)  # fmt: skip
Q = timedelta(minutes=15)


@dataclass(frozen=True)
class Sample:
    """One state of the house: counters in Wh, powers in W."""

    t: datetime
    counters: dict[str, float]
    grid_w: float
    car_w: float
    car_soc_percent: float
    car_plugged: bool


def sample_of(state: dict[str, Any]) -> Sample:
    """The part of a hub's state line that is kept."""
    ev = state["ev"]
    counters = {name: float(state[name]) for name in COUNTERS} | {"car_energy_wh": float(ev["energy_wh"])}
    return Sample(
        datetime.fromisoformat(state["t"]), counters, sum(state["grid_w"]), ev["power_w"], ev["soc_percent"],
        ev["plugged"],
    )  # fmt: skip


@dataclass
class Truth:
    """All samples of one home, in order of time."""

    samples: list[Sample] = field(default_factory=list)

    def counter(self, name: str, when: datetime) -> float:
        """A counter at an instant, straight between the two samples around it, Wh."""
        place = bisect_left(self.samples, when, key=lambda s: s.t)
        assert 0 < place < len(self.samples), f"the witness did not see {when}"
        a, b = self.samples[place - 1], self.samples[place]
        share = (when - a.t) / (b.t - a.t)
        return a.counters[name] + share * (b.counters[name] - a.counters[name])

    def used(self, name: str, start: datetime, end: datetime) -> float:
        """The rise of a counter over [start, end), Wh."""
        return self.counter(name, end) - self.counter(name, start)

    def between(self, start: datetime, end: datetime) -> list[Sample]:
        """The samples of [start, end)."""
        return [s for s in self.samples if start <= s.t < end]

    def first_quarter(self) -> datetime:
        """The first whole quarter hour that was seen."""
        first = self.samples[0].t
        return datetime.fromtimestamp((first.timestamp() // 900 + 1) * 900, first.tzinfo)


class Witness:
    """Listens to a house's hub in a thread of its own; `truth` grows as the day goes on."""

    def __init__(self, hub_port: int) -> None:
        self.truth = Truth()
        self._line = socket.create_connection(("127.0.0.1", hub_port), timeout=10)
        self._line.sendall(json.dumps({"hello": "witness"}).encode() + b"\n")
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._line.makefile() as stream:
            for text in stream:
                found = json.loads(text)
                if "state" in found:
                    self.truth.samples.append(sample_of(found["state"]))

    def stop(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        self._thread.join(5)
