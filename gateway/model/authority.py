"""Who may command whom: the one order of authority."""

from __future__ import annotations

from enum import IntEnum


class Authority(IntEnum):
    """The order of authority, highest first; a lower one (larger number) never undoes a higher one.

    Floors hold against joined demand response; under a binding limit they yield, and the owner was
    told so before consenting.
    """

    ELECTRICAL_SAFETY = 1
    """Fuse per phase, stale meter, limits of the device."""
    BINDING_LIMIT = 2
    """Capacity limit, dimming, any event of a program the owner consented to as binding."""
    PROTECTION = 3
    """Frost, hygiene, backup reserve."""
    OWNER_OVERRIDE = 4
    """Explicit, with an end."""
    OWNER_FLOOR = 5
    """Comfort band, minimum charge, departure."""
    DEMAND_RESPONSE = 6
    """An event the owner joined."""
    PLAN = 7
    """The plan; charge modes, "now" included, are preferences and live here."""
    DEFAULT = 8
    """Self-consumption, minimum."""

    @property
    def words(self) -> str:
        """The authority's name for a page."""
        return _WORDS[self]

    def may_undo(self, other: Authority) -> bool:
        """Whether a wish of this authority may set aside one of `other` (equal ones may)."""
        return self <= other


_WORDS = {
    Authority.ELECTRICAL_SAFETY: "electrical safety",
    Authority.BINDING_LIMIT: "binding limit of the utility",
    Authority.PROTECTION: "frost, hygiene and reserve",
    Authority.OWNER_OVERRIDE: "your override",
    Authority.OWNER_FLOOR: "your comfort and departure",
    Authority.DEMAND_RESPONSE: "a utility event you joined",
    Authority.PLAN: "the plan",
    Authority.DEFAULT: "the default",
}
