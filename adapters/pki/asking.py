"""Questions to `python -m adapters.pki`, the process in which the library for keys and certificates is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.model.errors import StoreError, WishRefused

ROOT = Path(__file__).resolve().parents[2]
ASK_S = 60.0


def ask(folder: Path, question: Mapping[str, Any], failing: str) -> dict[str, Any]:
    """What is answered about a folder; takes a good part of a second. `failing`: what cannot be done without an answer.

    Raises StoreError, WishRefused.
    """
    command = [sys.executable, "-m", "adapters.pki"]
    asked = json.dumps({"folder": str(folder), **question})
    try:
        done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=ASK_S, cwd=ROOT)
        answer: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"{folder}: {failing} ({error})") from error
    if refused := answer.get("refused"):
        raise WishRefused(refused)
    if failed := answer.get("failed"):
        raise StoreError(failed)
    return answer
