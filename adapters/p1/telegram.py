"""P1 telegrams (DSMR 4, ESMR 5, Belgian e-MUCS): bytes to numbers. Pure, no socket, no clock.

/ISK5\\2M550E-1012          who the meter is
                            (an empty line)
1-0:1.7.0(00.368*kW)        one object a line: OBIS code, value, unit
!8CFC                       CRC16 of everything from / to ! inclusive
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from gateway.model.quantity import Quantity

MAX_TELEGRAM = 16 * 1024
"""Bytes; the longest honest one (a full text message, ten power failures, four gas meters) has about 4 kB."""
START = re.compile(rb"/[A-Za-z]{3}[0-9]")
"""IEC 62056-21: three letters of the maker and the digit of the speed."""
END = re.compile(rb"!([0-9A-Fa-f]*)\r?\n")
OBJECT = re.compile(r"(\d+-\d+:\d+\.\d+\.\d+)\((?:[^()]*)\)(?:\([^()]*\))*")
VALUE = re.compile(r"\((\d+(?:\.\d+)?)\*(\w+)\)$")
UNITS = {"kWh": 1000, "Wh": 1, "kW": 1000, "W": 1, "V": 1, "A": 1}
SEASONS = {"S": timezone(timedelta(hours=2)), "W": timezone(timedelta(hours=1))}
"""The letter after a time: summer or winter time of the Netherlands, Belgium and Luxembourg."""
TIME, TARIFF, BELGIAN_VERSION = "0-0:1.0.0", "0-0:96.14.0", "0-0:96.1.4"
PHASES = (
    (Quantity.POWER_L1, "21", "22", Quantity.VOLTAGE_L1, "32", Quantity.CURRENT_L1, "31"),
    (Quantity.POWER_L2, "41", "42", Quantity.VOLTAGE_L2, "52", Quantity.CURRENT_L2, "51"),
    (Quantity.POWER_L3, "61", "62", Quantity.VOLTAGE_L3, "72", Quantity.CURRENT_L3, "71"),
)
"""Per phase the C fields of the OBIS codes: power taken, power given, voltage, current."""


class BadTelegram(ValueError):
    """A telegram that must not be believed; the message says why, `fault` says it of all such telegrams."""

    def __init__(self, message: str, fault: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Telegram:
    """One telegram whose checksum is right; `objects` holds numbers in W, Wh, V and A by OBIS code."""

    meter: str
    time: datetime | None
    """When the meter sent it, UTC; None when it does not say, or not with its season."""
    objects: Mapping[str, float]
    tariff: int | None = None
    belgian: bool = False

    @property
    def low_tariff(self) -> bool | None:
        """Whether the low tariff is in force; None when the meter does not say.

        Tariff 1 is the low one in the Netherlands, the normal one in Belgium.
        """
        if self.tariff not in (1, 2):
            return None
        return self.tariff == (2 if self.belgian else 1)

    def values(self) -> dict[Quantity, float | str]:
        """What it says in our quantities and sign (import positive); text is the reason of a missing value.

        Phases the meter does not have (single-phase variants) are not in it.
        """
        found: dict[Quantity, float | str] = {
            Quantity.POWER: self._difference("1-0:1.7.0", "1-0:2.7.0"),
            Quantity.ENERGY_IMPORT: self._counter("1-0:1.8"),
            Quantity.ENERGY_EXPORT: self._counter("1-0:2.8"),
        }
        for power, taken, given, voltage, volts, current, amperes in PHASES:
            if self._has(taken) or self._has(given):
                found[power] = self._difference(f"1-0:{taken}.7.0", f"1-0:{given}.7.0")
            if self._has(volts):
                found[voltage] = self.objects[f"1-0:{volts}.7.0"]
            if self._has(amperes):
                found[current] = self.objects[f"1-0:{amperes}.7.0"]
        return found

    def _has(self, field: str) -> bool:
        return f"1-0:{field}.7.0" in self.objects

    def _difference(self, taken: str, given: str) -> float | str:
        lacking = [code for code in (taken, given) if code not in self.objects]
        if lacking:
            return (
                f"the telegram has neither {taken} nor {given}"
                if len(lacking) == 2
                else f"the telegram has no {lacking[0]}"
            )
        return self.objects[taken] - self.objects[given]

    def _counter(self, base: str) -> float | str:
        """The meter's own total, or the sum of its tariffs; without one of them the sum would fall and lie."""
        if f"{base}.0" in self.objects:
            return self.objects[f"{base}.0"]
        lacking = [code for code in (f"{base}.1", f"{base}.2") if code not in self.objects]
        if lacking:
            return f"the telegram has no {lacking[0]}"
        return sum(value for code, value in self.objects.items() if code.startswith(f"{base}."))


class Assembler:
    """Cuts telegrams out of a stream that may start, stop and stutter anywhere."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The telegrams that `data` completes, from / to the end of the line with !; noise before them is dropped."""
        self._buffer += data
        found = []
        while end := END.search(self._buffer):
            telegram, self._buffer = self._buffer[: end.end()], self._buffer[end.end() :]
            if starts := list(START.finditer(telegram)):
                found.append(telegram[starts[-1].start() :])
        self._buffer = self._buffer[-MAX_TELEGRAM:]
        return found


def crc16(data: bytes) -> int:
    """CRC-16/ARC, as DSMR demands: polynomial x16+x15+x2+1, least significant bit first, starting from 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def parse(raw: bytes) -> Telegram:
    """One telegram; raises BadTelegram when its checksum is absent or wrong, or it is not one."""
    _check(raw)
    lines = raw.decode("ascii", "replace").splitlines()
    texts = {found[1]: line[len(found[1]) :] for line in lines if (found := OBJECT.fullmatch(line))}
    numbers = {code: value for code, text in texts.items() if (value := _number(text)) is not None}
    tariff = texts.get(TARIFF, "").strip("()")
    return Telegram(
        meter=lines[0].removeprefix("/").strip(),
        time=_time(texts.get(TIME, "").strip("()")),
        objects=numbers,
        tariff=int(tariff) if tariff.isdecimal() else None,
        belgian=BELGIAN_VERSION in texts,
    )


def _check(raw: bytes) -> None:
    end = END.search(raw)
    if not raw.startswith(b"/") or end is None or end.end() != len(raw):
        raise BadTelegram("it does not run from / to !", "they are cut")
    if not end[1]:
        raise BadTelegram("it has no checksum: DSMR 4 or later is needed", "they have no checksum")
    wanted, got = int(end[1], 16), crc16(raw[: end.start() + 1])
    if len(end[1]) != 4 or wanted != got:
        words = f"its checksum is {end[1].decode()}, its content says {got:04X}"
        raise BadTelegram(words, "their checksum is wrong")


def _number(text: str) -> float | None:
    found = VALUE.search(text)
    if found is None or found[2] not in UNITS:
        return None
    return float(Decimal(found[1]) * UNITS[found[2]])


def _time(text: str) -> datetime | None:
    season = SEASONS.get(text[-1:])
    try:
        return datetime.strptime(text[:-1], "%y%m%d%H%M%S").replace(tzinfo=season).astimezone(UTC) if season else None
    except ValueError:
        return None
