"""Hostile frames against the reading path: no exception but the product's own may come out, and no wrong value.

    python benchmarks/hostile.py [--frames 1000000]

The messages of chargers are in hostile_ocpp.py.

The bus, its client library and its breaker run as they are; only the socket is memory and waiting takes no time. Each
question gets one frame that is no right answer to it, now, in parts, or late; then, sometimes, the right one.
What no receiver could notice is left out: another number in the data of a TCP frame (TCP has its own checksum), and
damage to an RTU frame that its 16-bit check cannot tell (more than three bits over more than 16).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from adapters.modbus.bus import Bus
from adapters.modbus.settings import ModbusTcpSettings
from benchmarks import hostile_ocpp
from benchmarks.table import Row
from benchmarks.virtual_loop import VirtualClock, VirtualLoop
from firmware_sim.modbus_frames import Frame, crc16
from gateway.model.errors import DeviceError

TIMEOUT_S = 1.0
UNIT = 3
TELL_EVERY = 10_000
FUNCTIONS = {4: "input", 3: "holding"}


@dataclass(frozen=True)
class Question:
    """What the product asked; `number` makes the registers' values its own."""

    transaction: int | None
    unit: int
    function: int
    address: int
    count: int
    number: int

    def truth(self) -> list[int]:
        return [
            (self.number * 7919 + address * 31 + 7) & 0xFFFF
            for address in range(self.address, self.address + self.count)
        ]

    def answer(self) -> Frame:
        data = struct.pack(f">{self.count}H", *self.truth())
        return Frame(self.unit, bytes((self.function, len(data))) + data, self.transaction)


def parse(data: bytes, rtu: bool, number: int) -> Question:
    if rtu:
        unit, function, address, count = struct.unpack(">BBHH", data[:6])
        return Question(None, unit, function, address, count, number)
    transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", data)
    return Question(transaction, unit, function, address, count, number)


def noise(asked: Question, before: Question, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 2, 3, 5, 8, 9, 12, 40, 260, 600)))


def noise_with_head(asked: Question, before: Question, rng: random.Random) -> bytes:
    """Begins like the answer, goes on as noise."""
    head = asked.answer().packed()[: rng.randint(1, 9)]
    return head + rng.randbytes(rng.randint(0, 40))[: None if asked.transaction is None else 0]


def truncated(asked: Question, before: Question, rng: random.Random) -> bytes:
    packed = asked.answer().packed()
    return packed[: rng.randrange(len(packed))]


def bits_turned(asked: Question, before: Question, rng: random.Random) -> bytes:
    """One to three bits; on TCP in its header, where there is no check on the rest."""
    packed = bytearray(asked.answer().packed())
    places = len(packed) if asked.transaction is None else 9
    for bit in rng.sample(range(8 * places), rng.randint(1, 3)):
        packed[bit // 8] ^= 1 << bit % 8
    return bytes(packed)


def wrong_shape(asked: Question, before: Question, rng: random.Random) -> bytes:
    """Well formed, but another count, function, unit or transaction; the values are another question's."""
    other = Question(asked.transaction, asked.unit, asked.function, asked.address, asked.count, asked.number + 1)
    change: dict[str, int] = {"count": rng.choice([n for n in (1, 2, 3, 4, 17, 20, 52, 124) if n != asked.count])}
    if rng.random() < 0.7:
        change = {"unit": (asked.unit + rng.randint(1, 254)) % 256}
    if rng.random() < 0.5:
        change = {"function": rng.choice([n for n in range(1, 128) if n != asked.function])}
    if asked.transaction is not None and rng.random() < 0.4:
        change = {"transaction": (asked.transaction + rng.randint(1, 0xFFFF)) & 0xFFFF}
    return Question(**{**other.__dict__, **change}).answer().packed()


def lying_length(asked: Question, before: Question, rng: random.Random) -> bytes:
    """The byte count or the length in the header is not that of the data."""
    frame = Question(**{**asked.__dict__, "number": asked.number + 1}).answer()
    pdu = bytearray(frame.pdu)
    if frame.transaction is not None and rng.random() < 0.5:
        return frame.packed(longer=rng.choice((-8, -3, -1, 1, 2, 5, 60000)) % 65000)
    pdu[1] = rng.choice([n for n in range(256) if n != pdu[1]])
    return Frame(frame.unit, bytes(pdu), frame.transaction).packed()


def wrong_protocol(asked: Question, before: Question, rng: random.Random) -> bytes:
    frame = Question(**{**asked.__dict__, "number": asked.number + 1}).answer()
    if frame.transaction is not None:
        return frame.packed(protocol=rng.randint(1, 0xFFFF))
    body = bytes((frame.unit,)) + frame.pdu
    return body + bytes(byte ^ rng.randint(1, 255) for byte in crc16(body))


def answer_of_before(asked: Question, before: Question, rng: random.Random) -> bytes:
    """The answer to another question: on a serial line one of the same shape cannot be told, if it comes at once."""
    if asked.transaction is None and before.count == asked.count and before.function == asked.function:
        return truncated(asked, before, rng)
    return before.answer().packed()


def exception(asked: Question, before: Question, rng: random.Random) -> bytes:
    """Exceptions of every code, some of them too short or too long."""
    pdu = bytes((asked.function | 0x80, rng.randrange(256))) + rng.randbytes(rng.choice((0, 0, 0, 1, 5)))
    return Frame(asked.unit, pdu[: rng.choice((1, 2, 2, 2, 9))], asked.transaction).packed()


def echo(asked: Question, before: Question, rng: random.Random) -> bytes:
    """The question itself comes back, as from a line with a local echo."""
    pdu = struct.pack(">BHH", asked.function, asked.address, asked.count)
    return Frame(asked.unit, pdu, asked.transaction).packed()


HOSTILE: tuple[Callable[[Question, Question, random.Random], bytes], ...] = (
    noise, noise_with_head, truncated, bits_turned, wrong_shape, lying_length, wrong_protocol, answer_of_before,
    exception, echo,
)  # fmt: skip


@dataclass
class Found:
    """What came of it."""

    frames: int = 0
    wrong: list[str] = field(default_factory=list)
    escapes: list[str] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    right: int = 0
    reconnects: int = 0
    untellable: int = 0
    """Left out: the bytes would have completed a truncated TCP frame to the last byte."""
    heard: list[str] = field(default_factory=list)
    """What came over the wire since the last question."""


class Wire(asyncio.Transport):
    """The device's end of a connection in memory."""

    def __init__(self, protocol: asyncio.Protocol, rtu: bool, rng: random.Random, found: Found) -> None:
        super().__init__()
        self._protocol, self._rtu, self._rng, self._found = protocol, rtu, rng, found
        self._open = True
        self.asked: Question | None = None
        self._stream = b""

    def write(self, data: Any) -> None:
        before, self.asked = self.asked, parse(bytes(data), self._rtu, self._found.frames)
        self._found.frames += 1
        self._found.heard.clear()
        self._stream = b""
        rng, loop = self._rng, asyncio.get_running_loop()
        kind = rng.choice(HOSTILE)
        hostile = kind(self.asked, before or self.asked, rng)
        at = rng.random()
        if at < 0.15:  # in two parts
            cut = rng.randrange(len(hostile) + 1)
            loop.call_soon(self._say, hostile[:cut], kind.__name__)
            loop.call_later(rng.uniform(0.01, 0.3), self._say, hostile[cut:], kind.__name__)
        elif at < 0.3:  # after its own time-out: the right answer, too late
            loop.call_later(rng.uniform(1.05, 10.0) * TIMEOUT_S, self._say, self.asked.answer().packed(), "late")
        else:
            loop.call_soon(self._say, hostile, kind.__name__)
        # The second of two fitting answers on a serial line cannot be told from a prompt answer to the next question.
        if rng.random() < 0.3 and not (self._rtu and (kind is exception or 0.15 <= at < 0.3)):
            loop.call_later(rng.uniform(0.05, 0.9) * TIMEOUT_S, self._say, self.asked.answer().packed(), "right")

    def _say(self, data: bytes, kind: str) -> None:
        if not self._open or not data:
            return
        if self._completes_another(data):
            self._found.untellable += 1
            return
        self._stream += data
        self._found.heard.append(f"{kind} {data.hex()}")
        try:
            self._protocol.data_received(data)
        except Exception as error:  # as asyncio does: the connection is lost, and somebody finds it in the log
            self._found.escapes.append(f"{kind} {data.hex()[:60]}: {type(error).__name__} {error}")
            self._open = False
            self._protocol.connection_lost(error)

    def _completes_another(self, data: bytes) -> bool:
        """Whether a truncated TCP frame and these bytes, of another frame, make one whole frame by chance."""
        if self._rtu or not self._stream or self.asked is None:
            return False
        stream, answer = self._stream + data, self.asked.answer().packed()
        return len(stream) == len(answer) and stream[:9] == answer[:9] and stream != answer

    def close(self) -> None:
        if self._open:
            self._open = False
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return not self._open

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def bombard(frames: int, *, rtu: bool, seed: int = 1, tell: Callable[[Found], None] = lambda found: None) -> Found:
    """Send so many hostile frames over one framing and count what comes of it."""
    rng, found = random.Random(seed), Found()
    loop = VirtualLoop(lambda protocol: Wire(protocol, rtu, rng, found))
    loop.set_exception_handler(lambda _, context: found.escapes.append(f"loop: {context.get('message')} {context}"))
    try:
        loop.run_until_complete(_bombard(frames, rtu, rng, found, tell))
    finally:
        loop.close()
    return found


async def _bombard(frames: int, rtu: bool, rng: random.Random, found: Found, tell: Callable[[Found], None]) -> None:
    settings = ModbusTcpSettings(
        kind="modbus_tcp", host="memory", timeout_s=TIMEOUT_S, framing="rtu" if rtu else "tcp"
    )  # fmt: skip
    bus = Bus("line", settings, VirtualClock())
    bus.add_unit(UNIT, main=True)
    line, told = asyncio.create_task(bus.run()), 0
    while found.frames < frames:
        number = found.frames
        address, count, function = rng.randrange(0, 60_000), rng.choice((1, 2, 2, 4, 18, 50, 125)), rng.choice((3, 4))
        try:
            got = await bus.read_block(UNIT, FUNCTIONS[function], address, count, "device")
        except DeviceError as error:
            name = type(error).__name__
            found.errors[name] = found.errors.get(name, 0) + 1
        except Exception as error:
            found.escapes.append(f"read_block: {type(error).__name__} {error}")
        else:
            _judge(found, got, Question(0, UNIT, function, address, count, number))
        if found.frames // TELL_EVERY > told:
            told = found.frames // TELL_EVERY
            tell(found)
        await asyncio.sleep(rng.choice((0.0, 0.0, 0.3, 2.0)))
    found.reconnects = bus.connects - 1
    if line.done():
        found.escapes.append("the bus's own task ended")
    line.cancel()
    await asyncio.gather(line, return_exceptions=True)


def _judge(found: Found, got: list[int], asked: Question) -> None:
    if got == asked.truth():
        found.right += 1
    else:
        found.wrong.append(
            f"question {asked.number}, {asked.count} registers from {asked.address}: got {got[:6]} of {found.heard}"
        )


def measure(frames: int, tell: Callable[[str, Found], None] = lambda framing, found: None) -> dict[str, Found]:
    """Half of the frames over TCP framing, half over RTU framing."""
    return {
        framing: bombard(frames // 2, rtu=framing == "rtu", tell=partial(tell, framing)) for framing in ("tcp", "rtu")
    }


def rows(quick: bool, frames: int = 1_000_000) -> list[Row]:
    """The promises about hostile frames and messages."""
    frames = 6_000 if quick else frames
    begin = time.perf_counter()
    results = measure(frames, _progress)
    spent = time.perf_counter() - begin
    escapes, wrong, right = (
        sum(n) for n in zip(*((len(f.escapes), len(f.wrong), f.right) for f in results.values()), strict=True)
    )
    untellable = sum(f.untellable for f in results.values())
    words = f"escapes {escapes}, wrong values {wrong}; {right} right answers among them taken"
    how = f"{frames} frames of {len(HOSTILE)} kinds, TCP and RTU framing, in {spent:.0f} s; {untellable} left out that no receiver can tell"
    modbus = Row("hostile Modbus frames", "escapes 0, wrong values 0", words, how)
    return [modbus, *hostile_ocpp.rows(quick, frames)]


def _progress(framing: str, found: Found) -> None:
    print(f"{framing}: {found.frames} frames, {len(found.escapes)} escapes, {len(found.wrong)} wrong", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    options = parser.parse_args()
    for row in rows(False, options.frames):
        print(row.line())


if __name__ == "__main__":
    main()
