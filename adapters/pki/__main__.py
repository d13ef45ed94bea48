"""The authority at work in a process of its own: one question as JSON on standard input, one answer on standard output."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.pki.authority import LocalAuthority
from adapters.pki.signing import sign
from gateway.model.errors import StoreError, WishRefused


@dataclass(frozen=True, slots=True)
class AskedAt:
    """The asker's clock, standing still."""

    at: datetime
    speed: float = 1.0

    def now(self) -> datetime:
        """When it was asked."""
        return self.at

    def monotonic(self) -> float:
        """Nothing passes."""
        return 0.0

    async def sleep(self, seconds: float, *, real_floor: float = 0.0) -> None:
        """Nothing to wait for."""


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What the authority says; `refused` and `failed` tell why it did not."""
    try:
        if question["do"] == "sign":
            key, signatures = sign(Path(question["folder"]), [bytes.fromhex(text) for text in question["messages"]])
            return {"key": key, "signatures": signatures}
        clock = AskedAt(datetime.fromisoformat(question["now"]))
        authority = LocalAuthority.open(Path(question["folder"]), clock, question["names"])
        if question["do"] == "issue":
            return {"made": authority.issue(question["request"], question["identity"], question["serial"])}
        return {"made": authority.made, "known": authority.known()}
    except WishRefused as why:
        return {"refused": str(why)}
    except StoreError as error:
        return {"failed": str(error)}


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
