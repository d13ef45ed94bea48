"""What the pages need of the alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.model.alert import Alert, Answer


class Week(Protocol):
    """The week against the past; gateway/core/learning/alerts/week.py has it."""

    @property
    def used_wh(self) -> float: ...
    @property
    def expected_wh(self) -> float: ...
    @property
    def within_wh(self) -> float: ...
    @property
    def unusual(self) -> bool: ...
    @property
    def days(self) -> int: ...


class AlertDesk(Protocol):
    """What was noticed, newest first, and who takes the answers; gateway/runtime/alerts.py is it."""

    @property
    def found(self) -> Sequence[Alert]: ...
    @property
    def week(self) -> Week | None: ...
    @property
    def learned_days(self) -> int:
        """By how many whole days the home is known."""
        ...

    async def answer(self, alert_id: str, answer: Answer) -> str:
        """Take the owner's word; what it means, in words; raises WishRefused."""
        ...
