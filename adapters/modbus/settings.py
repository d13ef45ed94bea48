"""What the site file may say about Modbus buses and the devices on them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ModbusTcpSettings(BaseModel):
    """A Modbus TCP server, or a TCP gateway in front of an RTU line."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["modbus_tcp"] = Field(description="Must be modbus_tcp.")
    host: str = Field(description="Host name or IP address of the device or gateway.")
    port: int = Field(default=502, ge=1, le=65535, description="TCP port; Modbus TCP is 502.")
    timeout_s: float = Field(default=1.0, ge=0.05, le=30, description="How long to wait for an answer, s.")
    gap_ms: int = Field(default=0, ge=0, le=5000, description="Silence between requests, ms; some gateways need 20.")
    connect_delay_ms: int = Field(
        default=0, ge=0, le=10000, description="Wait after connecting before the first request, ms; Huawei needs 1000."
    )
    framing: Literal["tcp", "rtu"] = Field(
        default="tcp", description="tcp for Modbus TCP; rtu for a converter that passes RTU frames through unchanged."
    )


class ModbusRtuSettings(BaseModel):
    """A serial RS-485 line."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["modbus_rtu"] = Field(description="Must be modbus_rtu.")
    path: str = Field(description="Serial device, best by its stable name, e.g. /dev/serial/by-id/usb-...")
    baudrate: int = Field(default=9600, ge=300, le=921600, description="Bits per second; SDM120/230 leave at 2400.")
    parity: Literal["N", "E", "O"] = Field(default="N", description="Parity: N none, E even, O odd.")
    stopbits: Literal[1, 2] = Field(default=1, description="Stop bits, 1 or 2.")
    timeout_s: float = Field(default=1.0, ge=0.05, le=30, description="How long to wait for an answer, s.")
    gap_ms: int = Field(default=0, ge=0, le=5000, description="Extra silence between two requests, ms.")


class ModbusDeviceSettings(BaseModel):
    """One device on a bus."""

    model_config = ConfigDict(extra="forbid")

    profile: str = Field(description="Name of a device profile: a file in config/devices/modbus without .yaml.")
    unit: int = Field(default=1, ge=0, le=255, description="Unit id (slave address) on the bus.")
    period_s: float = Field(default=1.0, gt=0, le=3600, description="How often to read it, s.")
    invert: bool = Field(default=False, description="Turn the sign: for a meter wired the wrong way round.")
    phases: tuple[int, int, int] = Field(
        default=(1, 2, 3), description="Which grid phase each of the meter's inputs 1, 2, 3 measures."
    )
    invert_phases: tuple[int, ...] = Field(
        default=(), description="Grid phases whose current transformer is turned round; its counters are then ignored."
    )

    @field_validator("phases")
    @classmethod
    def _each_phase_once(cls, phases: tuple[int, int, int]) -> tuple[int, int, int]:
        if sorted(phases) != [1, 2, 3]:
            raise ValueError("phases must name 1, 2 and 3, each once, e.g. [2, 1, 3]")
        return phases

    @field_validator("invert_phases")
    @classmethod
    def _known_phases(cls, phases: tuple[int, ...]) -> tuple[int, ...]:
        if not set(phases) <= {1, 2, 3} or len(set(phases)) != len(phases):
            raise ValueError("invert_phases may name 1, 2 and 3, each once, e.g. [2]")
        return phases


BusSettings = ModbusTcpSettings | ModbusRtuSettings
