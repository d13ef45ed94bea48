"""The shipped Modbus profiles, each read once per run: they are frozen, and YAML takes its time."""

from __future__ import annotations

import functools
from pathlib import Path

from adapters.modbus.profile import Profile, load_profile, profile_names

PROFILES = Path(__file__).parents[2] / "config" / "devices" / "modbus"
NAMES = profile_names(PROFILES)


@functools.cache
def shipped(name: str) -> Profile:
    """One of `NAMES`."""
    return load_profile(name, PROFILES)
