"""How long a device has been silent: as a whole, and each quantity that has a time of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.model.quantity import Quantity
from gateway.ports import Clock

MIN_SILENCE_REAL_S = 2.0
"""However fast home time runs, a device gets this long of the world's time to speak."""


class Silence:
    """Counts from the last live message, so that a silence is told once it has lasted, however often it is asked for.

    Times given are of the home, times told are of the world (s): they bound waiting for the network.
    """

    def __init__(self, clock: Clock, expire_after_s: float, own_s: Mapping[Quantity, float] | None = None) -> None:
        self._clock = clock
        self._real_s = _real(expire_after_s, clock.speed)
        self._own_s = {quantity: _real(home_s, clock.speed) for quantity, home_s in (own_s or {}).items()}
        self._heard: float | None = None
        self._each: dict[Quantity, float] = {}

    def heard(self, quantities: Iterable[Quantity]) -> None:
        """A live message came, and told these."""
        self._heard = self._now()
        for quantity in quantities:
            if quantity in self._own_s:
                self._each[quantity] = self._heard

    @property
    def over(self) -> bool:
        """Whether the device has been silent for its whole time."""
        return self.left_s <= 0

    @property
    def left_s(self) -> float:
        """What is left of the device's time; it begins when first asked for."""
        now = self._now()
        if self._heard is None:
            self._heard = now
        return max(0.0, self._heard + self._real_s - now)

    @property
    def patience_s(self) -> float:
        """How long to wait before anything is to be done: half the time, the rest of it, or a quantity's own."""
        left, half, now = self.left_s, self._real_s / 2, self._now()
        own = [at + self._own_s[quantity] - now for quantity, at in self._each.items()]
        return max(0.0, min([left - half if left > half else left, *own]))

    def expired(self) -> list[Quantity]:
        """The quantities whose own time is over, each told once."""
        now = self._now()
        gone = [quantity for quantity, at in self._each.items() if now - at >= self._own_s[quantity]]
        for quantity in gone:
            del self._each[quantity]
        return gone

    def _now(self) -> float:
        return self._clock.monotonic() / self._clock.speed


def _real(home_s: float, speed: float) -> float:
    return max(home_s / speed, MIN_SILENCE_REAL_S) if speed > 1 else home_s
