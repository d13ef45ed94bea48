"""What-if questions of a running home: one at a time, with progress, an answer that stays, and an end at any time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import numpy as np
import pytest

from gateway.core.planning.twin import DAY
from gateway.model.errors import WishRefused
from gateway.model.preferences import Preferences
from gateway.model.series import Series
from gateway.model.site import Device, Role
from gateway.model.whatif import Control, Question
from gateway.runtime.whatif import AskPhase, WhatIf, read_history
from tests.core.replay_homes import METER, START, TARIFF, dearer, intervals, record, setup
from tests.fakes import FakeClock, FakeStore

PANELS = Device("roof", "Roof", Role.PV)
OWN = Question(control=Control.SELF_CONSUMPTION)


async def nobody(start: datetime, end: datetime) -> Series | None:
    return None


async def home(days: int = 30) -> WhatIf:
    """A home with panels and so many days of history that end now."""
    lived, store = record(days), FakeStore()
    store.interval_rows.clear()
    rows = {
        "house": lived.house_w,
        "roof": lived.solar_w,
        "solar": lived.solar_w,
        "grid": lived.house_w + lived.solar_w,
    }
    for name, watts in rows.items():
        await store.save_intervals(intervals(name, watts))
    site = setup(METER, PANELS).site
    return WhatIf(site, FakeClock(START + timedelta(days=days)), store, TARIFF, Preferences, nobody)


async def ended(questions: WhatIf) -> None:
    async with asyncio.timeout(20):
        while questions.last is not None and questions.last.phase is AskPhase.RUNNING:
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_a_question_is_answered_over_the_history_that_there_is() -> None:
    questions = await home()
    asked = questions.ask(Question(tariff=dearer(TARIFF, 2), control=Control.SELF_CONSUMPTION), 365)
    assert asked.phase is AskPhase.RUNNING
    await ended(questions)
    last = questions.last
    assert last is not None and last.answer is not None
    assert last.phase is AskPhase.DONE and last.share == 1.0
    assert last.answer.days == 30
    assert last.answer.micro > 0
    await questions.close()


@pytest.mark.slow
async def test_a_second_question_waits_until_the_first_is_answered() -> None:
    questions = await home()
    questions.ask(OWN, 30)
    with pytest.raises(WishRefused, match="Another question is being answered"):
        questions.ask(OWN, 30)
    await ended(questions)
    assert questions.ask(OWN, 30).number == 2
    await questions.close()


@pytest.mark.slow
async def test_a_question_that_is_cancelled_ends_and_gives_no_answer() -> None:
    questions = await home()
    questions.ask(Question(battery_kwh=5.0), 30)
    await asyncio.sleep(0.05)
    assert questions.cancel().phase is AskPhase.CANCELLED
    with pytest.raises(WishRefused, match="No question"):
        questions.cancel()
    await questions.close()
    assert questions.last is not None
    assert questions.last.phase is AskPhase.CANCELLED and questions.last.answer is None


async def test_too_little_history_is_told_in_words() -> None:
    questions = await home(days=12)
    questions.ask(OWN, 365)
    await ended(questions)
    assert questions.last is not None
    assert questions.last.phase is AskPhase.REFUSED
    assert "12 days of history, and 28 are needed" in questions.last.words
    await questions.close()


@pytest.mark.parametrize("days", [0, 401])
async def test_days_that_nobody_keeps_are_refused(days: int) -> None:
    questions = await home()
    with pytest.raises(WishRefused, match="cannot be replayed"):
        questions.ask(OWN, days)
    await questions.close()


@pytest.mark.slow
async def test_history_is_read_from_its_first_day_on_month_by_month() -> None:
    questions = await home(days=70)
    end = questions.clock.now()
    past = await read_history(questions.site, questions.store, end - timedelta(days=365), end)
    assert past.start == START
    assert past.count == 70 * DAY
    assert np.array_equal(past.net_w("house"), record(70).house_w)
