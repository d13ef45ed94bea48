"""What the simulated VTN holds, in a file: a utility's server that comes back still knows its programs and its homes."""

from __future__ import annotations

import json
from pathlib import Path

from firmware_sim.vtn_store import KINDS, Store


def load(store: Store, file: Path) -> bool:
    """Take what the file holds; False where there is none. ValueError for a file that is none of ours."""
    if not file.exists():
        return False
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.keys() != KINDS.keys():
        raise ValueError(f"{file} does not hold a VTN's objects")
    store.items.update(found)
    return True


def save(store: Store, file: Path) -> None:
    """Write all objects; the old file stays whole until the new one is."""
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)  # subscriptions hold the homes' bearer tokens
    fresh.write_text(json.dumps(store.items), encoding="utf-8")
    fresh.replace(file)
