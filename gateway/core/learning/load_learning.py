"""How the model of a home's load learns: a history at once, or the day that ended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gateway.core.learning.band import DayBand, Tails
from gateway.core.learning.blocks import SLOTS, Array, Blocks
from gateway.core.learning.experts import day_ahead, ridge
from gateway.core.learning.features import Features, features, filled
from gateway.core.learning.load_model import GROUPS, HOURS, MEMORY_DAYS, LoadModel

HALF_LIFE_DAYS = 90.0
CLIP = 8.0
"""No slot teaches more than a surprise of so many mean loads."""
ERROR_HALF_LIFE_DAYS = 20.0
MOST_W = 6e4
EPS = 1e-9
CHUNK = 63
DEPTH = 42
"""The last days that make the band."""
LEAST_DAYS = 4
"""Days before which the band is a guess."""


def fit(blocks: Blocks, day: int) -> LoadModel:
    """A model of a whole history at once: `blocks` end at a local midnight and their last row is local day `day`."""
    power = known(blocks.power_w)
    if np.isnan(power).all():
        return LoadModel()
    whole = filled(power, blocks.weekend)
    model = LoadModel(day, memory_w=_hourly(whole)[-MEMORY_DAYS:])
    for first in range(1, len(power), CHUNK):  # memory stays flat
        end = min(len(power), first + CHUNK)
        model = _with(model, power[first:end], features(whole, blocks.weekend, first, end))
    return model


def learn(model: LoadModel, blocks: Blocks, day: int) -> LoadModel:
    """The same after local day `day`, the last row of `blocks`, which end at its midnight."""
    power = known(blocks.power_w)
    if np.isnan(power).all():
        return model
    whole = filled(power, blocks.weekend)
    memory = np.vstack([model.memory_w, _hourly(whole[-1:])])[-MEMORY_DAYS:]
    truth, last = power[-1], len(power) - 1
    if last < 1 or np.isnan(truth).all():
        return replace(model, day=day, memory_w=memory)
    here, decay = ~np.isnan(truth), 0.5 ** (1 / ERROR_HALF_LIFE_DAYS)
    before = Blocks(blocks.start, whole[:-1], blocks.weekend[:-1])
    each = day_ahead(model, whole[:-1], before, 0, 1)
    wrong = (each - truth)[:, here]
    learned = _with(model, power[-1:], features(whole, blocks.weekend, last, last + 1))
    return replace(
        learned, day=day, memory_w=memory, errors=decay * model.errors + wrong @ wrong.T / wrong.shape[1],
        judged=decay * model.judged + 1.0, tails=_tails(model, power, whole, blocks.weekend, each),
    )  # fmt: skip


def _tails(model: LoadModel, power: Array, whole: Array, weekend: NDArray[np.bool_], each: Array) -> Tails:
    """The shares left out, after the last day has shown how many it missed of the band it was given."""
    if len(power) <= LEAST_DAYS or np.isnan(power[:-1]).all():
        return model.tails
    low, high = band_of(model, power[:-1], whole[:-1], weekend[: len(power)], 0, (model.shares @ each)[None, :])
    floor, cap = min(0.0, float(np.nanmin(power[:-1]))), float(np.nanmax(power[:-1]))
    truth = power[-1][~np.isnan(power[-1])]
    below, above = (np.clip(end[0], floor, cap)[~np.isnan(power[-1])] for end in (low, high))
    return model.tails.after(float((truth < below - EPS).mean()), float((truth > above + EPS).mean()))


def known(power: Array) -> Array:
    """The same without what no home draws: a meter that was reset tells of megawatts."""
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(power) <= MOST_W, power, np.nan)


def band_of(
    model: LoadModel, power: Array, whole: Array, weekend: NDArray[np.bool_], quarter: int, means: Array
) -> tuple[Array, Array]:
    """The 10 and 90 % quantile, W, of the blocks after `power` (NaN where not known), of which `means` are expected."""
    first = max(2, len(power) - DEPTH)
    if len(power) < LEAST_DAYS or np.isnan(power[first:]).all():
        spread = 0.6 * float(np.nanmean(np.abs(power)))
        return means - spread, means + 2 * spread
    left = power[first:] - ridge(model, features(whole, weekend, first, len(power)), quarter)
    band = DayBand(left, power[first:], model.tails)
    past = weekend[first : len(power)]
    ends = [band.around(mean, past == weekend[len(power) + ahead]) for ahead, mean in enumerate(means)]
    return np.stack([low for low, _ in ends]), np.stack([high for _, high in ends])


def _with(model: LoadModel, power: Array, found: Features) -> LoadModel:
    """The ridge's sums with these days added, one after another."""
    surprise = np.clip((power - found.usual_w) / found.scale_w[:, None], -CLIP, CLIP)
    days, width = len(power), SLOTS // GROUPS
    decay = 0.5 ** (np.arange(days)[::-1] / HALF_LIFE_DAYS)
    weight = ~np.isnan(surprise) * decay[:, None] / width
    fade = 0.5 ** (days / HALF_LIFE_DAYS)
    gram, right = fade * model.gram, fade * model.right
    for number in range(GROUPS):
        hours = slice(number * width, (number + 1) * width)
        x = found.values[:, hours].reshape(days * width, -1)
        turned = (x * weight[:, hours].reshape(-1, 1)).T
        gram[number] += turned @ x
        right[number] += turned @ np.nan_to_num(surprise[:, hours]).ravel()
    return replace(model, gram=gram, right=right)


def _hourly(power: Array) -> Array:
    result: Array = power.reshape(len(power), HOURS, 4).mean(axis=2)
    return result
