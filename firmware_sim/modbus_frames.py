"""Modbus frames as a server sends them: MBAP on TCP, address and check on a serial line."""

from __future__ import annotations

import struct
from dataclasses import dataclass


def crc16(data: bytes) -> bytes:
    """The RTU check, low byte first (Serial Line V1.02, appendix B)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


@dataclass(frozen=True)
class Frame:
    """One message: `pdu` is function and data; `transaction` is None on a serial line."""

    unit: int
    pdu: bytes
    transaction: int | None = None

    def packed(self, *, protocol: int = 0, longer: int = 0) -> bytes:
        """The bytes on the wire; `protocol` and `longer` (bytes the MBAP header promises too much) are for liars."""
        body = bytes((self.unit,)) + self.pdu
        if self.transaction is None:
            return body + crc16(body)
        return struct.pack(">HHH", self.transaction & 0xFFFF, protocol, len(body) + longer) + body


@dataclass(frozen=True)
class Piece:
    """Bytes sent at once, `after_s` seconds of the world after the piece before."""

    data: bytes
    after_s: float = 0.0
