"""The grid operator's limit at the house: followed, and never lost for want of a heartbeat.

    heard, no limit        |UNLIMITED|        limit withdrawn or over |UNLIMITED|
    limit told                       |=== LIMITED ===================|
    no sign of life                                     for heartbeat_s -> |== FAILSAFE (failsafe_w) ======|
    heard again and told what holds                                                     -> LIMITED or UNLIMITED at once
    heard again, nothing told                                                           -> UNLIMITED after 120 s
    still silent after failsafe_s                                              -> AUTONOMOUS, failsafe_w holds on
    first start, nothing heard     |INIT, failsafe_w|                    -> as from FAILSAFE

The order follows the use case Limitation of Power Consumption of EEBUS (LPC 1.0.0: heartbeat at least every 60 s, lost
after 120 s; LPC-906, -916, -921, LPC-TS-012). Interpretations: a contact tells its state as soon as it is heard, so nothing
waits for another word; once a failsafe is over and nobody speaks the safe value stays, for a home that may go
unlimited by silence would be unlimited by a cut cable; a limit that ends while its operator is silent ends all the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gateway.model.envelope import Counts, EnvelopePhase, EnvelopeSpec, EnvelopeState, Heard

GRACE = timedelta(seconds=120)
"""How long an operator who came back has to say what holds (LPC-921), and one who never spoke (LPC-906)."""
HELD = (EnvelopePhase.INIT, EnvelopePhase.FAILSAFE, EnvelopePhase.AUTONOMOUS)


def follow(state: EnvelopeState | None, spec: EnvelopeSpec, heard: Heard, now: datetime) -> EnvelopeState:
    """The envelope after what is heard now; `state` is None at the very first start."""
    state = state or EnvelopeState(EnvelopePhase.INIT, now, spec.failsafe_w)
    alive = heard.at is not None and now - heard.at < timedelta(seconds=spec.heartbeat_s)
    if not alive:
        return _silent(replace(state, returned=None), spec, heard.at, now)
    state = replace(state, heard=heard.at)
    if heard.active is None:
        return _untold(state, now)
    limited = heard.active and (heard.ends is None or now < heard.ends)
    return _to(
        state, EnvelopePhase.LIMITED if limited else EnvelopePhase.UNLIMITED, heard if limited else None, spec, now
    )


def grid_limit_w(limit_w: float, counts: Counts, house_w: float | None, sun_w: float | None) -> float:
    """What the meter may show, W import, under a limit of `limit_w`.

    Where only controllable devices count, the part of the household's use (`house_w`) that the sun (`sun_w`, zero or
    negative) does not cover comes on top; an unknown household counts as nothing.
    """
    if counts is Counts.SITE:
        return limit_w
    return limit_w + max(0.0, (house_w or 0.0) + (sun_w or 0.0))


def _untold(state: EnvelopeState, now: datetime) -> EnvelopeState:
    """A sign of life without a word of what holds: what held goes on, a held-back home is freed after the grace."""
    if state.phase not in HELD:
        return _over(state, now)
    returned = state.returned or now
    if now - returned >= GRACE:
        return EnvelopeState(EnvelopePhase.UNLIMITED, now, heard=state.heard)
    return replace(state, returned=returned)


def _silent(state: EnvelopeState, spec: EnvelopeSpec, last: datetime | None, now: datetime) -> EnvelopeState:
    if state.phase in (EnvelopePhase.LIMITED, EnvelopePhase.UNLIMITED):
        lost = max(filter(None, (last, state.heard)), default=state.since) + timedelta(seconds=spec.heartbeat_s)
        if now < lost:
            return _over(state, now)
        return EnvelopeState(EnvelopePhase.FAILSAFE, now, spec.failsafe_w, _failsafe_export(state), state.heard)
    if state.phase is EnvelopePhase.FAILSAFE and now - state.since >= timedelta(seconds=spec.failsafe_s):
        return replace(state, phase=EnvelopePhase.AUTONOMOUS, since=now)
    return state


def _failsafe_export(state: EnvelopeState) -> float | None:
    """A limit on feeding in that held when the operator fell silent goes on; none is made up."""
    return state.export_w


def _over(state: EnvelopeState, now: datetime) -> EnvelopeState:
    over = state.phase is EnvelopePhase.LIMITED and state.ends is not None and now >= state.ends
    return EnvelopeState(EnvelopePhase.UNLIMITED, now, heard=state.heard) if over else state


def _to(
    state: EnvelopeState, phase: EnvelopePhase, heard: Heard | None, spec: EnvelopeSpec, now: datetime
) -> EnvelopeState:
    import_w = export_w = ends = None
    if heard is not None:
        import_w, export_w, ends = heard.import_w, heard.export_w, heard.ends
        if import_w is None and export_w is None:
            import_w = spec.limit_w
    same = state.phase is phase and (state.import_w, state.export_w) == (import_w, export_w)
    return EnvelopeState(phase, state.since if same else now, import_w, export_w, state.heard, None, ends)
