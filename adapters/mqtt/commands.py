"""Wishes from outside: a topic's key and a payload become a typed value, or are refused in words. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import time

from adapters.mqtt.decode import decimal
from adapters.mqtt.discovery import OPT_OUT, RESERVE
from gateway.model.errors import WishRefused
from gateway.model.preferences import ChargeMode

Value = ChargeMode | time | float | bool | str
OnCommand = Callable[[str, str, Value], Awaitable[None]]
"""on_command(device, name, value); device is empty for the whole home. May raise WishRefused.

charge_mode ChargeMode, ready_by local wall time, override "run", "pause" or "auto", battery_reserve_percent 0-100,
dr_opt_out bool.
"""
MAX_COMMAND = 64
"""Bytes; nothing a person sets is longer."""


def value_of(name: str, payload: bytes) -> Value:
    """The wish's value; raises WishRefused with the words it takes."""
    text = payload.decode("utf-8", "replace").strip() if len(payload) <= MAX_COMMAND else ""
    found = _READERS[name](text)
    if found is None:
        raise WishRefused(f"'{text}' does not do for {name}; it takes {_TAKES[name]}.")
    return found


def _mode(text: str) -> Value | None:
    return next((mode for mode in ChargeMode if mode.value == text), None)


def _wall_time(text: str) -> Value | None:
    hours, colon, minutes = text.partition(":")
    if not (
        colon and len(minutes) == 2 and hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()
    ):
        return None
    return time(int(hours), int(minutes)) if int(hours) < 24 and int(minutes) < 60 else None


def _percent(text: str) -> Value | None:
    value = decimal(text)
    return value if value is not None and 0 <= value <= 100 else None


def _switch(text: str) -> Value | None:
    return {"ON": True, "OFF": False}.get(text)


def _action(text: str) -> Value | None:
    return text if text in ("run", "pause", "auto") else None


_READERS: dict[str, Callable[[str], Value | None]] = {
    "charge_mode": _mode, "ready_by": _wall_time, "override": _action, RESERVE: _percent, OPT_OUT: _switch,
}  # fmt: skip
_TAKES = {
    "charge_mode": ", ".join(mode.value for mode in ChargeMode), "ready_by": "a time like 07:30",
    "override": "run, pause or auto", RESERVE: "a number from 0 to 100", OPT_OUT: "ON or OFF",
}  # fmt: skip
