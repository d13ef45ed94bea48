"""How often each validation rule spoke today, by device: in memory, and a small document a day on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gateway.model.reading import Rule, RuleCount
from gateway.ports import FactStore

SAVE_EVERY = timedelta(minutes=15)
KNOWN = frozenset(rule.value for rule in Rule)
Counts = dict[str, dict[str, RuleCount]]
"""Device -> name of the rule -> its count."""


@dataclass(slots=True)
class RuleCounts:
    """The counts of one local day; the next day begins anew, and yesterday's stay as the fact "vee/YYYY-MM-DD"."""

    zone: ZoneInfo
    store: FactStore
    _day: date | None = None
    _today: Counts = field(default_factory=dict)
    _over: dict[date, Counts] = field(default_factory=dict)
    """Days that ended and are not on disk yet."""
    _changed: bool = False
    _saved: datetime | None = None

    async def resume(self, now: datetime) -> None:
        """Go on with the counts of today that were stored before a restart; raises StoreError."""
        self._turn(now)
        self._today = _counts_of(await self.store.get(_key(self._local(now))) or {})

    def add(self, device: str, rule: Rule, now: datetime, words: str) -> None:
        """Count one time that a rule spoke about a device."""
        self._turn(now)
        rules = self._today.setdefault(device, {})
        known = rules.get(rule.value)
        rules[rule.value] = RuleCount(device, rule, 1 if known is None else known.count + 1, now, words)
        self._changed = True

    def today(self, now: datetime) -> Counts:
        """All counts of the local day of `now`."""
        self._turn(now)
        return self._today

    async def save(self, now: datetime, *, final: bool = False) -> None:
        """Have what has changed stored with the next commit, at most every 15 minutes unless `final`."""
        self._turn(now)
        for day in sorted(self._over):
            await self.store.put(_key(day), _document(self._over[day]), later=True)
            del self._over[day]
        recent = self._saved is not None and abs(now - self._saved) < SAVE_EVERY
        if not self._changed or (recent and not final):
            return
        await self.store.put(_key(self._local(now)), _document(self._today), later=True)
        self._changed, self._saved = False, now

    def _turn(self, now: datetime) -> None:
        day = self._local(now)
        if day == self._day:
            return
        if self._day is not None and self._changed:
            self._over[self._day] = self._today
        self._day, self._today, self._changed = day, {}, False

    def _local(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()


def _key(day: date) -> str:
    return f"vee/{day.isoformat()}"


def _document(counts: Counts) -> dict[str, Any]:
    return {
        device: {name: {"count": c.count, "last": c.last.isoformat(), "words": c.words} for name, c in rules.items()}
        for device, rules in counts.items()
    }


def _counts_of(document: dict[str, Any]) -> Counts:
    # A rule that a newer version had named is left out.
    return {
        device: {
            name: RuleCount(device, Rule(name), row["count"], datetime.fromisoformat(row["last"]), row["words"])
            for name, row in rules.items()
            if name in KNOWN
        }
        for device, rules in document.items()
    }
