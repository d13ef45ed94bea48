"""Day-ahead forecasts by others' libraries, run in an environment of their own: PYTHON yardsticks.py IN.npz OUT.npz

IN holds, per home k: p{k} (days x slots, W at the home's own step), w{k} (weekday per day, Monday 0), t{k} (degC, may be
empty), and `judged`, the number of last days to forecast at their midnight. Refit weekly on all days before; nothing tuned.
OUT holds, per home, lightgbm{k}, hgb{k}, knn{k}, ets{k}: the judged days' forecasts; with --light lightgbm{k} only.

    lightgbm  200 trees, 15 leaves, the rest as the library has it; direct, features of the days before
    hgb       scikit-learn's HistGradientBoosting, as the library has it; the same features
    knn       the EMHASS recipe: nearest neighbours on the last 48 values with hour and weekday, step by step
    ets       statsmodels' Holt-Winters: level and an additive day over the last 63 days, smoothed anew each midnight
"""

from __future__ import annotations

import sys
import warnings

import numpy as np


def features(p: np.ndarray, weekday: np.ndarray, degc: np.ndarray) -> np.ndarray:
    """Days x slots x features, each from the days before; the temperature of the day itself, as a perfect forecast."""
    days, slots = p.shape

    def lag(k: int) -> np.ndarray:
        return np.vstack([np.full((k, slots), np.nan), p[:-k]])

    def wide(values: np.ndarray) -> np.ndarray:
        return np.repeat(np.asarray(values, dtype=float)[:, None], slots, axis=1)

    y1 = lag(1)
    week = np.nanmean([lag(k) for k in range(1, 8)], axis=0)
    same_weekday = np.nanmean([lag(7 * k) for k in range(1, 5)], axis=0)
    smooth = np.nanmean([np.roll(y1, k, axis=1) for k in (-1, 0, 1)], axis=0)
    slot = np.repeat(np.arange(slots)[None].astype(float), days, axis=0)
    found = [slot, wide(weekday), wide(weekday >= 5), y1, smooth, lag(2), lag(7), week, same_weekday]
    found += [wide(np.nanmean(y1, axis=1)), wide(np.nanmean(y1[:, -slots // 6 :], axis=1))]
    if degc.size:
        mean = np.nanmean(degc, axis=1)
        found += [degc, wide(mean), wide(np.concatenate([mean[:1], mean[:-1]]))]
    return np.stack(found, axis=-1)


def direct(make, p: np.ndarray, x: np.ndarray, judged: int) -> np.ndarray:
    out, model = [], None
    for n, day in enumerate(range(len(p) - judged, len(p))):
        if n % 7 == 0:
            rows, y = x[7:day].reshape(-1, x.shape[2]), p[7:day].ravel()
            known = ~np.isnan(y)
            model = make().fit(rows[known], y[known])
        out.append(model.predict(x[day]))
    return np.array(out)


def emhass(p: np.ndarray, weekday: np.ndarray, judged: int, lags: int = 48) -> np.ndarray:
    from sklearn.neighbors import KNeighborsRegressor

    days, slots = p.shape
    flat = p.ravel()
    flat = np.where(np.isnan(flat), np.nanmean(flat), flat)
    when = np.stack([np.tile(np.arange(slots), days), np.repeat(weekday, slots)], axis=1).astype(float)
    past = np.lib.stride_tricks.sliding_window_view(flat, lags)
    out, model = [], None
    for n, day in enumerate(range(days - judged, days)):
        begin = day * slots
        if n % 7 == 0:
            rows = np.hstack([past[: begin - lags], when[lags:begin]])
            model = KNeighborsRegressor().fit(rows, flat[lags:begin])
        window, told = flat[begin - lags : begin].tolist(), []
        for slot in range(slots):
            told.append(float(model.predict(np.concatenate([window[-lags:], when[begin + slot]])[None])[0]))
            window.append(told[-1])
        out.append(told)
    return np.array(out)


def holt_winters(p: np.ndarray, judged: int, days: int = 63) -> np.ndarray:
    """The parameters are refit weekly; the states of the other midnights follow with the parameters as they are."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    slots = p.shape[1]
    out, found = [], {}
    for n, day in enumerate(range(len(p) - judged, len(p))):
        past = p[max(0, day - days) : day]
        usual = np.nan_to_num(np.nanmean(past, axis=0), nan=float(np.nanmean(past)))
        past = np.where(np.isnan(past), usual, past).ravel()
        model = ExponentialSmoothing(past, seasonal="add", seasonal_periods=slots, initialization_method="heuristic")
        fitted = model.fit() if n % 7 == 0 else model.fit(optimized=False, **found)
        found = {name: fitted.params[name] for name in ("smoothing_level", "smoothing_seasonal")}
        out.append(fitted.forecast(slots))
    return np.array(out)


def main() -> None:
    import lightgbm

    warnings.simplefilter("ignore")
    given, told = np.load(sys.argv[1]), {}
    judged = int(given["judged"])
    for k in range(sum(name.startswith("p") for name in given)):
        p, weekday = given[f"p{k}"], given[f"w{k}"]
        x = features(p, weekday, given[f"t{k}"])
        told[f"lightgbm{k}"] = direct(
            lambda: lightgbm.LGBMRegressor(n_estimators=200, num_leaves=15, n_jobs=1, verbose=-1), p, x, judged
        )
        if "--light" not in sys.argv:
            from sklearn.ensemble import HistGradientBoostingRegressor

            told[f"hgb{k}"] = direct(HistGradientBoostingRegressor, p, x, judged)
            told[f"knn{k}"] = emhass(p, weekday, judged)
            told[f"ets{k}"] = holt_winters(p, judged)
    np.savez(sys.argv[2], **told)


if __name__ == "__main__":
    main()
