"""What limits a charger now, in words for a person; pure."""

from __future__ import annotations

from adapters.ocpp.pace import InForce
from adapters.ocpp.rungs import Rung


def words(limit: InForce | None, safe: InForce | None, stopped_by: Rung | None, *, is_free: bool) -> str:
    """The limit (A per phase) as the charger accepted it; `stopped_by` where it is stopped because no limit does it.

    `is_free`: it obeys no limit, and may charge at its maximum, which is `limit`.
    """
    if stopped_by is not None:
        return f"no current: it was stopped ({stopped_by.words})"
    if limit is None:
        return "no limit of this home"
    if limit.current_a == 0:
        return "no current: it was told 0 A"
    if is_free:
        return f"its own maximum of {limit.current_a:g} A: it obeys no limit"
    if limit is safe:
        return f"its safe current of {limit.current_a:g} A: no other limit holds now"
    return f"at most {limit.current_a:g} A"
