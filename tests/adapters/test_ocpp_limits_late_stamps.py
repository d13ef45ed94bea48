"""A charger whose samples are stamped 15 min before they come: by a right clock limits are told, by a slow one too."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.adapters.ocpp_fakes import current, home, peer

LATE = timedelta(minutes=15)


@pytest.mark.parametrize("is_clock_slow", [False, True], ids=["stamps of the interval's begin", "a slow clock"])
async def test_a_limit_is_told_by_the_clock_that_a_start_told(is_clock_slow: bool) -> None:
    """Wrong before: a right clock was taken for a slow one, no 0 A had any effect, and the charger was blamed."""
    where = home()
    connector = where.charger()
    async with where.serving(), peer(where) as charger:
        await charger.boot()
        behind = LATE if is_clock_slow else timedelta()
        await charger.status("Charging", charger.now() - behind)
        transaction = await charger.start(time=charger.now() - behind)
        for _ in range(5):
            await where.clock.advance(10)
            power = {"value": "3600", "unit": "W", "measurand": "Power.Active.Import"}
            await charger.meter(power, transaction=transaction, time=charger.now() - LATE)
        await connector.apply(current(0.0, where.clock.now() + timedelta(seconds=120)))
        told = [each for each in charger.limits() if each["chargingProfilePurpose"] == "TxProfile"][-1]
        begin = datetime.fromisoformat(told["chargingSchedule"]["startSchedule"].replace("Z", "+00:00"))
        assert timedelta() <= charger.now() - behind - begin < timedelta(minutes=5)
        remedy = connector.limiter._target.its_clock.remedy()
        assert remedy == ("Its clock is 15 min slow: set it." if is_clock_slow else "")
