"""What the pages and the API of demand response need of the home besides the rest."""

from __future__ import annotations

from typing import Any, Protocol

from gateway.model.targeting import Targeting
from gateway.runtime.dr_desk import DrDesk
from gateway.web.view import HomeView


class TargetingView(Protocol):
    """What the home is good for in demand response; gateway/runtime/targeting.py is it."""

    @property
    def told(self) -> list[str]:
        """The servers that hold what is shared, or may."""
        ...

    def current(self) -> Targeting | None:
        """As of now; None before the first measurement."""
        ...

    def document(self) -> dict[str, Any] | None:
        """What would be shared, consented or not; None while too few days are measured."""
        ...

    def shared(self) -> dict[str, Any] | None:
        """What may be handed out; None without consent and while too few days are measured."""
        ...


class DrHome(HomeView, Protocol):
    """The running home behind the pages; gateway/runtime/home.py is it."""

    @property
    def desk(self) -> DrDesk:
        """Programs, servers and effects, and the owner's word about them."""
        ...

    @property
    def targeting(self) -> TargetingView:
        """What the home is good for."""
        ...
