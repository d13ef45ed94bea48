"""Reconnect storms: who dials too often waits, and nobody else does."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

KEPT_BUCKETS = 1000
PER_ADDRESS = 10


@dataclass(slots=True)
class Bucket:
    """So many tokens are left at this instant, s of the loop's clock."""

    tokens: float
    at: float


class Buckets:
    """A token bucket per key: a minute's worth at once, then as many per minute."""

    def __init__(self, per_minute: float) -> None:
        self._size = per_minute
        self._per_s = per_minute / 60
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take one token at `now` (s, never going back): 0 when there was one, else s until the next."""
        bucket = self._buckets.pop(key, None) or Bucket(self._size, now)
        tokens = min(self._size, bucket.tokens + (now - bucket.at) * self._per_s)
        taken = tokens >= 1
        self._buckets[key] = Bucket(tokens - 1 if taken else tokens, now)
        while len(self._buckets) > KEPT_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - tokens) / self._per_s


class Storms:
    """The limits of one listening port: per address, and per identity from one address.

    A stranger who shouts a charger's identity from another address spends his own tokens, not the charger's.
    """

    def __init__(self, per_minute: int) -> None:
        self._addresses = Buckets(per_minute * PER_ADDRESS)
        self._identities = Buckets(per_minute)

    def from_address(self, address: str, now: float) -> float:
        """0 when one more connection may be taken from this address, else s to wait."""
        return self._addresses.take(address, now)

    def of_identity(self, identity: str, address: str, now: float) -> float:
        """0 when this identity may connect from this address, else s to wait."""
        return self._identities.take(f"{address} {identity}", now)
