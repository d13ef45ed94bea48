"""The utility's day as data: what is announced, modified and cancelled at which local time.

    [{"announce": "17:45",
      "program": {"programName": "Summer Saver"},
      "event": {"eventName": "Evening peak", "intervalPeriod": {"start": "@18:00", "duration": "PT4H"},
                "intervals": [{"id": 0, "payloads": [{"type": "SIMPLE", "values": [2]}]}]}},
     {"announce": "19:00", "modify": "Evening peak", "event": {"intervalPeriod": {"start": "@18:00", ...}}},
     {"announce": "20:00", "cancel": "Evening peak"}]

A string "@18:00" becomes that local time of the script's day in UTC, "@07:00+1" the day after. An entry without
`announce` acts at once; one whose time has passed acts at once unless its event has ended by then.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from firmware_sim.vtn_store import KINDS, Client, Object, Store
from firmware_sim.vtn_time import span

CLOCK_TIME = re.compile(r"@?(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\+(\d))?")
UTILITY = Client("utility-script", "bl")
DEFAULT_PROGRAM: Object = {"programName": "Demand response"}


class Script:
    """Entries that wait for their time, in order of it."""

    def __init__(self, store: Store, zone: ZoneInfo) -> None:
        self._store, self.zone = store, zone
        self.waiting: list[tuple[datetime, Object]] = []

    def add(self, entries: list[Object]) -> None:
        """Take entries for today (local) and act on those that are due; ValueError when malformed."""
        now = self._store.now()
        for entry in entries:
            filled = self._filled(entry, now)
            if not {"event", "program", "cancel"} & filled.keys():
                raise ValueError("an entry needs event, program, modify or cancel")
            self.waiting.append((self._due(filled.get("announce"), now), filled))
        self.waiting.sort(key=lambda item: item[0])
        self.run_due()

    def run_due(self) -> None:
        """Act on every entry whose time has come."""
        now = self._store.now()
        while self.waiting and self.waiting[0][0] <= now:
            due, entry = self.waiting.pop(0)
            late = entry.get("announce", "now") != "now" and due < now
            self._act(entry, late=late, now=now)

    def _act(self, entry: Object, late: bool, now: datetime) -> None:
        if "cancel" in entry:
            for event in self._named(entry["cancel"]):
                self._store.delete(KINDS["events"], event["id"], UTILITY)
        elif "modify" in entry:
            for event in self._named(entry["modify"]):
                self._store.update(KINDS["events"], event["id"], _body({**event, **entry["event"]}), UTILITY)
        else:
            announced: Object | None = dict(entry["event"]) if "event" in entry else None
            named = announced.pop("programName", None) if announced else None
            wanted = entry.get("program") or ({"programName": named} if named else None)
            self._publish(self._program(wanted), announced, late, now)

    def _publish(self, program_id: str, event: Object | None, late: bool, now: datetime) -> None:
        ended = late and event is not None and "intervalPeriod" in event and span(event)[1] <= now
        if event is not None and not ended:
            self._store.create(KINDS["events"], {"programID": program_id, **event}, UTILITY)

    def _program(self, wanted: Object | None) -> str:
        programs = self._store.items["programs"]
        if wanted is None and programs:
            return str(list(programs)[-1])
        body = wanted or DEFAULT_PROGRAM
        for program in programs.values():
            if program["programName"] == body["programName"]:
                return str(program["id"])
        return str(self._store.create(KINDS["programs"], body, UTILITY)["id"])

    def _named(self, name: str) -> list[Object]:
        return [event for event in self._store.items["events"].values() if event.get("eventName") == name]

    def _due(self, announce: str | None, now: datetime) -> datetime:
        return now if announce in (None, "now") else self._local(str(announce), now)

    def _filled(self, value: Any, now: datetime) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(item, now) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item, now) for item in value]
        if isinstance(value, str) and value.startswith("@"):
            return self._local(value, now).isoformat().replace("+00:00", "Z")
        return value

    def _local(self, text: str, now: datetime) -> datetime:
        match = CLOCK_TIME.fullmatch(text)
        if match is None:
            raise ValueError(f"not a time of day: {text!r}")
        hour, minute, second, later = (int(part or 0) for part in match.groups())
        day = now.astimezone(self.zone).date() + timedelta(days=later)
        return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=self.zone).astimezone(UTC)


def _body(event: Object) -> Object:
    return {key: value for key, value in event.items() if not key.endswith("DateTime") and key != "id"}
