"""A device that lies: nothing wrong is accepted as valid, its state names the lie, and the truth is believed again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from gateway.core.metering.freeze import Wishes
from gateway.model.preferences import Preferences
from gateway.model.quantity import Quantity as Q
from gateway.model.reading import Rule
from tests.adapters.modbus_lab import NIGHT, NOON, TIMEOUT_S, Lab, lab

LATE = {"seconds": 1.4 * TIMEOUT_S}


@dataclass(frozen=True)
class Lie:
    """One row: who tells it, over which line, and what the product must say."""

    kind: str
    words: str
    """A pattern that the state's words must match while it is told."""
    numbers: dict[str, float] = field(default_factory=dict)
    step_s: float = 0.0
    """Home time between polls; 0 for lies of the line, which are a matter of real milliseconds."""
    polls: int = 4
    unnoticed: int = 0
    """Polls for which nobody could know: what contradicts the lie takes time to show."""
    start: datetime = NOON
    undeniable: tuple[str, ...] = ()
    """Quantities (by the beginning of their names) that nothing contradicts: they stay in use, the state says the rest."""
    coarse: float = 1.0
    """How much coarser than usual the device tells its values."""


LINE = (
    Lie("late", "did not answer within", LATE),
    Lie("stall", "did not answer within"),
    Lie("half_then_stall", "did not answer within|broke off", LATE),
    Lie("count", "registers"),
    Lie("long", "registers"),
    Lie("wrong_function", "function"),
    Lie("wrong_unit", "unit|did not answer"),
    Lie("truncated", "did not answer"),
    Lie("byte_count", "fit|did not answer"),
    Lie("garbage_prefix", "did not answer|fit"),
    Lie("bad_check", "did not answer|fit|check"),
    Lie("answer_of_before", "registers|did not answer|fit|unit"),
    Lie("refuse", "exception 4"),
    Lie("refuse", "refuses|no such register", {"code": 2}, step_s=10),
    Lie("close", "lost its connection|not connected"),
)
ONLY_SERIAL = (Lie("unsolicited", "registers|fit"),)
ONLY_TCP = (
    Lie("unsolicited", ""),
    Lie("wrong_transaction", "did not answer|fit|transaction"),
    Lie("length", "did not answer"),
)

METER = (
    Lie("not_a_number", "not a number", step_s=10),
    Lie("infinity", "not a number", step_s=10),
    Lie("marker_7fffffff", "not a number", step_s=10),
    Lie("marker_80000000", "zero|voltage", step_s=10),
    Lie("marker_8000", "zero|voltage", step_s=10),
    Lie("marker_ffff", "not a number", step_s=10),
    Lie("zero_everything", "zero|voltage", step_s=10),
    Lie("words_swapped", "outside|range|voltage", step_s=10),
    Lie("bytes_swapped", "outside|range|voltage", step_s=10),
    Lie("other_registers", "outside|range|voltage", step_s=10),
    Lie("out_of_range", "outside|range", step_s=10),
    Lie("counter_falls", "counter_reset", step_s=10, polls=2),
    Lie("counter_jumps", "counter_jump", step_s=10, polls=2),
    Lie("counter_against_power", "counter", step_s=10, polls=90, unnoticed=60),
    Lie("sign_turned", "reverse|counter", step_s=10, polls=90, unnoticed=60),
    Lie("phases_do_not_add_up", "phases", step_s=10, polls=30, unnoticed=6),
    Lie("frozen", "stuck: nothing", step_s=10, polls=90, unnoticed=60),
    Lie("lie", "counter_against_power", step_s=10, polls=90, unnoticed=60, undeniable=("power", "current")),
)
INVERTER = (
    Lie("marker_8000", "no longer at|no SunSpec marker", step_s=10),
    Lie("marker_ffff", "no longer at|no SunSpec marker", step_s=10),
    Lie("zero_everything", "no longer at|no SunSpec marker", step_s=10),
    Lie("scale_factor_unimplemented", "no scale factor", step_s=10),
    Lie("scale_factor_wrong", "outside|range|voltage", step_s=10),
    Lie("scale_factor_changed", "", step_s=10, coarse=10),
    Lie("night_production", "night|sun", step_s=10, start=NIGHT, polls=10),
    Lie("counter_falls", "counter_reset", step_s=10, polls=2),
    Lie("counter_jumps", "counter_jump", step_s=10, polls=2),
    Lie("counter_against_power", "counter", step_s=10, polls=90, unnoticed=60),
    Lie("frozen", "stuck: nothing", step_s=10, polls=90, unnoticed=60),
)


def named(*lies: Lie) -> list[object]:
    return [
        pytest.param(lie, id=f"{lie.kind} {lie.numbers['code']:.0f}" if "code" in lie.numbers else lie.kind)
        for lie in lies
    ]


async def believe_the_truth(bench: Lab, lie: Lie, polls: int) -> None:
    """Poll until the powers are accepted again; a wrong one on the way counts like any other."""
    for _ in range(polls):
        if Q.POWER in await bench.poll(lie.step_s):
            return
    pytest.fail(f"after {polls} polls the truth was not believed: {bench.words()}")


async def hear_out(bench: Lab, lie: Lie) -> None:
    for _ in range(8):
        await bench.poll(lie.step_s)
    assert bench.wrong == [], "the honest device was misunderstood"
    bench.said.clear()
    bench.coarse = lie.coarse
    bench.faults.begin({"kind": lie.kind, "for_s": 1e6, **lie.numbers})
    for poll in range(lie.polls):
        await bench.poll(lie.step_s)
        if poll < lie.unnoticed:
            bench.wrong.clear()
    bench.faults.begin({"kind": lie.kind, "for_s": 0})
    told = [words for words in bench.said if re.search(lie.words, words)]
    assert [wrong for wrong in bench.wrong if not wrong.split(": ")[1].startswith(lie.undeniable or "-")] == []
    bench.wrong.clear()
    assert told, f"the state never named it: {sorted(set(bench.said))}"
    await believe_the_truth(bench, lie, 150 if not lie.step_s else 40)
    assert bench.wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("lie", named(*LINE, *ONLY_TCP))
async def test_no_lie_of_a_tcp_line_is_believed(lie: Lie) -> None:
    async with lab("meter") as bench:
        await hear_out(bench, lie)


@pytest.mark.slow
@pytest.mark.parametrize("lie", named(*LINE, *ONLY_SERIAL))
async def test_no_lie_of_a_serial_line_is_believed(lie: Lie) -> None:
    async with lab("meter", rtu=True) as bench:
        await hear_out(bench, lie)


@pytest.mark.slow
@pytest.mark.parametrize("lie", named(*METER))
async def test_no_untrue_number_of_a_meter_is_believed(lie: Lie) -> None:
    async with lab("meter", start=lie.start) as bench:
        await hear_out(bench, lie)


@pytest.mark.slow
@pytest.mark.parametrize("lie", named(*INVERTER))
async def test_no_untrue_number_of_an_inverter_is_believed(lie: Lie) -> None:
    async with lab("inverter", start=lie.start) as bench:
        await hear_out(bench, lie)


@pytest.mark.slow
async def test_a_frozen_main_meter_counts_as_silent_for_the_fuse_guard() -> None:
    async with lab("meter") as bench:
        await bench.poll(10)
        bench.faults.begin({"kind": "frozen", "for_s": 1e6})
        for _ in range(70):
            await bench.poll(10)
        meter = bench.state.freeze(Wishes(Preferences()), {}, frozenset()).devices["meter"]
        assert (meter.online, meter.get(Q.CURRENT_L1), meter.get(Q.POWER)) == (False, None, None)
        assert "stuck" in meter.doubts[Q.CURRENT_L1]
        bench.faults.begin({"kind": "frozen", "for_s": 0})
        await bench.poll(10)
        assert bench.state.freeze(Wishes(Preferences()), {}, frozenset()).devices["meter"].online


@pytest.mark.slow
async def test_a_value_outside_the_profile_s_range_is_counted_by_that_rule() -> None:
    async with lab("meter") as bench:
        bench.faults.begin({"kind": "bytes_swapped", "for_s": 1e6})
        await bench.poll(10)
        assert {count.rule for count in bench.intake.rule_counts("meter")} == {Rule.RANGE, Rule.WORD_ORDER}
