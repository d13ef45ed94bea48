"""What the site file says about the CSMS and its chargers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class OcppSettings(BaseModel):
    """The local CSMS: one listening port for every charger of the home."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["ocpp"] = Field(description="The protocol of this connection.")
    host: str = Field("0.0.0.0", min_length=1, description="Address to listen on; 0.0.0.0 is every network interface.")
    port: int = Field(8887, ge=0, le=65535, description="TCP port to listen on; 0 lets the system choose one.")
    max_connections: int = Field(
        50, ge=1, le=1000, description="At most so many connections; configured chargers always find a place."
    )
    ping_interval_s: float = Field(
        20, ge=1, le=300, description="Seconds between WebSocket pings; a dead line is noticed within two of them."
    )
    uploads_port: int | None = Field(
        8888, ge=0, le=65535, description="TCP port where chargers upload their logs by HTTP; null takes none."
    )
    reconnects_per_minute: int = Field(
        30, ge=1, le=10_000, description="Connections one charger may open per minute; an address ten times as many."
    )
    path: str = Field(
        "/ocpp", pattern=r"^/[^?#]*$", description="Path before the charge point's identity in the URL it dials."
    )

    @property
    def listening_ports(self) -> tuple[str, ...]:
        """The keys of the ports it listens on."""
        return "port", "uploads_port"


class OcppDeviceSettings(BaseModel):
    """One charger of the CSMS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    charge_point_id: str = Field(
        min_length=1, max_length=48, description="Identity of the charger: the last part of the URL it dials."
    )
    password: SecretStr | None = Field(
        None, description="First password of its Basic authentication; it holds until another one is rotated in."
    )
    security_profile: Literal[0, 1, 2, 3] | None = Field(
        None,
        description="At least: 0 none (home network only), 1 password, 2 TLS and password, 3 TLS and its own "
        "certificate; absent: 1 with a password, else 0.",
    )
    connector: int = Field(
        1,
        ge=1,
        le=16,
        description="Which outlet of the charge point: connector of OCPP 1.6, EVSE of 2.x; devices may share one point.",
    )
    version: Literal["1.6", "2.0.1", "2.1"] | None = Field(
        None, description="Pin the OCPP version for firmware that claims more than it can; absent: what it offers."
    )
    sample_interval_s: int = Field(
        10, ge=1, le=900, description="Seconds between the meter values the charger is asked to send."
    )

    @property
    def needs_password(self) -> bool:
        """Whether it must show a password and none is given here: then one must have been taken over, or nobody gets in."""
        return self.security_profile in (1, 2) and self.password is None

    @property
    def oddities(self) -> tuple[tuple[str, str, str], ...]:
        """What is allowed but hardly meant, as (key, what, remedy)."""
        found = []
        reserved = next((char for char in self.charge_point_id if char in "/?#%"), "")
        if reserved:
            what = f"holds '{reserved}', which few chargers write into a URL as they must (%{ord(reserved):02X})"
            found.append(("charge_point_id", what, "Choose another identity in the charger and here."))
        if ":" in self.charge_point_id and (self.least_profile in (1, 2)):
            what = "holds ':', and the user of a password cannot (RFC 7617), so it will not be let in"
            found.append(("charge_point_id", what, "Choose another identity in the charger and here."))
        if self.security_profile is None and self.password is None:
            what = "is not said, and no password is given: whoever is in the home's network may speak as this charger"
            found.append(
                ("security_profile", what, "Write security_profile: 0 if that is meant, or give it a password.")
            )
        return tuple(found)

    @property
    def least_profile(self) -> int:
        """The security profile (OCPP security whitepaper, section 2) below which the charger is refused."""
        if self.security_profile is not None:
            return self.security_profile
        return 1 if self.password is not None else 0
