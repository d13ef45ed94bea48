"""The API's shapes for who looks after chargers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from gateway.model.charging import Operation
from gateway.web.wire import In, Out

Identity = Annotated[str, Field(min_length=1, max_length=100)]


class WaitingOut(Out):
    """A charge point that dialled and is not configured; `trouble` is why it was refused, empty when it was not.

    `connectors` is 0 while it has not told how many it has.
    """

    id: str
    address: str
    first_seen: datetime
    last_seen: datetime
    version: str
    security_profile: int
    vendor: str
    model: str
    firmware: str
    connectors: int
    connected: bool
    trouble: str


class TraceOut(Out):
    """One step of a handshake or one message; `direction` is "in" (from the charger), "out" or "step"."""

    time: datetime
    direction: str
    text: str


class AboutOut(Out):
    """One configured charger: `rung` is the way it is limited, `in_force` what limits it now, `violations` counts what was odd in its messages, secrets in `features` are blanked."""

    id: str
    identity: str
    version: str
    security_profile: int
    vendor: str
    model: str
    firmware: str
    serial: str
    rung: str
    rung_seen_working: bool
    in_force: str
    features: dict[str, str]
    violations: dict[str, int]
    security_events: list[TraceOut]
    uploads: list[str]


class OperateIn(In):
    """One operation."""

    operation: Operation


class AdoptIn(In):
    """How a waiting charger shall stand in the site file; `max_current_a` is what its fuse allows, A per phase."""

    identity: Identity
    device: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Its id in the site file.")]
    name: Annotated[str, Field(min_length=1, max_length=60)]
    phases: Literal["L1 L2 L3", "L1", "L2", "L3"] = "L1 L2 L3"
    max_current_a: Annotated[float, Field(ge=6, le=80)] = 16.0
    connector: Annotated[int, Field(ge=1, le=16)] = 1
