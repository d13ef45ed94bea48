"""What the inverter shows: the state of the house as SunSpec points (SunSpec counts production positive)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_sim.hub import Message
from firmware_sim.sunspec import (
    COMMON,
    IMMEDIATE,
    INVERTER,
    MPPT_HEAD,
    MPPT_MODULE,
    NAMEPLATE,
    STORAGE,
    Point,
    Value,
)

RATED_W, BATTERY_W, BATTERY_WH = 8_000.0, 5_000.0, 10_000.0
FIRST_STRING = 0.55
"""Share of the panels on the first string."""
STRING_V, BATTERY_V = 480.0, 204.8
STATE_SLEEPING, STATE_MPPT = 2, 4
EMPTY, DISCHARGING, CHARGING, FULL, HOLDING = 2, 3, 4, 5, 6
PV_AND_STORAGE = 82

SCALES: dict[str, int] = {
    "A_SF": -2,
    "V_SF": -1,
    "W_SF": 0,
    "Hz_SF": -2,
    "VA_SF": 0,
    "VAr_SF": 0,
    "PF_SF": -1,
    "WH_SF": 0,
    "DCA_SF": -2,
    "DCV_SF": -1,
    "DCW_SF": 0,
    "DCWH_SF": 0,
    "Tmp_SF": -1,
    "WRtg_SF": 0,
    "VARtg_SF": 0,
    "VArRtg_SF": 0,
    "ARtg_SF": -2,
    "PFRtg_SF": -2,
    "WHRtg_SF": 0,
    "AhrRtg_SF": -1,
    "MaxChaRte_SF": 0,
    "MaxDisChaRte_SF": 0,
    "WMaxLimPct_SF": -2,
    "OutPFSet_SF": -2,
    "VArPct_SF": -2,
    "WChaMax_SF": 0,
    "WChaDisChaGra_SF": 0,
    "VAChaMax_SF": 0,
    "MinRsvPct_SF": -2,
    "ChaState_SF": -2,
    "StorAval_SF": -1,
    "InBatV_SF": -1,
    "InOutWRte_SF": -2,
}


@dataclass(frozen=True)
class Block:
    """A model (or a part of one, `model` 0): its points, values and the length its header states."""

    model: int
    points: tuple[Point, ...]
    values: Mapping[str, Value]
    length: int = 0


def blocks(state: Message) -> list[Block]:
    """The chain of models for a state of the house."""
    modules = _modules(state)
    return [
        _model(1, COMMON, _common()),
        _model(103, INVERTER, _ac(state)),
        _model(120, NAMEPLATE, _nameplate()),
        _model(123, IMMEDIATE, {}),
        Block(160, MPPT_HEAD, {"Evt": 0, "N": len(modules)}, _size(MPPT_HEAD) + len(modules) * _size(MPPT_MODULE)),
        *(Block(0, MPPT_MODULE, values) for values in modules),
        _model(124, STORAGE, _storage(state)),
    ]


def _model(number: int, points: tuple[Point, ...], values: Mapping[str, Value]) -> Block:
    return Block(number, points, values, _size(points))


def _size(points: tuple[Point, ...]) -> int:
    return sum(point.length for point in points)


def _common() -> dict[str, Value]:
    return {"Mn": "Hearth Simulation", "Md": "Hybrid 8.0", "Vr": "1.0", "SN": "HS-2016-0001"}


def _ac(state: Message) -> dict[str, Value]:
    volts = state["voltage_v"]
    produced = [-value for value in state["inverter_w"]]
    amps = [abs(value) / v for value, v in zip(produced, volts, strict=True)]
    dc_w = -state["pv_w"] - state["battery_w"]
    line = [(volts[0] + volts[1]) / 2, (volts[1] + volts[2]) / 2, (volts[2] + volts[0]) / 2]
    values: dict[str, Value] = {"A": sum(amps), "W": sum(produced), "Hz": 50.0, "VA": sum(map(abs, produced)), "VAr": 0}
    values |= dict(zip(("AphA", "AphB", "AphC"), amps, strict=True))
    values |= dict(zip(("PhVphA", "PhVphB", "PhVphC"), volts, strict=True))
    values |= {name: v * 3**0.5 for name, v in zip(("PPVphAB", "PPVphBC", "PPVphCA"), line, strict=True)}
    return values | {
        "PF": 100.0 if sum(produced) >= 0 else -100.0,
        "WH": state["inverter_export_wh"],
        "DCW": dc_w,
        "TmpCab": 28.0 + abs(dc_w) / 500,
        "St": _operating_state(state),
        "Evt1": 0,
        "Evt2": 0,
    }


def _operating_state(state: Message) -> int:
    return STATE_MPPT if abs(state["pv_w"]) > 1 or abs(state["battery_w"]) > 1 else STATE_SLEEPING


def _nameplate() -> dict[str, Value]:
    return {
        "DERTyp": PV_AND_STORAGE,
        "WRtg": RATED_W,
        "VARtg": RATED_W,
        "VArRtgQ1": 0,
        "VArRtgQ4": 0,
        "ARtg": RATED_W / 3 / 230,
        "PFRtgQ1": 1.0,
        "PFRtgQ4": -1.0,
        "WHRtg": BATTERY_WH,
        "AhrRtg": BATTERY_WH / BATTERY_V,
        "MaxChaRte": BATTERY_W,
        "MaxDisChaRte": BATTERY_W,
    }


def _modules(state: Message) -> list[dict[str, Value]]:
    """Two strings, the battery charging, the battery discharging, as a Fronius GEN24 presents them."""
    pv_w, battery_w = -state["pv_w"], state["battery_w"]
    pv_wh = state["pv_energy_wh"]
    first_wh = round(pv_wh * FIRST_STRING)
    rows = (
        ("MPPT 1", pv_w * FIRST_STRING, first_wh, STRING_V),
        ("MPPT 2", pv_w * (1 - FIRST_STRING), round(pv_wh) - first_wh, STRING_V * 0.82),
        ("StCha 3", max(battery_w, 0.0), state["battery_charged_wh"], BATTERY_V),
        ("StDisCha 4", max(-battery_w, 0.0), state["battery_discharged_wh"], BATTERY_V),
    )
    return [_module(number, *row) for number, row in enumerate(rows, 1)]


def _module(number: int, name: str, watts: float, energy_wh: float, volts: float) -> dict[str, Value]:
    return {
        "ID": number,
        "IDStr": name,
        "DCA": watts / volts,
        "DCV": volts,
        "DCW": watts,
        "DCWH": energy_wh,
        "DCSt": STATE_MPPT if watts > 1 else STATE_SLEEPING,
        "DCEvt": 0,
    }


def _storage(state: Message) -> dict[str, Value]:
    soc = state["soc_percent"]
    return {
        "WChaMax": BATTERY_W,
        "WChaGra": 100,
        "WDisChaGra": 100,
        "ChaState": soc,
        "StorAval": soc / 100 * BATTERY_WH / BATTERY_V,
        "InBatV": BATTERY_V,
        "ChaSt": _charge_state(soc, state["battery_w"]),
    }


def _charge_state(soc_percent: float, battery_w: float) -> int:
    if battery_w > 10:
        return CHARGING
    if battery_w < -10:
        return DISCHARGING
    return FULL if soc_percent > 99.5 else EMPTY if soc_percent < 5.5 else HOLDING
