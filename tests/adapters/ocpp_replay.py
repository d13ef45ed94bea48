"""A recorded file of frames fed into the product's own charge point: the same messages give the same state.

PYTHONPATH=. python -m tests.adapters.ocpp_replay frames.jsonl --version 1.6
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from adapters.ocpp.charge_point import ChargePoint, Peer
from adapters.ocpp.connector import Connector
from adapters.ocpp.frames import Frame, from_lines
from adapters.ocpp.schemas import Schemas
from adapters.ocpp.settings import OcppDeviceSettings
from gateway.model.session import EvSession
from gateway.model.site import ChargerSpec, Device, Role
from gateway.model.snapshot import ChargerStatus
from tests.adapters.ocpp_fakes import FakeFacts, FakeSessions
from tests.fakes import FakeClock


@dataclass(frozen=True)
class Replayed:
    """What the messages left behind."""

    status: ChargerStatus
    sessions: tuple[EvSession, ...]
    violations: dict[str, int]


class NumberedSessions(FakeSessions):
    """Sessions whose numbers begin where those of the record do."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._last = first - 1


class RecordedLine:
    """A line on which a recorded charger speaks at its recorded times, and answers as it answered then."""

    def __init__(self, frames: Sequence[Frame], clock: FakeClock) -> None:
        self._frames = frames
        self._clock = clock
        self._spoken: asyncio.Queue[str] = asyncio.Queue()
        self._answers = _answers(frames)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        for frame in self._frames:
            if frame.direction != "in" or _kind(frame.text) in (3, 4):
                continue
            async for text in self._answering():
                yield text
            await self._wait_until(frame)
            async for text in self._answering():
                yield text
            yield frame.text
        async for text in self._answering():
            yield text

    async def _answering(self) -> AsyncIterator[str]:
        """Answers to our calls, until no more of them come."""
        await self._clock.settle()
        while not self._spoken.empty():
            yield self._spoken.get_nowait()
            await self._clock.settle()

    async def _wait_until(self, frame: Frame) -> None:
        seconds = (frame.time - self._clock.now()).total_seconds()
        if seconds > 0:
            await self._clock.advance(seconds)

    async def send(self, text: str) -> None:
        """Ours goes out: an answer is taken, a call gets the recorded answer to the next call of its name."""
        frame = json.loads(text)
        if frame[0] != 2:
            return
        recorded = self._answers[frame[2]]
        answer = recorded.popleft() if recorded else [4, "", "NotSupported", "not recorded", {}]
        self._spoken.put_nowait(json.dumps([answer[0], frame[1], *answer[2:]]))

    async def close(self, code: int, reason: str) -> None:
        """Nothing hangs on it."""


def _kind(text: str) -> int | None:
    try:
        frame = json.loads(text)
    except ValueError:
        return None
    return frame[0] if isinstance(frame, list) and frame and isinstance(frame[0], int) else None


def _answers(frames: Sequence[Frame]) -> dict[str, deque[list[Any]]]:
    """The charger's answers by the action they answer, in order."""
    asked: dict[str, str] = {}
    found: dict[str, deque[list[Any]]] = defaultdict(deque)
    for frame in frames:
        kind = _kind(frame.text)
        message = json.loads(frame.text) if kind is not None else []
        if frame.direction == "out" and kind == 2:
            asked[str(message[1])] = message[2]
        elif frame.direction == "in" and kind in (3, 4) and str(message[1]) in asked:
            found[asked[str(message[1])]].append(message)
    return found


def _first_transaction(frames: Sequence[Frame]) -> int:
    """The number that was given to the first transaction of the record, so that it is given again."""
    numbers = [
        message[2]["transactionId"]
        for frame in frames
        if frame.direction == "out" and _kind(frame.text) == 3
        if isinstance((message := json.loads(frame.text))[2], dict) and "transactionId" in message[2]
    ]
    return int(numbers[0]) if numbers else 1


async def replay(frames: Sequence[Frame], version: str, spec: ChargerSpec | None = None) -> Replayed:
    """Feed recorded frames into a new charge point with one connector, at their times."""
    clock, sessions = FakeClock(frames[0].time), NumberedSessions(_first_transaction(frames))
    point = ChargePoint("CP1", clock, sessions, FakeFacts(), lambda device, what: None, cache(Schemas))
    device = Device("cp1", "CP1", Role.EV_CHARGER, spec or ChargerSpec())
    connector = point.connector(device, OcppDeviceSettings(charge_point_id="CP1"))
    await point.serve(RecordedLine(frames, clock), version, Peer())
    return replayed(point, connector, sessions)


def replayed(point: ChargePoint, connector: Connector, sessions: FakeSessions) -> Replayed:
    """What a charge point and its store hold."""
    return Replayed(connector.status(), tuple(sessions.rows.values()), dict(point.frames.violations))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--version", default="1.6", choices=("1.6", "2.0.1", "2.1"))
    options = parser.parse_args()
    found = asyncio.run(replay(from_lines(options.file.read_text("utf-8")), options.version))
    for part in (found.status, *found.sessions, found.violations):
        sys.stdout.write(f"{part}\n")


if __name__ == "__main__":
    main()
