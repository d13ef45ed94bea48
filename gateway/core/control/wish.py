"""A wish and the order of authority: how a value is bent by one authority after another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.model.authority import Authority


@dataclass(frozen=True, slots=True)
class Wish:
    """A number somebody wants of a device (A, W, degC or 0/1), with whose wish it is and why."""

    value: float
    authority: Authority
    reason: str
    source: str = ""
    low: float = 0.0

    def capped(self, most: float, authority: Authority, reason: str, source: str = "") -> Wish:
        """The wish, held to at most `most` by an authority at least as high as its own."""
        if self.value <= most or not authority.may_undo(self.authority):
            return self
        return replace(self, value=most, authority=authority, reason=reason, source=source)

    def limited(self, most: float, authority: Authority, reason: str, source: str = "") -> Wish:
        """As `capped`, but a wish that is at `most` already is told as the limit's: it could not be higher now."""
        if self.value == most and authority < self.authority:
            return replace(self, authority=authority, reason=reason, source=source)
        return self.capped(most, authority, reason, source)

    def raised(self, least: float, authority: Authority, reason: str, source: str = "") -> Wish:
        """The wish, lifted to at least `least` by an authority at least as high as its own."""
        if self.value >= least or not authority.may_undo(self.authority):
            return self
        return replace(self, value=least, authority=authority, reason=reason, source=source)

    def replaced(self, other: Wish) -> Wish:
        """The other wish where its authority is at least as high, else this one."""
        return other if other.authority.may_undo(self.authority) else self
