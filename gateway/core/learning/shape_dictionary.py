"""A dictionary of named shapes: prototypes of each name in a plane where a day's jitter is small, as a small document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gateway.core.learning.shape_day import FEATURES, HOURS, Array
from gateway.model.errors import Finding

KIND = "hearth load shapes"
VERSION = 1
MAX_NAMES = 32
MAX_PROTOTYPES = 256
AWAY = "away"
FLAT = "flat"


@dataclass(frozen=True, eq=False)
class ShapeDictionary:
    """Named shapes; a day is as likely of a name as it lies near the prototypes of that name.

    `curves` (names x 24) are the mean shares of a name's days, for people. `projection` (FEATURES x d) brings a day's
    features to where the spread of equal days is 1 in each direction; `prototypes` (p x d) stand there, `weights` (p)
    are how frequent each is, `owner` (p) is the index of its name. `sharpness` scales the log-likelihood so that a
    confidence is how often the name is right.
    """

    names: tuple[str, ...]
    curves: Array
    projection: Array
    prototypes: Array
    weights: Array
    owner: tuple[int, ...]
    sharpness: float
    origin: str

    def typical(self) -> dict[str, tuple[float, ...]]:
        """Name -> its 24 hourly shares of what is taken from the grid, as in DayShape.profile; they sum to 1."""
        used = np.maximum(self.curves, 0.0)
        used /= used.sum(axis=1, keepdims=True)
        return {name: tuple(map(float, row)) for name, row in zip(self.names, used, strict=True)}

    def to_document(self) -> dict[str, Any]:
        """JSON of a few KiB; `from_document` reads it."""
        shapes = [
            {
                "name": name,
                "curve": _rounded(self.curves[index], 5),
                "prototypes": [
                    {"weight": round(float(self.weights[p]), 5), "at": _rounded(self.prototypes[p], 3)}
                    for p, owner in enumerate(self.owner)
                    if owner == index
                ],
            }
            for index, name in enumerate(self.names)
        ]
        return {
            "kind": KIND,
            "version": VERSION,
            "origin": self.origin,
            "sharpness": round(self.sharpness, 4),
            "projection": [_rounded(row, 3) for row in self.projection],
            "shapes": shapes,
        }

    @classmethod
    def from_document(cls, document: object, where: str) -> ShapeDictionary:
        """The dictionary of a document; raises Finding, with `where` it came from, for one that is none."""
        try:
            return _read(document)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            what = f"is no dictionary of load shapes ({_words(error)})"
            raise Finding(where, what, "Make one with hearth train-shapes, or use the shipped one.") from error


def _read(document: object) -> ShapeDictionary:
    if not isinstance(document, Mapping) or document.get("kind") != KIND:
        raise ValueError(f"its kind is not '{KIND}'")
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']}; this Hearth reads version {VERSION}")
    shapes = document["shapes"]
    if not 2 <= len(shapes) <= MAX_NAMES:
        raise ValueError(f"{len(shapes)} shapes; 2 to {MAX_NAMES} are possible")
    names = tuple(str(shape["name"]) for shape in shapes)
    if len(set(names)) < len(names) or not all(1 <= len(name) <= 40 for name in names):
        raise ValueError("its names are not different words of up to 40 letters")
    rows = [(index, row) for index, shape in enumerate(shapes) for row in shape["prototypes"]]
    if {index for index, _ in rows} != set(range(len(names))) or len(rows) > MAX_PROTOTYPES:
        raise ValueError(f"a shape without prototypes, or more than {MAX_PROTOTYPES}")
    projection = _matrix(document["projection"], FEATURES, "projection")
    prototypes = _matrix([row["at"] for _, row in rows], len(rows), "prototypes")
    curves = _matrix([shape["curve"] for shape in shapes], len(names), "curves")
    weights = _matrix([[row["weight"] for _, row in rows]], 1, "weights")[0]
    sharpness = float(document["sharpness"])
    if prototypes.shape[1] != projection.shape[1] or curves.shape[1] != HOURS:
        raise ValueError("prototypes and projection, or curves and hours, do not go together")
    if not (curves.max(axis=1) > 0).all():
        raise ValueError("a curve that takes nothing from the grid")
    if not (weights > 0).all() or not 0 < sharpness <= 10:
        raise ValueError("weights must be above 0, sharpness above 0 and at most 10")
    origin = str(document["origin"])
    owner = tuple(index for index, _ in rows)
    return ShapeDictionary(names, curves, projection, prototypes, weights / weights.sum(), owner, sharpness, origin)


def _matrix(rows: Sequence[Sequence[float]], count: int, what: str) -> Array:
    found = np.array(rows, dtype=float)
    if found.ndim != 2 or len(found) != count or not np.isfinite(found).all() or np.abs(found).max() > 1e6:
        raise ValueError(f"{what}: not {count} rows of equal length with finite numbers")
    return found


def _words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _rounded(row: Array, digits: int) -> list[float]:
    return [round(float(x), digits) for x in row]
