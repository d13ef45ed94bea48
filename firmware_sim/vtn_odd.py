"""How real VTNs differ from the specification, each as a switch: `--odd NAME`, or POST /sim/odd while it runs.

The reference implementation (RI) did most of these when it was measured; the others were seen at servers in the field.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from firmware_sim.vtn_store import Object, Problem, Store, random_id

ODD = {
    "naive-dates": "createdDateTime and modificationDateTime come as '2026-11-20 17:44:33', without a zone (RI)",
    "time-only-dates": "createdDateTime and modificationDateTime come as '17:55:45', without a day (RI of 3.0.1)",
    "forbidden-tokens": "a bad or old token is answered with 403 instead of 401 (RI)",
    "scope-list": "the token's scope is a list, and expires_in is missing (RI)",
    "basic-refused": "a token asked for with HTTP Basic is refused with 400; otherwise Basic is taken too (RI)",
    "ignores-filters": "programID, active and the other filters are ignored: everything is listed (RI)",
    "leaks-targets": "events for somebody else's targets are listed too (RI)",
    "targets-500": "asking for a target that was not granted gives a 500 (RI)",
    "no-paging": "skip and limit are ignored: each page is the whole list",
    "string-status": "a problem's status is a text, and its content type plain JSON (RI)",
    "nulls": "every optional field is there, as null (RI)",
    "snake-push": "a push is written in snake_case with nulls (RI)",
    "push-in-text": "a webhook's body is JSON in a JSON text (RI)",
    "echo-path": "a callback is asked at <callback>/echo?echo=... before it is taken (RI)",
    "magic-notifiers": "GET /notifiers answers the text 'do some magic!' (RI)",
    "counted-ids": "ids are 0, 1, 2 ... by kind: two servers use the same ones",
    "zeroed-now": "a start of now is written 0000-00-00T00:00:00Z (3.0)",
    "spelled-infinity": "P9999Y is written P9999Y0M0DT0H0M0S",
}
OPTIONAL = {
    "events": ("eventName", "duration", "priority", "targets", "reportDescriptors", "payloadDescriptors",
               "intervalPeriod", "intervals"),
    "programs": ("intervalPeriod", "programDescriptions", "payloadDescriptors", "attributes", "targets"),
}  # fmt: skip


@dataclass
class Oddities:
    """The switches that are on."""

    on: set[str] = field(default_factory=set)
    _counts: dict[str, itertools.count[int]] = field(default_factory=dict)

    def set(self, names: Iterable[str]) -> None:
        """Exactly these are on from now; Problem 400 for one that does not exist."""
        wanted = set(names)
        unknown = sorted(wanted - ODD.keys())
        if unknown:
            raise Problem(400, f"no oddity is called {', '.join(unknown)}; there are {', '.join(ODD)}")
        self.on = wanted

    def has(self, name: str) -> bool:
        """Whether a switch is on; KeyError for one that does not exist."""
        ODD[name]
        return name in self.on

    def ids(self, store: Store) -> Callable[[str], str]:
        """Makes ids for a collection: counted from what is there, or random."""

        def fresh(path: str) -> str:
            if not self.has("counted-ids"):
                return random_id()
            count = self._counts.setdefault(path, itertools.count(len(store.items[path])))
            return next(text for text in map(str, count) if text not in store.items[path])

        return fresh

    def answered(self, path: str, item: Object) -> Object:
        """One object as this server writes it in an answer."""
        shown = dict(item)
        for name in ("createdDateTime", "modificationDateTime"):
            if name in shown:
                shown[name] = self._stamp(str(shown[name]))
        if self.has("nulls"):
            shown = dict.fromkeys(OPTIONAL.get(path, ())) | shown
        text = json.dumps(shown)
        if self.has("zeroed-now"):
            text = re.sub(r'"0001-01-01(T00:00:00Z?)?"', '"0000-00-00T00:00:00Z"', text)
        if self.has("spelled-infinity"):
            text = text.replace('"P9999Y"', '"P9999Y0M0DT0H0M0S"')
        found: Object = json.loads(text)
        return found

    def pushed(self, body: Object) -> Any:
        """A notification as this server writes it."""
        shown: Any = _snake(body) if self.has("snake-push") else body
        return json.dumps(shown) if self.has("push-in-text") else shown

    def _stamp(self, text: str) -> str:
        if self.has("time-only-dates"):
            return datetime.fromisoformat(text).strftime("%H:%M:%S")
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S") if self.has("naive-dates") else text


def _snake(value: Any) -> Any:
    if isinstance(value, dict):
        return {re.sub(r"(?<=[a-z])([A-Z]+)", lambda m: "_" + m[1].lower(), key): _snake(v) for key, v in value.items()}
    return [_snake(item) for item in value] if isinstance(value, list) else value
