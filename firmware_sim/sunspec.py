"""SunSpec models as tables typed from "SunSpec Information Model Specification" and the model documents; no values."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

Value = float | str | None

UNIMPLEMENTED = {
    "uint16": b"\xff\xff",
    "int16": b"\x80\x00",
    "enum16": b"\xff\xff",
    "bitfield16": b"\xff\xff",
    "bitfield32": b"\xff\xff\xff\xff",
    "uint32": b"\xff\xff\xff\xff",
    "acc32": b"\x00\x00\x00\x00",
    "sunssf": b"\x80\x00",
    "count": b"\x00\x00",
    "pad": b"\x80\x00",
}


@dataclass(frozen=True)
class Point:
    """One point: its type, its place of scale and its length in registers."""

    name: str
    kind: str
    scale: str = ""
    writable: bool = False
    text: int = 0

    @property
    def length(self) -> int:
        return self.text or len(UNIMPLEMENTED[self.kind]) // 2


def table(text: str) -> tuple[Point, ...]:
    """Points from lines `name kind [scale] [rw]`; `string8` is a string of 8 registers."""
    points = []
    for line in filter(None, (row.strip() for row in text.splitlines())):
        name, kind, *rest = line.split()
        size = int(kind[6:]) if kind.startswith("string") else 0
        scale = next((word for word in rest if word != "rw"), "")
        points.append(Point(name, "string" if size else kind, scale, "rw" in rest, size))
    return tuple(points)


COMMON = table(
    """
    Mn string16
    Md string16
    Opt string8
    Vr string8
    SN string16
    DA uint16 rw
    Pad pad
    """
)
INVERTER = table(
    """
    A uint16 A_SF
    AphA uint16 A_SF
    AphB uint16 A_SF
    AphC uint16 A_SF
    A_SF sunssf
    PPVphAB uint16 V_SF
    PPVphBC uint16 V_SF
    PPVphCA uint16 V_SF
    PhVphA uint16 V_SF
    PhVphB uint16 V_SF
    PhVphC uint16 V_SF
    V_SF sunssf
    W int16 W_SF
    W_SF sunssf
    Hz uint16 Hz_SF
    Hz_SF sunssf
    VA int16 VA_SF
    VA_SF sunssf
    VAr int16 VAr_SF
    VAr_SF sunssf
    PF int16 PF_SF
    PF_SF sunssf
    WH acc32 WH_SF
    WH_SF sunssf
    DCA uint16 DCA_SF
    DCA_SF sunssf
    DCV uint16 DCV_SF
    DCV_SF sunssf
    DCW int16 DCW_SF
    DCW_SF sunssf
    TmpCab int16 Tmp_SF
    TmpSnk int16 Tmp_SF
    TmpTrns int16 Tmp_SF
    TmpOt int16 Tmp_SF
    Tmp_SF sunssf
    St enum16
    StVnd enum16
    Evt1 bitfield32
    Evt2 bitfield32
    EvtVnd1 bitfield32
    EvtVnd2 bitfield32
    EvtVnd3 bitfield32
    EvtVnd4 bitfield32
    """
)
NAMEPLATE = table(
    """
    DERTyp enum16
    WRtg uint16 WRtg_SF
    WRtg_SF sunssf
    VARtg uint16 VARtg_SF
    VARtg_SF sunssf
    VArRtgQ1 int16 VArRtg_SF
    VArRtgQ2 int16 VArRtg_SF
    VArRtgQ3 int16 VArRtg_SF
    VArRtgQ4 int16 VArRtg_SF
    VArRtg_SF sunssf
    ARtg uint16 ARtg_SF
    ARtg_SF sunssf
    PFRtgQ1 int16 PFRtg_SF
    PFRtgQ2 int16 PFRtg_SF
    PFRtgQ3 int16 PFRtg_SF
    PFRtgQ4 int16 PFRtg_SF
    PFRtg_SF sunssf
    WHRtg uint16 WHRtg_SF
    WHRtg_SF sunssf
    AhrRtg uint16 AhrRtg_SF
    AhrRtg_SF sunssf
    MaxChaRte uint16 MaxChaRte_SF
    MaxChaRte_SF sunssf
    MaxDisChaRte uint16 MaxDisChaRte_SF
    MaxDisChaRte_SF sunssf
    Pad pad
    """
)
IMMEDIATE = table(
    """
    Conn_WinTms uint16 rw
    Conn_RvrtTms uint16 rw
    Conn enum16 rw
    WMaxLimPct uint16 WMaxLimPct_SF rw
    WMaxLimPct_WinTms uint16 rw
    WMaxLimPct_RvrtTms uint16 rw
    WMaxLimPct_RmpTms uint16 rw
    WMaxLim_Ena enum16 rw
    OutPFSet int16 OutPFSet_SF rw
    OutPFSet_WinTms uint16 rw
    OutPFSet_RvrtTms uint16 rw
    OutPFSet_RmpTms uint16 rw
    OutPFSet_Ena enum16 rw
    VArWMaxPct int16 VArPct_SF rw
    VArMaxPct int16 VArPct_SF rw
    VArAvalPct int16 VArPct_SF rw
    VArPct_WinTms uint16 rw
    VArPct_RvrtTms uint16 rw
    VArPct_RmpTms uint16 rw
    VArPct_Mod enum16 rw
    VArPct_Ena enum16 rw
    WMaxLimPct_SF sunssf
    OutPFSet_SF sunssf
    VArPct_SF sunssf
    """
)
STORAGE = table(
    """
    WChaMax uint16 WChaMax_SF
    WChaGra uint16 WChaDisChaGra_SF
    WDisChaGra uint16 WChaDisChaGra_SF
    StorCtl_Mod bitfield16 rw
    VAChaMax uint16 VAChaMax_SF
    MinRsvPct uint16 MinRsvPct_SF rw
    ChaState uint16 ChaState_SF
    StorAval uint16 StorAval_SF
    InBatV uint16 InBatV_SF
    ChaSt enum16
    OutWRte int16 InOutWRte_SF rw
    InWRte int16 InOutWRte_SF rw
    InOutWRte_WinTms uint16 rw
    InOutWRte_RvrtTms uint16 rw
    InOutWRte_RmpTms uint16 rw
    ChaGriSet enum16 rw
    WChaMax_SF sunssf
    WChaDisChaGra_SF sunssf
    VAChaMax_SF sunssf
    MinRsvPct_SF sunssf
    ChaState_SF sunssf
    StorAval_SF sunssf
    InBatV_SF sunssf
    InOutWRte_SF sunssf
    """
)
MPPT_HEAD = table(
    """
    DCA_SF sunssf
    DCV_SF sunssf
    DCW_SF sunssf
    DCWH_SF sunssf
    Evt bitfield32
    N count
    TmsPer uint16
    """
)
MPPT_MODULE = table(
    """
    ID uint16
    IDStr string8
    DCA uint16 DCA_SF
    DCV uint16 DCV_SF
    DCW uint16 DCW_SF
    DCWH acc32 DCWH_SF
    Tms uint32
    Tmp int16
    DCSt enum16
    DCEvt bitfield32
    """
)


def encode(
    points: tuple[Point, ...],
    values: Mapping[str, Value],
    scales: Mapping[str, int],
    shown: Mapping[str, int] | None = None,
) -> list[int]:
    """Registers of a block: values in plain units, divided by 10^scale; what has no value is unimplemented.

    A liar shows other scale factors than it applies: `shown`.
    """
    packed = b"".join(
        _encode_point(point, values, (shown or scales) if point.kind == "sunssf" else scales) for point in points
    )
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


def _encode_point(point: Point, values: Mapping[str, Value], scales: Mapping[str, int]) -> bytes:
    if point.kind == "sunssf" and point.name in scales:
        return struct.pack(">h", scales[point.name])
    value = values.get(point.name)
    if point.kind == "string":
        return str(value or "").encode().ljust(2 * point.text, b"\0")[: 2 * point.text]
    if value is None:
        return UNIMPLEMENTED[point.kind]
    number = round(float(value) / 10.0 ** scales.get(point.scale, 0))
    return _pack(point.kind, number)


def _pack(kind: str, number: int) -> bytes:
    """Clipped into the type's range, its unimplemented marker left out; accumulators roll over."""
    if kind == "int16":
        return struct.pack(">h", min(max(number, -32767), 32767))
    if kind == "acc32":
        return struct.pack(">I", number % 2**32)
    if kind in ("bitfield32", "uint32"):
        return struct.pack(">I", min(max(number, 0), 2**32 - 2))
    return struct.pack(">H", min(max(number, 0), 0xFFFE))
