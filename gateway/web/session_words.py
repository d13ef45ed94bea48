"""The ledger of charging sessions in words: a month's sentence, its rows, its sums and its plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from gateway.model.session import ChargeReason, EvSession, SessionAccount
from gateway.model.site import Role
from gateway.runtime.energy import device_name
from gateway.web.view import HomeView
from gateway.web.words import DASH, co2, money, watt_hours

LEAST_SHARE = 0.01
ORPHAN = "orphan: "
"""Start of the stop reason of a session whose end the charger never told."""
PLOT_TOP = 100.0
REASON_WORDS = {
    ChargeReason.CHEAP: "on cheap hours",
    ChargeReason.PLANNED: "as planned",
    ChargeReason.GREEN: "on clean hours",
    ChargeReason.SUN: "on surplus sun",
    ChargeReason.MINIMUM: "at the minimum, and more with the sun",
    ChargeReason.ASKED: "you asked to charge now",
    ChargeReason.READY: "to be ready in time",
    ChargeReason.EVENT: "within a utility event",
    ChargeReason.FUSE: "held back for the fuse",
    ChargeReason.UNPLANNED: "without a plan",
    ChargeReason.STOPPING: "while it stopped",
    ChargeReason.ALONE: "by the charger itself, unwatched",
}


class Row(Protocol):
    """One session and its account, None before it was made."""

    @property
    def session(self) -> EvSession: ...
    @property
    def account(self) -> SessionAccount | None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What the address of the page asks for: a local month, and of which charger and tag."""

    month: date
    charger: str
    tag: str

    def address(self, month: date | None = None) -> str:
        """The page's own address, or that of another month."""
        asked = {"month": f"{month or self.month:%Y-%m}", "charger": self.charger, "tag": self.tag}
        return "/sessions?" + urlencode({key: value for key, value in asked.items() if value})

    def fits(self, session: EvSession) -> bool:
        """Whether a session is of this charger and tag."""
        return self.charger in ("", session.charger) and self.tag in ("", session.tag)


@dataclass(frozen=True, slots=True)
class Line:
    """One session in words."""

    when: str
    lasted: str
    who: str
    energy: str
    cost: str
    sun: str
    why: str
    ended: str


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of the sessions shown, in words."""

    count: int
    energy: str
    cost: str
    per_kwh: str
    co2: str
    sun: str


@dataclass(frozen=True, slots=True)
class Column:
    """One day of the plot: its parts from below as (colour key, y, height), and the same in words."""

    x: float
    parts: tuple[tuple[str, float, float], ...]
    words: str


def asked(home: HomeView, month: str, charger: str, tag: str) -> Wish:
    """The wish in an address; what cannot be read is this month and every charger."""
    today = home.clock.now().astimezone(home.site.timezone).date().replace(day=1)
    try:
        wanted = date.fromisoformat(f"{month}-01")
    except ValueError:
        wanted = today
    known = {device.id for device in home.site.of_role(Role.EV_CHARGER)}
    return Wish(min(max(wanted, date(1971, 1, 1)), today), charger if charger in known else "", tag[:100])


def month_of(month: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A local month as a half-open span, aware UTC."""
    first, after = (datetime.combine(day, time(0), zone).astimezone(UTC) for day in (month, month_beside(month, 1)))
    return first, after


def month_beside(month: date, step: int) -> date:
    """The first day of a month so many months away."""
    index = month.year * 12 + month.month - 1 + step
    return date(index // 12, index % 12 + 1, 1)


def sentence(rows: Sequence[Row], wish: Wish, currency: str) -> str:
    """What a month of charging came to, in one sentence."""
    energy, cost, solar, _ = _sums(rows)
    known = sum(row.account.energy_wh for row in rows if row.account)
    if energy <= 0:
        return f"No car has charged in {wish.month:%B %Y}."
    told = f" for {money(cost, currency)}" if known else ""
    share = (
        f", {solar / known * 100:.0f}\N{NO-BREAK SPACE}% of it from your own sun"
        if solar >= max(1.0, 0.005 * known)
        else ""
    )
    return f"In {wish.month:%B %Y} {watt_hours(energy)} were charged{told}{share}."


def totals_of(rows: Sequence[Row], currency: str) -> Totals:
    """The sums over sessions; money of those that are accounted."""
    energy, cost, solar, grams = _sums(rows)
    known = sum(row.account.energy_wh for row in rows if row.account)
    return Totals(
        len(rows),
        watt_hours(energy),
        money(cost, currency) if known else DASH,
        f"{money(cost / known * 1000, currency, 3)}/kWh" if known > 0 else DASH,
        co2(grams) if known else DASH,
        f"{solar / known * 100:.0f} %" if known > 0 else DASH,
    )


def _sums(rows: Iterable[Row]) -> tuple[float, int, float, float]:
    energy, cost, solar, grams = 0.0, 0, 0.0, 0.0
    for row in rows:
        energy += row.session.energy_wh
        if row.account:
            cost, solar, grams = cost + row.account.cost_micro, solar + row.account.solar_wh, grams + row.account.co2_g
    return energy, cost, solar, grams


def line_of(home: HomeView, row: Row, now: datetime) -> Line:
    """One session as the table shows it."""
    session, kept = row.session, row.account
    lasted = ((session.end or now) - session.start).total_seconds()
    percent = kept.solar_percent if kept else None
    who = device_name(home.site, session.charger) + (f" · {session.tag}" if session.tag else "")
    return Line(
        f"{session.start.astimezone(home.site.timezone):%a %d %b %H:%M}",
        f"{lasted // 3600:.0f} h {lasted % 3600 // 60:02.0f} min" + ("" if session.end else ", still open"),
        who,
        watt_hours(session.energy_wh),
        money(kept.cost_micro, home.site.currency) if kept else DASH,
        DASH if percent is None else f"{percent:.0f} %",
        why_words(kept),
        ended_words(session.stop_reason) + doubt_words(session),
    )


def ended_words(reason: str) -> str:
    """Why it ended; the charger's own word, or ours where it never said."""
    return f"not told; {reason.removeprefix(ORPHAN)}" if reason.startswith(ORPHAN) else reason


def doubt_words(session: EvSession) -> str:
    """That its energy is not sure, where it is not, and why; else nothing."""
    if session.meter_doubted:
        return "; energy not sure: its register rose at the end by more than its samples told"
    if session.meter_refused_wh is None:
        return ""
    return f"; energy not sure: the register at its end, {watt_hours(session.meter_refused_wh)}, cannot be true"


def why_words(kept: SessionAccount | None) -> str:
    """The main reasons with their shares: "72 % on cheap hours, 20 % on surplus sun"."""
    if kept is None or kept.energy_wh <= 0:
        return DASH
    told = [(reason, wh / kept.energy_wh) for reason, wh in kept.reasons if wh / kept.energy_wh >= LEAST_SHARE]
    return ", ".join(f"{share * 100:.0f} % {REASON_WORDS[reason]}" for reason, share in told[:4]) or DASH


def days_of(rows: Sequence[Row], month: date, zone: ZoneInfo) -> dict[int, list[float]]:
    """Energy of each local day of the month from sun, battery and grid, Wh; a session's lies where it flowed."""
    days: dict[int, list[float]] = {}
    for row in rows:
        for part in row.account.slices if row.account else ():
            local = part.start.astimezone(zone).date()
            if (local.year, local.month) == (month.year, month.month):
                sums = days.setdefault(local.day, [0.0, 0.0, 0.0])
                grid = part.energy_wh - part.solar_wh - part.battery_wh
                sums[:] = [a + b for a, b in zip(sums, (part.solar_wh, part.battery_wh, grid), strict=True)]
    return days


def columns(rows: Sequence[Row], month: date, zone: ZoneInfo) -> list[Column]:
    """The month's days as stacked columns on one scale."""
    days = days_of(rows, month, zone)
    top = max((sum(sums) for sums in days.values()), default=0.0) or 1.0
    return [_column(day, sums, top, month) for day, sums in sorted(days.items())]


def _column(day: int, sums: Sequence[float], top: float, month: date) -> Column:
    parts, y = [], PLOT_TOP
    for key, energy in zip(("sun", "battery", "grid"), sums, strict=True):
        height = energy / top * PLOT_TOP
        y -= height
        if height >= 0.1:
            parts.append((key, round(y, 2), round(height, 2)))
    words = f"{day} {month:%b}: {watt_hours(sum(sums))}, sun {watt_hours(sums[0])}, battery {watt_hours(sums[1])}"
    return Column((day - 1) * 10.0, tuple(parts), words)
