"""The times that control keeps, in seconds of home time, at any speed of the home's clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControlTiming:
    """All times in s of home time. At speed > 1 nothing is shorter than what the world needs (2 s real for staleness)."""

    meter_stale_s: float = 9.0
    """Main meter older than this: safe currents. With a tick, the charger's own second and the 5 s a car may take,
    an overload that the silent meter hides stays below 16 s."""
    raise_age_s: float = 3.0
    """No limit is raised on a meter value older than this."""
    follow_s: float = 5.0
    """A car may take this long to follow (IEC 61851-1): a sample taken sooner after a change may show the old current."""
    settle_s: float = 7.0
    """A car may take 5 s to follow, the meter 2 s to show it."""
    press_s: float = 2.0
    """An overload that stands so long brings its cars to their minimum: 8 s less what a car and the meter take."""
    raise_pause_s: float = 10.0
    """A limit is raised at most this often (spares the charger; never delays a reduction)."""
    resume_pause_s: float = 60.0
    """A car paused for lack of room starts again no sooner."""
    retreat_most_s: float = 600.0
    """A raise that a fuse took back again and again is tried no sooner: the pause doubles up to this."""
    retreat_calm_s: float = 3_600.0
    """After so long without an overload the pause is short again."""
    command_life_s: float = 120.0
    """Every command ends by itself after this; it is refreshed at half of it."""
    band_life_s: float = 10_800.0
    """A battery's band around zero: it only follows the meter, whoever is gone."""
    forced_life_s: float = 1_800.0
    """A battery's forced power, or a cut of the sun."""
    steered_life_s: float = 7_200.0
    """The power of a battery that cannot follow the meter itself."""
    verify_s: float = 15.0
    """A limit not seen working after max(this, two sampling intervals) is not honoured."""

    turn_s: float = 900.0
    """A car keeps its seat so long before it gives way to one that waits."""
    idle_s: float = 60.0
    """A car that may charge and draws nothing for so long gives way to those that draw."""
    phase_dwell_s: float = 120.0
    """Between two changes of the number of phases, and so long the change must be wanted."""

    @classmethod
    def at_speed(cls, speed: float) -> ControlTiming:
        """The times for a home whose clock runs `speed` times faster than the world's."""
        if speed <= 1:
            return cls()
        real = cls()
        return cls(
            meter_stale_s=max(real.meter_stale_s, 2 * speed),
            raise_age_s=max(real.raise_age_s, 0.5 * speed),
            follow_s=max(real.follow_s, 0.4 * speed),
            settle_s=max(real.settle_s, 0.5 * speed),
            press_s=max(real.press_s, 0.2 * speed),
            raise_pause_s=max(real.raise_pause_s, 0.3 * speed),
            resume_pause_s=max(real.resume_pause_s, 0.5 * speed),
            retreat_most_s=max(real.retreat_most_s, speed),
            retreat_calm_s=max(real.retreat_calm_s, 6 * speed),
            command_life_s=max(real.command_life_s, 6 * speed),
            band_life_s=max(real.band_life_s, 6 * speed),
            forced_life_s=max(real.forced_life_s, 6 * speed),
            steered_life_s=max(real.steered_life_s, 6 * speed),
            verify_s=max(real.verify_s, 2 * speed),
            turn_s=max(real.turn_s, 5 * speed),
            idle_s=max(real.idle_s, speed),
            phase_dwell_s=max(real.phase_dwell_s, 2 * speed),
        )
