"""From many days to prototypes: k-means, and the plane in which equal days are near and different ones far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.shape_day import HOURS, Array, features
from gateway.core.learning.shape_dictionary import ShapeDictionary

ROUNDS = 25
PLANES = 14
"""Directions that are kept: nine classes of three prototypes differ in hardly more."""
STIFF = 0.05
"""Share of the mean variance added to each direction, so that one that hardly varies does not decide."""
SMOOTHED = sum(weight * np.roll(np.eye(HOURS), shift, 0) for shift, weight in ((-1, 0.25), (0, 0.5), (1, 0.25)))
"""A circular three-hour average: an hour's jitter is not another shape."""


def k_means(points: Array, count: int, dice: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """`count` centres (fewer for fewer points) and the nearest of each point (Lloyd; begun by greedy k-means++)."""
    centres = points[[int(dice.integers(len(points)))]]
    while len(centres) < min(count, len(points)):
        away = _squares(points, centres).min(axis=1)
        if away.sum() <= 0:
            break
        tried = dice.choice(len(points), 6, p=away / away.sum())
        left = [float(np.minimum(away, _squares(points, points[[t]])[:, 0]).sum()) for t in tried]
        centres = np.concatenate([centres, points[[tried[int(np.argmin(left))]]]])
    for _ in range(ROUNDS):
        nearest = _squares(points, centres).argmin(axis=1)
        counts = np.bincount(nearest, minlength=len(centres))
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, points)
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
        if np.allclose(moved, centres, atol=1e-9):
            break
        centres = moved
    return centres, _squares(points, centres).argmin(axis=1)


def fit_named(
    shares: Array, labels: NDArray[np.int64], names: tuple[str, ...], per_name: int, sharpness: float, origin: str
) -> ShapeDictionary:
    """A dictionary from days (n x 24 shares) of which the name is known (index into `names`)."""
    dice = np.random.default_rng(0)
    blur = np.eye(features(np.zeros((1, HOURS))).shape[1])
    blur[:HOURS, :HOURS] = SMOOTHED
    points = features(shares) @ blur
    scale = points.std(axis=0) + 1e-9
    points = points / scale
    centres, owner, inside = [], [], np.zeros((points.shape[1],) * 2)
    weights, nearest_of = [], []
    for index in range(len(names)):
        own = points[labels == index]
        found, nearest = k_means(own, per_name, dice)
        rest = own - found[nearest]
        inside += rest.T @ rest
        centres.append(found)
        owner += [index] * len(found)
        weights.append(np.bincount(nearest, minlength=len(found)))
        nearest_of.append(nearest)
    inside /= len(points)
    inside += STIFF * np.trace(inside) / len(inside) * np.eye(len(inside))
    middle, count = np.concatenate(centres), np.concatenate(weights).astype(float)
    plane = _plane(middle, count, inside)
    mean = np.stack([shares[labels == index].mean(axis=0) for index in range(len(names))])
    projection = blur @ (plane / scale[:, None])
    return ShapeDictionary(
        names, mean, projection, middle @ plane, count / count.sum(), tuple(owner), sharpness, origin
    )


def _plane(centres: Array, counts: Array, inside: Array) -> Array:
    """The directions (columns) in which the centres differ most, measured by the spread inside (Fisher)."""
    root = np.linalg.inv(np.linalg.cholesky(inside))
    apart = (centres - np.average(centres, axis=0, weights=counts)) @ root.T
    _, vectors = np.linalg.eigh((apart * counts[:, None]).T @ apart)
    found: Array = root.T @ vectors[:, ::-1][:, :PLANES]
    return found


def _squares(points: Array, centres: Array) -> Array:
    squares: Array = (
        np.einsum("ij,ij->i", points, points)[:, None]
        - 2 * points @ centres.T
        + np.einsum("ij,ij->i", centres, centres)[None]
    )
    return np.maximum(squares, 0.0)
