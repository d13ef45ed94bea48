"""A person's correction of interval data, and its undoing: always a further row, never a change of an old one.

history   A counter 250 Wh   E edited 300 Wh   A counter 250 Wh
in force                     E                 A              (undone: what was in force before E, again)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from gateway.core.metering.csv_rows import MAX_WH
from gateway.core.metering.exact import divide
from gateway.model.errors import WishRefused
from gateway.model.reading import INTERVAL_S, Interval, IntervalQuality

LONGEST = timedelta(days=31)
LONGEST_REASON = 200
SETTLED = timedelta(minutes=15)
"""An interval can be corrected so long after its end: by then what was measured is on disk."""
STEP = timedelta(seconds=INTERVAL_S)
MARK = "edited by "
"""How the method of a corrected interval begins."""


class Spread(StrEnum):
    """How a total divides over the intervals of a span."""

    EVENLY = "evenly"
    PROPORTIONALLY = "proportionally"
    """As what is there now; an interval with nothing counts like the mean of the others, with no others evenly."""


@dataclass(frozen=True, slots=True)
class Correction:
    """New totals over the half-open [start, end), Wh >= 0; None leaves that direction as it is."""

    device: str
    start: datetime
    end: datetime
    import_wh: float | None
    export_wh: float | None
    reason: str
    spread: Spread = Spread.PROPORTIONALLY

    def starts(self) -> list[datetime]:
        """The starts of the intervals it is about."""
        return [self.start + STEP * i for i in range(int((self.end - self.start) / STEP))]


def is_correction(interval: Interval) -> bool:
    """Whether a person corrected this interval itself; what is derived of a corrected one is of quality edited too."""
    return interval.quality is IntervalQuality.EDITED and interval.method.startswith(MARK)


def check_correction(correction: Correction, now: datetime) -> None:
    """Raises WishRefused with the reason when a correction cannot be made at `now`."""
    begin, end = correction.start, correction.end
    if any(when.timestamp() % INTERVAL_S for when in (begin, end)):
        raise WishRefused("A correction starts and ends on a quarter hour (:00, :15, :30 or :45).")
    if not begin < end <= begin + LONGEST:
        raise WishRefused(f"A correction spans between 15 minutes and {LONGEST.days} days, start first.")
    if end > now - SETTLED:
        raise WishRefused("An interval can be corrected from a quarter of an hour after its end.")
    if not correction.reason.strip():
        raise WishRefused("Say why: a correction without a reason cannot be checked later.")
    if len(correction.reason) > LONGEST_REASON or not correction.reason.isprintable():
        raise WishRefused(f"The reason is one line of at most {LONGEST_REASON} characters.")
    totals = [total for total in (correction.import_wh, correction.export_wh) if total is not None]
    if not totals:
        raise WishRefused("State the energy taken or given, in Wh; nothing was stated.")
    most = MAX_WH * len(correction.starts())
    if not all(0 <= total <= most for total in totals):
        raise WishRefused(f"Energies lie between 0 and {most:g} Wh for this span; directions have their own fields.")


def corrected(correction: Correction, rows: Mapping[datetime, Interval], who: str) -> list[Interval]:
    """The rows that a correction writes, of quality edited; their sums are the totals exactly.

    `rows` are the intervals in force, by start.
    """
    starts = correction.starts()
    taken = _spread(correction.import_wh, [_of(rows.get(start), given=False) for start in starts], correction.spread)
    given = _spread(correction.export_wh, [_of(rows.get(start), given=True) for start in starts], correction.spread)
    method = f"{MARK}{who}: {correction.reason.strip()}"
    if len(starts) > 1:
        method += f" (total over {len(starts)} intervals, spread {correction.spread.value})"
    edited = IntervalQuality.EDITED
    return [
        Interval(correction.device, start, INTERVAL_S, import_wh, export_wh, edited, method)
        for start, import_wh, export_wh in zip(starts, taken, given, strict=True)
    ]


def _of(row: Interval | None, *, given: bool) -> float | None:
    if row is None:
        return None
    return row.export_wh if given else row.import_wh


def _spread(total: float | None, before: list[float | None], how: Spread) -> list[float | None]:
    """One direction's energies: the total divided, or what was there when no total is stated."""
    if total is None:
        return before
    known = [energy for energy in before if energy is not None]
    if how is Spread.EVENLY or sum(known) <= 0:
        return list(divide(total, [1.0] * len(before)))
    # What was not measured was not 0.
    mean = sum(known) / len(known)
    return list(divide(total, [mean if energy is None else energy for energy in before]))


def before_last_edit(history: Sequence[Interval]) -> Interval | None:
    """What undoing puts in force again: the row that the edit in force set aside; None when no edit is in force.

    `history` has every row of one interval, the one in force last. Undone edits are told by the row that came back:
    a second undoing goes one edit further back, not to and fro. An interval that had no row before is missing again.
    """
    stack: list[Interval] = []
    for row in history:
        if len(stack) >= 2 and row == stack[-2]:
            stack.pop()
        elif row.quality is IntervalQuality.EDITED:
            stack.append(row)
        else:
            stack = [row]
    if not stack or stack[-1].quality is not IntervalQuality.EDITED:
        return None
    return stack[-2] if len(stack) >= 2 else _nothing(stack[-1])


def _nothing(edited: Interval) -> Interval:
    start = edited.start.astimezone(UTC)
    missing = IntervalQuality.MISSING
    return Interval(edited.device, start, edited.duration_s, None, None, missing, "nothing measured")
