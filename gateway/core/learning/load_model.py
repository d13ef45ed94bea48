"""What a home has taught its load forecast: small, learned a day at a time, kept in the store.

                 features ------> ridge ----.
    days before  the likest days -> analog --+--> weighted by their own past errors --> mean
                 usual course ---> usual ---'

The ridge starts from weights that held on other homes and moves away from them as this home gives reason to.
"""

from __future__ import annotations

import binascii
import math
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gateway.core.learning.band import Tails
from gateway.core.learning.blocks import Array
from gateway.core.learning.features import NAMES

SHIPPED = np.array([-0.023, 0.134, 0.145, -0.05, 0.061, -0.04, 0.055, 0.507, 0.626, 0.317, 0.23, 0.071, 0.412])
"""Ridge over all homes of the tuning part of the real data (the last 60 days of each home left out), four origins a day."""
GROUPS = 6
"""The weights are of four hours of the clock each."""
PENALTY = 5.0
EXPERTS = ("ridge", "similar days", "usual day")
FIRST_SHARES = np.array([0.60, 0.35, 0.05])
FIRST_DAYS = 3.0
"""How many days of errors the first shares are worth."""
MEMORY_DAYS = 182
HOURS = 24
VERSION = 1
FEATURES = len(NAMES)


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Sums of the ridge by group of hours, of the experts' errors, and the days kept for comparison.

    `day` is the ordinal of the last local day learned (0: none). `memory_w` holds the mean load of each local hour, a
    row a day, the last row `day`. `tails` are the shares left out below and above the band.
    """

    day: int = 0
    gram: Array = field(default_factory=lambda: np.zeros((GROUPS, FEATURES, FEATURES)))
    right: Array = field(default_factory=lambda: np.zeros((GROUPS, FEATURES)))
    errors: Array = field(default_factory=lambda: np.zeros((len(EXPERTS), len(EXPERTS))))
    judged: float = 0.0
    """Days of which errors are known, younger ones counting more."""
    memory_w: Array = field(default_factory=lambda: np.zeros((0, HOURS)))
    tails: Tails = field(default_factory=Tails)

    @property
    def weights(self) -> Array:
        """Of the ridge, group x feature."""
        pull = self.right - self.gram @ SHIPPED
        moved = np.linalg.solve(self.gram + PENALTY * np.eye(FEATURES), pull[:, :, None])[:, :, 0]
        result: Array = SHIPPED + moved
        return result

    @property
    def shares(self) -> Array:
        """How much of the forecast each expert has: those that would have erred least, drawn to the first shares."""
        scale = float(np.trace(self.errors)) / len(EXPERTS)
        shares = FIRST_SHARES
        if scale <= 0 or self.judged <= 0:
            return shares
        errors = self.errors * (self.judged / scale)
        for _ in range(60):  # exponentiated gradient: never negative, always a whole
            slope = (errors @ shares + FIRST_DAYS * (shares - FIRST_SHARES)) / (self.judged + FIRST_DAYS)
            shares = shares * np.exp(-0.5 * (slope - float(slope @ shares)))
            shares = shares / shares.sum()
        return shares

    def to_document(self) -> dict[str, Any]:
        """As kept in the store, below 16 KiB."""
        upper = np.triu_indices(FEATURES)
        return {
            "version": VERSION, "features": FEATURES, "day": self.day, "judged": round(self.judged, 4),
            "gram": _packed(self.gram[:, upper[0], upper[1]], "<f4"), "right": _packed(self.right, "<f4"),
            "errors": _packed(self.errors, "<f4"), "memory": _packed(self.memory_w, "<f2"),
            "tails": [round(value, 6) for value in self.tails],
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> LoadModel:
        """What was kept; nothing learned where it cannot be read or is of another version."""
        try:
            return _from(document or {})
        except (KeyError, TypeError, ValueError, binascii.Error):
            return cls()


def _packed(values: Array, kind: str) -> str:
    return b64encode(values.astype(kind).tobytes()).decode()


def _unpacked(text: str, kind: str, *shape: int) -> Array:
    values: Array = np.frombuffer(b64decode(text, validate=True), kind).astype(np.float64).reshape(shape)
    if not np.isfinite(values).all():
        raise ValueError("not finite")
    return values


def _from(document: Mapping[str, Any]) -> LoadModel:
    if document["version"] != VERSION or document["features"] != FEATURES:
        return LoadModel()
    upper = np.triu_indices(FEATURES)
    gram = np.zeros((GROUPS, FEATURES, FEATURES))
    gram[:, upper[0], upper[1]] = _unpacked(document["gram"], "<f4", GROUPS, len(upper[0]))
    gram[:, upper[1], upper[0]] = gram[:, upper[0], upper[1]]
    tails, judged = Tails(*(float(value) for value in document["tails"])), float(document["judged"])
    if len(tails) != len(document["tails"]) or not all(math.isfinite(value) for value in (*tails, judged)):
        raise ValueError("not finite")
    return LoadModel(
        int(document["day"]), gram, _unpacked(document["right"], "<f4", GROUPS, FEATURES),
        _unpacked(document["errors"], "<f4", len(EXPERTS), len(EXPERTS)), judged,
        _unpacked(document["memory"], "<f2", -1, HOURS)[-MEMORY_DAYS:], tails,
    )  # fmt: skip
