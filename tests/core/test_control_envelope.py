"""The grid operator's limit at the house, second by second: EEBUS LPC 1.0.0 and a plain contact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.control.envelope import follow, grid_limit_w
from gateway.model.envelope import Counts, EnvelopePhase, EnvelopeSpec, EnvelopeState, Heard

T0 = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
SPEC = EnvelopeSpec(limit_w=4_200, failsafe_w=5_000, heartbeat_s=120, failsafe_s=7_200)


def s(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def run(*steps: tuple[float, Heard], spec: EnvelopeSpec = SPEC, until: float | None = None) -> EnvelopeState:
    """The state after what was heard from each second on, looked at every second up to the last step or `until`."""
    state: EnvelopeState | None = None
    last = until if until is not None else steps[-1][0]
    for second in range(int(last) + 1):
        heard = next((said for at, said in reversed(steps) if at <= second), Heard(None))
        state = follow(state, spec, heard, s(second))
    assert state is not None
    return state


def said(at: float, active: bool | None = False, **more: float) -> Heard:
    ends = more.pop("ends", None)
    return Heard(s(at), active, more.get("import_w"), more.get("export_w"), s(ends) if ends is not None else None)


def lively(start: int, end: int, active: bool | None, **more: float) -> list[tuple[float, Heard]]:
    """A heartbeat each 60 s with the same word."""
    return [(at, said(at, active, **more)) for at in range(start, end, 60)]


@pytest.mark.parametrize(
    ("steps", "until", "phase", "import_w"),
    [
        ([], 5, EnvelopePhase.INIT, 5_000),
        ([(3, said(3, False))], 3, EnvelopePhase.UNLIMITED, None),
        ([(3, said(3, True))], 3, EnvelopePhase.LIMITED, 4_200),
        ([(3, said(3, True, import_w=8_000))], 3, EnvelopePhase.LIMITED, 8_000),
        ([(3, said(3, True)), (9, said(9, False))], 9, EnvelopePhase.UNLIMITED, None),
        ([(3, said(3, True)), (9, said(9, True, import_w=6_000))], 9, EnvelopePhase.LIMITED, 6_000),
        ([(3, said(3, True, ends=20))], 19, EnvelopePhase.LIMITED, 4_200),
        ([(3, said(3, True, ends=20))], 20, EnvelopePhase.UNLIMITED, None),
        ([(3, said(3, False))], 122, EnvelopePhase.UNLIMITED, None),
        ([(3, said(3, False))], 123, EnvelopePhase.FAILSAFE, 5_000),
        ([(3, said(3, True))], 123, EnvelopePhase.FAILSAFE, 5_000),
        ([(3, said(3, True, ends=50))], 200, EnvelopePhase.FAILSAFE, 5_000),
        ([(3, said(3, False)), (500, said(500, True))], 500, EnvelopePhase.LIMITED, 4_200),
        ([(3, said(3, False)), (500, said(500, False))], 500, EnvelopePhase.UNLIMITED, None),
        ([(3, said(3, False)), *lively(500, 620, None)], 619, EnvelopePhase.FAILSAFE, 5_000),
        ([(3, said(3, False)), *lively(500, 680, None)], 620, EnvelopePhase.UNLIMITED, None),
        ([(3, said(3, False))], 123 + 7_199, EnvelopePhase.FAILSAFE, 5_000),
        ([(3, said(3, False))], 123 + 7_200, EnvelopePhase.AUTONOMOUS, 5_000),
        ([(3, said(3, False)), (8_000, said(8_000, True))], 8_000, EnvelopePhase.LIMITED, 4_200),
        (lively(0, 130, None), 119, EnvelopePhase.INIT, 5_000),
        (lively(0, 130, None), 120, EnvelopePhase.UNLIMITED, None),
        ([(3, said(3, True)), *lively(60, 600, None)], 600, EnvelopePhase.LIMITED, 4_200),
    ],
    ids=[
        "never heard: the safe value from the first second", "heard, no limit", "a contact alone", "a limit told",
        "taken back", "another value", "a limit with an end, before", "a limit with an end, at it",
        "silent, not yet lost", "lost while free", "lost while limited", "ended, then lost", "heard again, limited",
        "heard again, free", "a heartbeat alone frees nobody at once", "a heartbeat alone frees after 120 s",
        "a failsafe lasts", "and then the safe value stays", "heard after hours", "a first heartbeat alone, before",
        "a first heartbeat alone, after 120 s", "a heartbeat without a word leaves a limit as it is",
    ],
)  # fmt: skip
def test_the_envelope_is(steps, until, phase, import_w):
    state = run(*steps, until=until)
    assert (state.phase, state.import_w) == (phase, import_w)


def test_a_limit_on_feeding_in_alone_limits_no_import_and_outlives_silence():
    state = run((3, said(3, True, export_w=1_000)))
    assert (state.import_w, state.export_w) == (None, 1_000)
    lost = run((3, said(3, True, export_w=1_000)), until=200)
    assert (lost.import_w, lost.export_w) == (5_000, 1_000)


@given(
    st.lists(
        st.tuples(st.integers(0, 4_000), st.sampled_from([True, False, None]), st.sampled_from([None, 3_000.0])),
        max_size=12,
    ),
    st.integers(0, 4_000),
)
def test_a_home_is_only_ever_free_by_a_word_or_after_a_heartbeat(words, until):
    steps = sorted(
        ((at, said(at, active, **({"import_w": w} if w else {}))) for at, active, w in words), key=lambda x: x[0]
    )
    state = run((0, Heard(None)), *steps, until=until)
    last = next((heard for at, heard in reversed(steps) if at <= until), None)
    if state.import_w is None:
        assert last is not None and last.at is not None, "nobody was ever heard"
        assert s(until) - last.at < timedelta(seconds=SPEC.heartbeat_s), "silence never frees"
        assert last.active is not True, "a limit that is told holds"
    else:
        assert state.import_w in (3_000, 4_200, 5_000)


@pytest.mark.parametrize(
    ("house_w", "sun_w", "watts"),
    [(800, None, 5_000), (800, -300, 4_700), (800, -2_000, 4_200), (None, None, 4_200)],
    ids=["the household on top", "less its own sun", "sun covers it", "an unknown household is nothing"],
)
def test_where_only_controllable_devices_count_the_household_comes_on_top(house_w, sun_w, watts):
    assert grid_limit_w(4_200, Counts.DEVICES, house_w, sun_w) == watts
    assert grid_limit_w(4_200, Counts.SITE, house_w, sun_w) == 4_200
