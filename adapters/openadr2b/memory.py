"""What outlives our restart: who we are at the VTN, what it asked for, what was answered."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from adapters.openadr2b.opts import Opts
from adapters.openadr2b.reports import ReportBook
from adapters.openadr2b.session import Session
from gateway.ports import FactStore


@dataclass(slots=True)
class Memory:
    """One small document in `facts` (None: nothing is kept), written only when it changed."""

    session: Session
    opts: Opts
    reports: ReportBook
    facts: FactStore | None = None
    _kept: dict[str, Any] | None = None

    async def resume(self) -> None:
        """Take up what was kept, once."""
        if self._kept is not None:
            return
        kept = (await self.facts.get(self._key) if self.facts is not None else None) or {}
        self.session.ven = str(kept.get("ven") or self.session.ven)
        self.session.registration = str(kept.get("registration") or "")
        self.opts.wanted = dict(kept.get("opts", {}))
        self.opts.schedules = dict(kept.get("schedules", {}))
        self.reports.resume(kept.get("requests", []))
        self._kept = kept

    async def keep(self) -> None:
        """Write what changed."""
        found = {
            "ven": self.session.ven,
            "registration": self.session.registration,
            "opts": self.opts.wanted,
            "schedules": self.opts.schedules,
            "requests": self.reports.documents(),
        }
        if self.facts is not None and found != self._kept:
            await self.facts.put(self._key, copy.deepcopy(found))
            self._kept = copy.deepcopy(found)

    @property
    def _key(self) -> str:
        return f"openadr2b/{self.session.name}"
