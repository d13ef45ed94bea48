"""The account of a charging session: what its energy cost, whence it came and why it flowed when it did.

    energy curve      0 ---- 1.2 kWh ---- 3.9 ------ 3.9 kWh        cut at quarter hours and price edges
    of each slice     mix of sun, battery and grid; price; reasons
    account           the sums, money rounded once

Within a slice all consumers drink from one pot, as on the page Energy. Sun is counted at the export price of its time
(what it would have earned). Energy out of the battery is counted like grid energy, in money and in CO2: whence it came
is not known, and without the car it would have saved a purchase.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

from gateway.model.authority import Authority
from gateway.model.plan import IntentKind
from gateway.model.reading import INTERVAL_S
from gateway.model.session import ChargeReason, EvSession, SessionAccount, SessionSlice
from gateway.model.setpoint import Setpoint

LEAST_WH = 0.001
ALONE = ((ChargeReason.ALONE, 1.0),)


@dataclass(frozen=True, slots=True)
class Prices:
    """What a kWh costs and emits at one time: micro-units of the currency and g CO2 per kWh."""

    import_micro_per_kwh: int
    export_micro_per_kwh: int
    co2_g_per_kwh: float


@dataclass(frozen=True, slots=True)
class Mix:
    """Of what all energy consists in one quarter hour: shares 0-1 of sun and of the battery; the rest is the grid."""

    solar: float
    battery: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of one slice while it passed, weighted by the car's power: Wh by reason and by source."""

    reasons: Mapping[ChargeReason, float]
    solar_wh: float
    battery_wh: float
    energy_wh: float


def quarter_of(when: datetime) -> datetime:
    """The start of the quarter hour that holds `when`."""
    return datetime.fromtimestamp(when.timestamp() // INTERVAL_S * INTERVAL_S, UTC)


def energy_at(curve: Sequence[tuple[int, float]], when: float) -> float:
    """Energy of a session up to `when` (seconds since 1970), Wh: straight lines between the points of its curve."""
    index = bisect_right(curve, when, key=lambda point: point[0])
    if index == 0:
        return 0.0
    at, energy = curve[index - 1]
    if index == len(curve):
        return energy
    after, more = curve[index]
    return energy + (more - energy) * (when - at) / (after - at)


def curve_of(session: EvSession, now: datetime) -> list[tuple[int, float]]:
    """The session's energy over time, rising; one that was stored without a curve rose evenly."""
    end = int((session.end or session.meter_at or now).timestamp())
    points = list(session.curve) or [(int(session.start.timestamp()), 0.0), (end, session.energy_wh)]
    if points[-1][1] < session.energy_wh:
        points.append((max(end, points[-1][0]), session.energy_wh))
    rising: list[tuple[int, float]] = []
    most = 0.0
    for at, energy in points:
        most = min(session.energy_wh, max(most, energy))
        if rising and rising[-1][0] == at:
            rising.pop()
        rising.append((at, most))
    return rising


def seal_of(session: EvSession) -> int:
    """Checksum of all an account is made of that a charger may still change."""
    return crc32(repr((session.start, session.end, session.energy_wh, session.curve)).encode())


def slices_of(curve: Sequence[tuple[int, float]], edges: Sequence[datetime]) -> list[tuple[datetime, datetime, float]]:
    """The curve cut at quarter hours and price edges: (start, end, Wh), those without energy left out."""
    begin, end = curve[0][0], curve[-1][0]
    first = begin // INTERVAL_S * INTERVAL_S
    marks = {
        *range(first, end + INTERVAL_S, INTERVAL_S),
        *(int(e.timestamp()) for e in edges if first < e.timestamp() <= end),
    }
    ordered = sorted(marks)
    found, before = [], 0.0
    for low, high in zip(ordered, [*ordered[1:], ordered[-1] + INTERVAL_S], strict=True):
        # Differences of rounded sums: whatever the cuts, the slices sum to the session.
        upto = round(energy_at(curve, high), 3)
        if upto - before >= LEAST_WH / 2:
            found.append((_utc(low), _utc(high), round(upto - before, 3)))
            before = upto
    return found


def account(
    session: EvSession,
    edges: Sequence[datetime],
    mixes: Mapping[datetime, Mix],
    watched: Mapping[datetime, Watched],
    prices: Callable[[datetime], Prices],
    kept: SessionAccount | None,
    now: datetime,
) -> SessionAccount:
    """The account of a session as far as it is known at `now`.

    `mixes` are of closed quarter hours, `watched` of slices by their start; a slice of `kept` keeps the price it had.
    The same inputs always give the same account, in whatever order energy came to be known.
    """
    before = {slice_.start: slice_ for slice_ in kept.slices} if kept else {}
    # Where a price once changed the cut stays, also when nobody tells of that price any more.
    cuts = sorted({*edges, *before})
    found = tuple(
        _slice(start, end, energy, mixes.get(quarter_of(start)), watched.get(start), before.get(start), prices)
        for start, end, energy in slices_of(curve_of(session, now), cuts)
    )
    return _summed(session, found, now)


def reason_of(
    setpoint: Setpoint | None, mode: str, intent: IntentKind | None, cheap: bool, green: bool
) -> ChargeReason:
    """Why a car that draws power now does so, by what was last commanded; `cheap` tells of a price below the mean."""
    if setpoint is None:
        return ChargeReason.ALONE
    if setpoint.value <= 0:
        return ChargeReason.STOPPING
    by_authority = _BY_AUTHORITY.get(setpoint.authority)
    if by_authority is not None:
        return by_authority
    if mode != "smart":
        return _BY_MODE.get(mode, ChargeReason.PLANNED)
    if intent is None:
        return ChargeReason.UNPLANNED
    if intent is IntentKind.SURPLUS_ONLY:
        return ChargeReason.SUN
    return ChargeReason.GREEN if green else ChargeReason.CHEAP if cheap else ChargeReason.PLANNED


_BY_AUTHORITY = {
    Authority.ELECTRICAL_SAFETY: ChargeReason.FUSE,
    Authority.BINDING_LIMIT: ChargeReason.EVENT,
    Authority.DEMAND_RESPONSE: ChargeReason.EVENT,
    Authority.OWNER_OVERRIDE: ChargeReason.ASKED,
    Authority.OWNER_FLOOR: ChargeReason.READY,
    Authority.DEFAULT: ChargeReason.UNPLANNED,
}
_BY_MODE = {"now": ChargeReason.ASKED, "solar": ChargeReason.SUN, "min_solar": ChargeReason.MINIMUM}


def _slice(
    start: datetime,
    end: datetime,
    energy_wh: float,
    mix: Mix | None,
    watched: Watched | None,
    kept: SessionSlice | None,
    prices: Callable[[datetime], Prices],
) -> SessionSlice:
    solar, battery, measured = _shares(mix, watched, kept)
    price = Prices(kept.import_micro_per_kwh, kept.export_micro_per_kwh, kept.co2_g_per_kwh) if kept else prices(start)
    reasons = _reasons(watched) or (kept.reasons if kept else ALONE)
    return SessionSlice(
        start, end, energy_wh, round(energy_wh * solar, 3), round(energy_wh * battery, 3),
        price.import_micro_per_kwh, price.export_micro_per_kwh, price.co2_g_per_kwh, measured, reasons,
    )  # fmt: skip


def _shares(mix: Mix | None, watched: Watched | None, kept: SessionSlice | None) -> tuple[float, float, bool]:
    """Closed interval data say it best, then what was kept of them, then what was seen at the time."""
    if mix is not None:
        return mix.solar, mix.battery, True
    if kept is not None and (kept.measured or watched is None) and kept.energy_wh > 0:
        return kept.solar_wh / kept.energy_wh, kept.battery_wh / kept.energy_wh, kept.measured
    if watched is not None and watched.energy_wh > 0:
        return watched.solar_wh / watched.energy_wh, watched.battery_wh / watched.energy_wh, False
    return 0.0, 0.0, False


def _reasons(watched: Watched | None) -> tuple[tuple[ChargeReason, float], ...]:
    total = sum(watched.reasons.values()) if watched else 0.0
    if watched is None or total <= 0:
        return ()
    return tuple((reason, round(wh / total, 6)) for reason, wh in sorted(watched.reasons.items()) if wh > 0)


def _summed(session: EvSession, slices: tuple[SessionSlice, ...], now: datetime) -> SessionAccount:
    reasons: dict[ChargeReason, float] = {}
    cost, co2_mg = 0.0, 0.0
    for part in slices:
        bought_wh = part.energy_wh - part.solar_wh
        cost += (bought_wh * part.import_micro_per_kwh + part.solar_wh * part.export_micro_per_kwh) / 1000
        co2_mg += bought_wh * part.co2_g_per_kwh
        for reason, share in part.reasons:
            reasons[reason] = reasons.get(reason, 0.0) + part.energy_wh * share
    ended = session.end is not None
    waited = ended and session.end is not None and now - session.end > timedelta(days=2)
    return SessionAccount(
        session.transaction,
        round(sum(part.energy_wh for part in slices), 3),
        round(sum(part.solar_wh for part in slices), 3),
        round(sum(part.battery_wh for part in slices), 3),
        round(cost),
        round(co2_mg / 1000, 3),
        tuple(sorted(((r, round(wh, 3)) for r, wh in reasons.items()), key=lambda item: -item[1])),
        slices,
        ended and (waited or all(part.measured for part in slices)),
        seal_of(session),
    )


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
