"""The API's shapes for demand response: programs, agreements, servers, and the effect of an event."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from gateway.model.agreement import WITHOUT_ASKING, Agreement, DrPolicy, Shared
from gateway.web.wire import In, Instant, Out


class AgreementModel(In):
    """The owner's word about a program; PUT replaces it whole.

    `standing`: "binding" (its events cannot be skipped), "voluntary", "none" (takes no part), or "" (not said: `policy`
    counts, else the general one). `share` is what the utility is told. From `until` on the home takes no part and shares
    nothing.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, from_attributes=True)

    standing: Literal["", "binding", "voluntary", "none"] = ""
    policy: DrPolicy | None = None
    share: Annotated[list[Shared], Field(max_length=len(Shared))] = list(WITHOUT_ASKING)
    until: Instant | None = None
    since: Instant | None = Field(None, description="When it was said; kept by the home, left out of account in a PUT")

    def to_model(self) -> Agreement:
        """The same as the home's noun."""
        return Agreement(self.standing, self.policy, tuple(dict.fromkeys(self.share)), self.until, self.since)


class ProgramOut(Out):
    """A utility's program; `binding` as the utility says, what it pays in the site's `currency`, null where not known.

    `ended`: the agreement is over. `live` names its events that are on or to come, by key.
    """

    key: str
    id: str
    name: str
    server: str
    server_ok: bool
    binding: bool
    agreement: AgreementModel
    ended: bool
    pays_per_kwh: float | None
    pays_per_event: float | None
    currency: str
    live: list[str]


class ServerOut(Out):
    """A utility's server: whether the last look went well, when it was heard last, and what it tells of itself.

    `clock_difference_s` is its clock minus ours, s; `push` says how it tells us to look at once; `unreadable` names each
    object that could not be read, with the reason.
    """

    name: str
    ok: bool
    error: str
    last_heard: datetime | None
    silent_since: datetime | None
    version: str
    ven: str
    groups: list[str]
    resources: list[str]
    events: int | None
    clock_difference_s: float | None
    push: str
    pushes: int
    unreadable: list[str]
    words: str


class CarEffectOut(Out):
    """When a car has what it will get, joined and not; null: it gets nothing by the end of the plan."""

    device: str
    full_at: datetime | None
    full_without: datetime | None


class EffectOut(Out):
    """What taking part in an event changes: two plans compared.

    `shifted_wh` less from the grid during it (negative: more); `cost_micro` and `co2_g` more over the whole plan
    (negative: saved), what the program pays not counted, which is `pays_micro` (null where not known). Temperatures in
    degC are the lowest until the plan's end. `relaxed` names wishes that give way for it; `words` say all of it.
    """

    event: str
    made_at: datetime
    shifted_wh: float
    cost_micro: int
    pays_micro: int | None
    currency: str
    co2_g: float
    room_c: float | None
    room_without_c: float | None
    tank_c: float | None
    tank_without_c: float | None
    cars: list[CarEffectOut]
    relaxed: list[str]
    words: list[str]


class DrSignalOut(Out):
    """One value over the half-open [start, end), priorities resolved; `end` null for an open end."""

    kind: str
    values: list[float | str | bool]
    unit: str
    start: datetime
    end: datetime | None


class DrEventOut(Out):
    """One event. `delivered_wh` less than without it by the controlled devices, `home_delivered_wh` by the main meter.

    The low and high ends are of 80 % intervals. `baseline_error_percent` is the root mean square error of the home's
    baseline (`baseline_method`, in words `baseline_words`) on `baseline_placebos` days without an event. `chosen`: the
    owner decided this event. `answered`: what the utility was told last of it, where it wants to be told. `kept_back`:
    what it asks to be told and is not, a sentence each. `effect` is null while it is not known, or nothing is asked.
    """

    id: str
    """As its server names it."""
    key: str
    """Its name in the home: two servers may use one id."""
    name: str
    program: str
    server: str
    phase: str
    start: datetime | None
    end: datetime | None
    opt: str
    opt_reason: str
    priority: int | None
    test: bool
    signals: list[DrSignalOut]
    first_seen: datetime
    chosen: bool
    answered: str
    effect: EffectOut | None
    kept_back: list[str]
    overridden_devices: list[str]
    delivered_wh: float | None
    delivered_low_wh: float | None
    delivered_high_wh: float | None
    home_delivered_wh: float | None
    home_delivered_low_wh: float | None
    home_delivered_high_wh: float | None
    baseline_method: str
    baseline_words: str
    baseline_error_percent: float | None
    baseline_placebos: int
    earned_micro: int | None
