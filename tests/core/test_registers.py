"""The energy register as a witness: it convicts a car that takes more than it is told, and nobody else."""

from __future__ import annotations

import pytest

from gateway.core.control.registers import Trail

INTERVAL_S, SETTLE_S = 10.0, 7.0


def trail(amps: float, seconds: int, *limits: tuple[float, float], quantum_wh: float = 1.0, every_s: int = 10) -> Trail:
    """A three-phase car that draws `amps`; the register is read every `every_s`, in steps of `quantum_wh`."""
    found, exact = Trail(), 0.0
    found.begin_anew(0.0)
    for second in range(seconds):
        for at, limit in limits:
            if at == second:
                found.limited(float(second), limit)
        exact += amps * 690 / 3600
        if second % every_s == 0:
            found.read(float(second), exact // quantum_wh * quantum_wh)
    return found


@pytest.mark.parametrize(
    ("name", "seen", "verdict"),
    [
        ("16 A at a limit of 6 A, within a minute", trail(16.0, 60, (0, 6.0)), True),
        ("16 A at a pause", trail(16.0, 60, (0, 0.0)), True),
        ("16 A at a limit of 10 A", trail(16.0, 100, (0, 10.0)), True),
        ("too early", trail(16.0, 30, (0, 6.0)), False),
        ("obeys", trail(6.0, 600, (0, 6.0)), False),
        ("obeys within the tolerance", trail(6.9, 600, (0, 6.0)), False),
        ("obeys a limit that changes", trail(6.0, 600, (0, 16.0), (100, 6.0), (300, 10.0)), False),
        ("drew 16 A under 16 A, and the limit fell just now", trail(16.0, 118, (0, 16.0), (100, 6.0)), False),
        ("obeys, by a register in steps of 0.1 kWh", trail(6.0, 900, (0, 6.0), quantum_wh=100.0), False),
        ("obeys, by a register that moves once a minute", trail(6.0, 900, (0, 6.0), every_s=60), False),
        ("16 A at a limit of 6 A, in steps of 0.1 kWh", trail(16.0, 300, (0, 6.0), quantum_wh=100.0), True),
        ("a register that stands still", trail(0.0, 300, (0, 0.0)), False),
        ("no limit known", trail(16.0, 300), False),
        ("no limit known, and more than its maximum", trail(20.0, 300), True),
    ],
)
def test_the_register_convicts_who_takes_more_than_any_limit_of_the_time(name: str, seen: Trail, verdict: bool) -> None:
    assert seen.exceeds(3, 230.0, INTERVAL_S, SETTLE_S, 16.0) is verdict, name


def test_what_comes_in_a_burst_after_a_gap_is_not_counted() -> None:
    found = trail(6.0, 60, (0, 6.0))
    found.begin_anew(80.0)
    found.limited(61.0, 6.0)
    for index in range(10):
        found.read(61.0 + index / 10, 100.0 + index * 50)
    for second in range(85, 150, 10):
        found.read(float(second), 700.0 + second * 6 * 690 / 3600)
    assert not found.exceeds(3, 230.0, INTERVAL_S, SETTLE_S, 16.0)


def test_the_highest_limit_of_late_is_what_a_car_may_still_draw() -> None:
    found = Trail()
    for at, limit in ((0.0, 16.0), (10.0, 8.0), (12.0, 9.0), (14.0, 8.0)):
        found.limited(at, limit)
    assert [found.most_a(since) for since in (-1.0, 5.0, 10.0, 11.0, 14.0)] == [None, 16.0, 9.0, 9.0, 8.0]


def test_a_transaction_begins_with_its_own_register_so_that_two_intervals_are_enough() -> None:
    found = Trail()
    found.begin_anew(100.0, 0.0)
    found.limited(100.0, 0.0)
    for second in (110.0, 120.0):
        found.read(second, (second - 100.0) * 16 * 690 / 3600)
    assert found.exceeds(3, 230.0, INTERVAL_S, SETTLE_S, 16.0)
    found.begin_anew(100.0, 0.0)
    found.limited(100.0, 0.0)
    for second in (110.0, 120.0, 130.0):
        found.read(second, 6 * 16 * 690 / 3600)
    assert not found.exceeds(3, 230.0, INTERVAL_S, SETTLE_S, 16.0), "it had six seconds to follow"
