"""Ids of OCPP 2.x transactions that are used twice: by two EVSEs, or again after their end.

The specification wants them unique (2.0.1, part 2, TransactionType.transactionId); stations that only count are met.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.adapters.ocpp2_fakes import Peer2, peer2
from tests.adapters.ocpp_fakes import Home, home


def energies(where: Home, charger: str = "") -> list[float]:
    rows = sorted(where.sessions.rows.values(), key=lambda row: row.start)
    return [row.energy_wh for row in rows if charger in ("", row.charger)]


async def test_two_evses_that_count_their_transactions_each_by_itself_have_a_session_each() -> None:
    where = home()
    left, right = where.charger(device_id="left"), where.charger(device_id="right", connector=2)
    async with where.serving(), peer2(where) as charger:
        await charger.boot()
        for evse, wh in ((1, 1000), (2, 50_000)):
            await charger.event("Started", "1", register=wh, evse=evse, seq=0)
        for evse, wh in ((1, 1500), (2, 50_700)):
            await charger.event("Updated", "1", register=wh, evse=evse, seq=1)
        assert [left.status().session_wh, right.status().session_wh] == [500.0, 700.0]
        await charger.event("Ended", "1", register=51_000, evse=2, seq=2)
        await charger.event("Ended", "1", register=1900, seq=2)  # it names no EVSE: of the one that is open
    assert (energies(where, "left"), energies(where, "right")) == ([900.0], [1000.0])


async def test_an_id_used_again_whose_start_was_lost_is_a_session_of_its_own() -> None:
    where = home()
    where.charger()
    began = where.clock.now() - timedelta(hours=10)

    async def tell(charger: Peer2, kind: str, seq: int, minute: int, wh: int) -> None:
        at = began + timedelta(minutes=minute)
        await charger.event(kind, "1", register=wh, evse=1, seq=seq, time=at, triggerReason="Trigger")

    async with where.serving(), peer2(where) as charger:
        await charger.boot()
        for told in (("Started", 0, 0, 1000), ("Updated", 1, 10, 2000), ("Ended", 2, 30, 3000)):
            await tell(charger, *told)
        for told in (("Updated", 1, 130, 4000), ("Updated", 2, 140, 5000), ("Ended", 3, 150, 6000)):
            await tell(charger, *told)
        assert energies(where) == [2000.0, 3000.0]
        await tell(charger, "Updated", 1, 130, 4000)
        await tell(charger, "Updated", 1, 10, 2000)
        await tell(charger, "Ended", 3, 150, 6000)
        assert energies(where) == [2000.0, 3000.0]
        await tell(charger, "Started", 0, 120, 3500)  # it was only late
    assert energies(where) == [2000.0, 2500.0] and len(where.sessions.rows) == 2


@pytest.mark.slow
async def test_a_word_long_after_the_end_of_a_transaction_that_tells_nothing_new_opens_no_session() -> None:
    where = home()
    where.charger()
    async with where.serving(), peer2(where) as charger:
        await charger.boot()
        await charger.event("Started", "1", register=1000, evse=1)
        await charger.event("Ended", "1", register=2000)
        await where.clock.advance(3600)
        await charger.event("Updated", "1", register=2000, triggerReason="EVDeparted")
    assert energies(where) == [1000.0]
