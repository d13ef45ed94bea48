"""What the page What if needs of the home."""

from __future__ import annotations

from typing import Protocol

from gateway.model.tariff import Tariff
from gateway.model.whatif import Question
from gateway.runtime.whatif import Asked


class Questions(Protocol):
    """What the page needs of the home; gateway/runtime/whatif.py is it."""

    @property
    def last(self) -> Asked | None: ...
    @property
    def tariff(self) -> Tariff: ...
    def ask(self, question: Question, days: int) -> Asked:
        """Begin to answer; raises WishRefused."""
        ...

    def cancel(self) -> Asked:
        """End what is being answered; raises WishRefused."""
        ...
