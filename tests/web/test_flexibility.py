"""What the home could shift, by the API and on the Events page."""

from __future__ import annotations

from datetime import timedelta

from gateway.model.flex import Direction, FlexOffer


async def test_offers_are_told_with_their_interval_and_cost_and_past_ones_leave_the_page(demo, home):
    now = home.clock.now()
    less = FlexOffer(
        Direction.DOWN, now + timedelta(hours=1), 3600, 3200, 2600, 3800, 120_000, -40.0, {"charger": 3200.0}, now
    )
    more = FlexOffer(
        Direction.UP, now + timedelta(hours=1), 3600, 5000, 4000, 6000, -50_000, 900.0, {"inverter": 5000.0}, now
    )
    over = FlexOffer(Direction.DOWN, now - timedelta(hours=2), 3600, 900, 800, 1000, 1_000, 0.0, {}, now)
    home.offers.offers = (less, more, over)
    told = (await demo.get("/api/v1/flexibility")).json()
    assert [(o["direction"], o["power_w"], o["low_wh"], o["cost_micro"]) for o in told[:2]] == [
        ("down", 3200, 2600, 120_000), ("up", 5000, 4000, -50_000),
    ]  # fmt: skip
    page = (await demo.get("/events")).text
    assert "3.2 kW ±0.6, costs €0.12" in page and "5.0 kW ±1.0, saves €0.05" in page and "0.9 kW" not in page


async def test_a_home_without_offers_shows_no_table(looking):
    assert (await looking.get("/api/v1/flexibility")).json() == []
    assert "could shift" not in (await looking.get("/events")).text
