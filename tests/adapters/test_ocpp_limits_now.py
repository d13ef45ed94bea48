"""What is told of a charger's limit: what is in force now, and seen working only while that is so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.ocpp import limit_words
from adapters.ocpp.evidence import keeps_to
from adapters.ocpp.pace import InForce
from adapters.ocpp.rungs import REMOTE_STOP
from gateway.model.site import ChargerSpec
from tests.adapters.ocpp_fakes import current, home, peer
from tests.fakes import START

SAFE, LIMIT, ZERO = (InForce(amps, START, None) for amps in (6.0, 10.0, 0.0))


def offers(amps: float, drawn_a: float) -> list[dict[str, str]]:
    drawn = [{"measurand": "Current.Import", "phase": f"L{n}", "value": f"{drawn_a}", "unit": "A"} for n in (1, 2, 3)]
    return [{"measurand": "Current.Offered", "value": f"{amps}", "unit": "A"}, *drawn]


async def test_a_way_is_seen_working_only_while_its_limit_is_in_force_and_measured() -> None:
    """Wrong before: once seen it was called so for hours, also of a car that rests and of a limit that had ended."""
    place = home()
    station = place.charger(spec=ChargerSpec(safe_current_a=6.0))
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        await charger.is_set_up()
        limiter = station.limiter
        assert limiter.now_words == "its safe current of 6 A: no other limit holds now"
        await charger.start()
        await charger.meter(*offers(16, 16))
        wish = current(10, place.clock.now() + timedelta(minutes=2))
        await station.apply(wish)
        seen = [(limiter.works_now, limiter.now_words)]
        for offered, drawn in ((10, 10), (10, 0), (16, 16), (6, 6), (10, 10)):
            await place.clock.advance(10)
            await charger.meter(*offers(offered, drawn))
            await station.apply(wish)
            seen.append((limiter.works_now, limiter.now_words))
        await place.clock.advance(90)
        await charger.meter(*offers(6, 6))
        seen.append((limiter.works_now, limiter.now_words))
    ten, safe = "at most 10 A", "its safe current of 6 A: no other limit holds now"
    assert seen == [
        (False, ten), (True, ten), (False, ten), (False, ten), (False, ten), (True, ten), (False, safe),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit_a", "offered_a", "drawn_a", "keeps"),
    [
        (10, 10, 10, True), (10, None, 9, True), (0, None, 0, True), (0, 0, 0.4, True), (10, 10, 0, False),
        (10, None, None, False), (10, 6, 6, False), (10, 10, 16, False), (0, None, 6, False),
    ],
)  # fmt: skip
def test_a_limit_shows_in_a_car_that_draws(
    limit_a: float, offered_a: float | None, drawn_a: float | None, keeps: bool
) -> None:
    assert keeps_to(limit_a, offered_a, drawn_a) is keeps


def test_what_is_in_force_is_said_in_words() -> None:
    assert limit_words.words(None, None, None, is_free=False) == "no limit of this home"
    assert limit_words.words(LIMIT, SAFE, None, is_free=False) == "at most 10 A"
    assert limit_words.words(ZERO, SAFE, None, is_free=False) == "no current: it was told 0 A"
    assert limit_words.words(ZERO, SAFE, REMOTE_STOP, is_free=False) == "no current: it was stopped (RemoteStop)"
    assert limit_words.words(LIMIT, SAFE, None, is_free=True) == "its own maximum of 10 A: it obeys no limit"
