"""A season of sessions with outages everywhere: the ledger's energy is the register's, no session is lost or doubled."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sqlite.store import SqliteStore
from tests.adapters.season import Season, lost_and_doubled
from tests.adapters.season_parts import BEGIN

HARD = (77, 86, 152)
"""A reboot right after a start; a gateway killed beside odd values, and a spike on both sides of an outage; a register
that fell back just before its charger was away."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(10), *HARD])
async def test_a_season_of_sessions_has_the_registers_energy_and_none_lost_or_doubled(
    seed: int, tmp_path: Path
) -> None:
    store = SqliteStore.open(tmp_path / "hearth.sqlite")
    try:
        season = Season(store, seed)
        await season.run()
        booked = await store.sessions(BEGIN, BEGIN + timedelta(days=200))
        assert lost_and_doubled(season, booked) == (0, 0), season.manners
        assert all(session.end is not None for session in booked)
        assert not season.beyond(booked), season.manners
        energy, true = sum(s.energy_wh for s in booked), sum(run.true_wh for run in season.true)
        assert abs(energy - true) <= season.tolerance_wh, season.manners
        assert season.kills > 20 and season.repeats > 5 and len(season.true) > 60
    finally:
        await store.close()
