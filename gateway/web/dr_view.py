"""What the pages and the API of demand response need of the home besides the rest."""

from __future__ import annotations

from typing import Protocol

from gateway.runtime.dr_desk import DrDesk
from gateway.web.view import HomeView


class DrHome(HomeView, Protocol):
    """The running home behind the pages; gateway/runtime/home.py is it."""

    @property
    def desk(self) -> DrDesk:
        """Programs, servers and effects, and the owner's word about them."""
        ...
