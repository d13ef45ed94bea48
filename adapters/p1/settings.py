"""What the site file may say about a smart meter's P1 port."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class P1TcpSettings(BaseModel):
    """A reader on the network that passes the P1 port's bytes on (ser2net, SlimmeLezer and the like)."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["p1_tcp"] = Field(description="Must be p1_tcp.")
    host: str = Field(description="Host name or IP address of the reader.")
    port: int = Field(
        ge=1, le=65535, description="TCP port on which the reader sends telegrams, often 23, 2001 or 8088."
    )
    silence_s: float = Field(default=30.0, ge=1, le=600, description="Silence after which it is dialled again, s.")


class P1SerialSettings(BaseModel):
    """A P1 cable on this computer: DSMR 4 and later, 8N1."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["p1_serial"] = Field(description="Must be p1_serial.")
    path: str = Field(description="Serial device, best by its stable name, e.g. /dev/serial/by-id/usb-...")
    baudrate: Literal[9600, 19200, 38400, 57600, 115200] = Field(
        default=115200, description="DSMR 4 and later: 115200."
    )
    silence_s: float = Field(default=30.0, ge=1, le=600, description="Silence after which it is opened again, s.")


class P1DeviceSettings(BaseModel):
    """The smart meter at the port."""

    model_config = ConfigDict(extra="forbid")

    expire_after_s: float = Field(
        default=25.0,
        gt=0,
        le=600,
        description="Silence after which it counts as gone, s; telegrams come every 1 or 10 s.",
    )


P1Settings = P1TcpSettings | P1SerialSettings
