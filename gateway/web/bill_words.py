"""Bills in words: a year's sentence, its months and lines, and the gap between a real bill and the home's count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from gateway.model.bill import BillGap, BillMonth
from gateway.model.tariff import BillKind, BillLine, Tariff
from gateway.web.words import DASH, money, watts

KIND_WORDS = {
    BillKind.IMPORT: "taken",
    BillKind.EXPORT: "given",
    BillKind.TIER: "by how much was used",
    BillKind.DEMAND: "peak",
    BillKind.CONTRACTED: "contracted power",
    BillKind.FIXED: "fixed",
    BillKind.VAT: "tax",
}
SAME_PERCENT = 0.05
"""A gap that rounds to 0.0 % is none."""


@dataclass(frozen=True, slots=True)
class LineWords:
    """One line of a month's bill in words."""

    name: str
    what: str
    amount: str


@dataclass(frozen=True, slots=True)
class MonthWords:
    """One month in words; `height` in percent of the dearest month, 0 for one that earns."""

    name: str
    short: str
    cost: str
    taken: str
    given: str
    peak: str
    peak_when: str
    fixed: str
    vat: str
    data: str
    height: float
    lines: tuple[LineWords, ...]


@dataclass(frozen=True, slots=True)
class RealWords:
    """One real bill in words."""

    number: int
    days: str
    amount: str
    note: str
    gap: str


def tariff_words(tariff: Tariff) -> str:
    """ "the tariff “Day and night”", or each with the day on which it begins."""
    versions = tariff.versions
    if len(versions) == 1:
        return f"the tariff “{tariff.name}”"
    named = [
        f"“{v.name}”" + (f" from {v.valid_from:%d %B %Y}" if v.valid_from and n else "") for n, v in enumerate(versions)
    ]
    return f"the tariff of each day ({', '.join(named)})"


def year_sentence(year: int, months: Sequence[BillMonth], currency: str, *, running: bool) -> str:
    """What the year cost and what was taken and given."""
    if not months:
        return f"There is no interval data of {year} to count a bill from."
    micro = sum(month.counted.micro for month in months)
    taken = sum(month.counted.import_wh for month in months)
    given = sum(month.counted.export_wh for month in months)
    verb = "earned" if micro < 0 else "cost"
    so_far = " so far" if running else ""
    back = f" and {kilowatt_hours(given)} given" if given >= 500 else ""
    return f"In {year}{so_far} the grid has {verb} {money(abs(micro), currency)}: {kilowatt_hours(taken)} taken{back}."


def kilowatt_hours(wh: float) -> str:
    """An energy as bills write it: "312 kWh", "0.4 kWh"."""
    return f"{wh / 1000:.0f} kWh" if abs(wh) >= 10_000 else f"{wh / 1000:.1f} kWh"


def month_words(month: BillMonth, most_micro: int, currency: str, zone: ZoneInfo) -> MonthWords:
    """One month, drawn against the dearest of its year."""
    counted, local = month.counted, month.peak_at.astimezone(zone) if month.peak_at else None
    return MonthWords(
        name=f"{month.month:%B %Y}",
        short=f"{month.month:%b}",
        cost=money(counted.micro, currency),
        taken=kilowatt_hours(counted.import_wh),
        given=kilowatt_hours(counted.export_wh),
        peak=watts(month.peak_w),
        peak_when=f"{local:%a %d %b, %H:%M}" if local else DASH,
        fixed=money(counted.of(BillKind.FIXED) + counted.of(BillKind.CONTRACTED), currency),
        vat=money(counted.of(BillKind.VAT), currency),
        data=data_words(month.days_with_data, month.days),
        height=round(100 * max(0, counted.micro) / most_micro, 1) if most_micro > 0 else 0.0,
        lines=tuple(line_words(line, currency, zone) for line in counted.lines),
    )


def line_words(line: BillLine, currency: str, zone: ZoneInfo) -> LineWords:
    """One line with its energy, or its peak and when that was."""
    about = KIND_WORDS[line.kind]
    if line.wh:
        about = f"{kilowatt_hours(line.wh)} {about}"
    elif line.peak_w is not None:
        when = f", {line.peak_at.astimezone(zone):%a %d %b, %H:%M}" if line.peak_at else ""
        about = f"{watts(line.peak_w)} {about}{when}"
    return LineWords(line.name, about, money(line.micro, currency))


def data_words(known: int, days: int) -> str:
    """ "Data for 29 of 31 days." """
    return f"Data for {known} of {days} day{'s' if days != 1 else ''}."


def gap_words(gap: BillGap, currency: str) -> str:
    """What is counted, what the bill says, and how far that is apart, in money and energy; then how much is known."""
    return " ".join([*_gap_sentences(gap, currency), data_words(gap.days_with_data, gap.real.days)])


def _gap_sentences(gap: BillGap, currency: str) -> list[str]:
    real, counted = gap.real, gap.counted
    said = f"your bill says {real.amount_micro / 1e6:.2f}"
    found = [f"Hearth counts {counted.micro / 1e6:.2f} {currency} for these days, {said}: {_apart(gap)}."]
    for word, told, own in (
        ("taken", real.import_wh, counted.import_wh),
        ("given", real.export_wh, counted.export_wh),
    ):
        if told is not None:
            more = f": {percent_words(100 * (told - own) / own)}" if own else ""
            found.append(f"The meter has {kilowatt_hours(own)} {word}, the bill {kilowatt_hours(told)}{more}.")
    return found


def _apart(gap: BillGap) -> str:
    # A share of next to nothing, or across zero, tells nothing: then the difference itself.
    if gap.percent is None or gap.counted.micro <= 0 or gap.real.amount_micro < 0:
        difference = abs(gap.micro) / 1e6
        return "the same" if difference < 0.005 else f"{difference:.2f} {'more' if gap.micro > 0 else 'less'}"
    return percent_words(gap.percent)


def percent_words(percent: float) -> str:
    """ "2.6 % more", "0.4 % less", "the same"."""
    if abs(percent) < SAME_PERCENT:
        return "the same"
    return f"{abs(percent):.1f} % {'more' if percent > 0 else 'less'}"


def real_words(gap: BillGap, currency: str) -> RealWords:
    """One real bill with its gap."""
    real = gap.real
    days = f"{day_words(real.start)} to {day_words(real.last_day)}"
    return RealWords(real.number, days, money(real.amount_micro, currency), real.note, gap_words(gap, currency))


def day_words(day: date) -> str:
    """ "1 Oct 2026"."""
    return f"{day.day} {day:%b %Y}"
