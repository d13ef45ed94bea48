"""15-minute interval data of one device, streaming: from its counters where it has them, else from its power.

    counter  1000 ........ 1250 .................. 1900
    time     09:58         10:02   (10:15)         10:20
    interval |...09:45-10:00|....10:00-10:15....|..10:15-10:30
                       the boundary value is interpolated between its two neighbours

The sum of a device's intervals is the difference of its counter, whatever gaps lie between. The energy of a gap is
spread by the power measured meanwhile, else by what the device usually does at those hours, else evenly.
"""

from __future__ import annotations

from datetime import datetime

from gateway.core.metering.counters import MAX_POWER_W
from gateway.core.metering.stream import GIVEN, Note, Source, Stream, Typical
from gateway.model.quantity import Quantity
from gateway.model.reading import INTERVAL_S, Interval, Quality, Reading

Q = Quantity
_SOURCES = (
    Source("", Q.ENERGY_IMPORT, Q.ENERGY_EXPORT, Q.POWER),
    Source("/pv", None, Q.PV_ENERGY, Q.PV_POWER),
    Source("/battery", Q.BATTERY_CHARGED, Q.BATTERY_DISCHARGED, Q.BATTERY_POWER),
)


class IntervalBuilder:
    """Turns one device's checked readings into intervals; "<id>/pv" and "<id>/battery" for the sides of a hybrid.

    A counter that needs more than `max_power_w`, W, all the time was replaced or misread; `typical` says what the
    device usually does at a time of day, in W.
    """

    def __init__(
        self,
        device: str,
        *,
        interval_s: int = INTERVAL_S,
        max_power_w: float = MAX_POWER_W,
        typical: Typical | None = None,
    ) -> None:
        self._streams = [Stream(device, source, interval_s, max_power_w, typical) for source in _SOURCES]
        self._of = {
            quantity: stream
            for stream in self._streams
            for quantity in (stream.source.taken, stream.source.given, stream.source.power)
            if quantity is not None
        }
        self._seeded: list[Interval] = []

    def seed(self, quantity: Quantity, value: float, time: datetime, *, rough: bool = True) -> None:
        """A register value from the store, oldest first: the energy since then is recovered after a restart.

        Seeding with each stored minute since the last whole quarter restores the interval that was under way. A stored
        minute is `rough`: its last value was read at some time within it. `edges` are not.
        """
        if quantity.is_counter:
            self._seeded += self._feed(quantity, value, time, rough)

    def edges(self) -> dict[Quantity, tuple[float, float]]:
        """Each register at the start of its interval under way: seconds since 1970 and Wh, to go on from exactly."""
        return {
            quantity: edge
            for stream in self._streams
            for side, edge in stream.edges.items()
            if (quantity := stream.source.given if side == GIVEN else stream.source.taken) is not None
        }

    def add(self, reading: Reading) -> list[Interval]:
        """Take a checked reading; returns intervals that are complete now, and earlier ones better known now.

        One with the start of an earlier one supersedes it.
        """
        if reading.quality is not Quality.VALID or reading.value is None:
            return []
        fed = self._feed(reading.quantity, reading.value, reading.time)
        return self.take_seeded() + fed if self._seeded else fed

    def close(self, now: datetime) -> list[Interval]:
        """Hand out every interval that ended by `now`; one without data is marked missing.

        Energy that a counter tells of later comes as a superseding interval.
        """
        closed = [interval for stream in self._streams for interval in stream.close(now.timestamp())]
        return self.take_seeded() + closed

    def take_seeded(self) -> list[Interval]:
        """The intervals that seeding completed, once; they may be on disk already."""
        seeded, self._seeded = self._seeded, []
        return seeded

    def take_notes(self) -> list[Note]:
        """The validation rules that spoke about intervals since the last time."""
        notes = [note for stream in self._streams for note in stream.notes]
        for stream in self._streams:
            stream.notes.clear()
        return notes

    def _feed(self, quantity: Quantity, value: float, time: datetime, rough: bool = False) -> list[Interval]:
        stream = self._of.get(quantity)
        return [] if stream is None else stream.add(quantity, time.timestamp(), value, rough=rough)
