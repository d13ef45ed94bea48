"""Transaction messages nobody can believe: the honest session stays the open one, and no other is opened."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.ocpp2_fakes import peer2
from tests.adapters.ocpp_fakes import home, peer


@pytest.mark.parametrize(
    "junk",
    [
        {"eventType": "Whatever"},
        {"triggerReason": "<script>"},
        {"timestamp": "2026-02-30T25:61:61Z"},
        {"seqNo": -1},
        {"eventType": "Started", "seqNo": "NaN", "triggerReason": "Infinity"},
    ],
    ids=str,
)
async def test_an_event_of_an_unknown_id_with_absurd_content_opens_nothing_beside_a_live_session(
    junk: dict[str, Any],
) -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.boot()
        await charger.event("Started", register=1000, evse=1)
        await charger.event("Updated", register=2000)
        payload = {
            "eventType": "Updated", "timestamp": "2026-11-21T16:30:00Z", "triggerReason": "Trigger", "seqNo": 7,
            "transactionInfo": {"transactionId": "1e400"}, "evse": {"id": 1}, **junk,
        }  # fmt: skip
        await charger.frame("TransactionEvent", payload)
        session = station.book.open_session()
        assert session is not None and session.their_id == "T-1" and len(place.sessions.rows) == 1
        await charger.event("Ended", register=3000)
    assert [row.energy_wh for row in place.sessions.rows.values()] == [2000.0]


async def test_a_sound_event_of_an_unknown_id_still_begins_the_next_session() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer2(place) as charger:
        await charger.boot()
        await charger.event("Started", register=1000, evse=1)
        await charger.event("Updated", "T-2", register=4000, seq=3, evse=1)
        session = station.book.open_session()
        assert session is not None and session.their_id == "T-2"


async def test_a_stop_that_tells_nothing_at_all_ends_nothing() -> None:
    place = home()
    station = place.charger()
    async with place.serving(), peer(place) as charger:
        await charger.boot()
        transaction = await charger.start()
        await charger.frame("StopTransaction", {"transactionId": {}, "timestamp": "NaN"})
        session = station.book.open_session()
        assert session is not None and session.transaction == transaction and len(place.sessions.rows) == 1
