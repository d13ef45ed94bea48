"""What the site file may say about MQTT brokers and the devices behind them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from gateway.model.quantity import Quantity

HOME_ASSISTANT, P1_TELEGRAM = "home_assistant_discovery", "p1_telegram"
OTHER_PROFILES = (HOME_ASSISTANT, P1_TELEGRAM)
"""Profiles that are no files: the device describes itself, or sends what its meter says as it is."""
PREFIX = r"^[^#+\s/]+(/[^#+\s/]+)*$"
"""A topic or its beginning, without wildcards."""


class MqttSettings(BaseModel):
    """A broker on the home's network; Hearth never subscribes to everything on it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["mqtt"] = Field(description="Must be mqtt.")
    host: str = Field(description="Host name or IP address of the broker.")
    port: int = Field(default=1883, ge=1, le=65535, description="TCP port; 1883 plain, 8883 TLS.")
    username: str | None = Field(default=None, description="User name at the broker; left out means anonymous.")
    password: SecretStr | None = Field(
        default=None, description="Password at the broker; best kept in the secrets file."
    )
    tls: bool = Field(default=False, description="Encrypt the connection and check the broker's certificate.")
    ca_file: str | None = Field(default=None, description="CA certificate that signed the broker's; system CAs else.")
    cert_file: str | None = Field(default=None, description="Client certificate (PEM) to log in with; needs tls.")
    key_file: str | None = Field(default=None, description="Private key of the client certificate (PEM).")
    keepalive_s: int = Field(default=30, ge=5, le=3600, description="How often to check that the broker lives, s.")
    topic_prefix: str = Field(default="", description="Put before every device's topic, e.g. home/; empty for none.")
    publish: bool = Field(default=False, description="Show the home outwards: plain topics, Home Assistant discovery.")
    discovery_prefix: str = Field(
        default="homeassistant", pattern=PREFIX, description="Home Assistant's discovery prefix."
    )
    state_prefix: str = Field(
        default="hearth", pattern=PREFIX, description="Home's topics: PREFIX/SITE/state/... and PREFIX/SITE/set/..."
    )
    publish_every_s: float = Field(default=5.0, ge=1, le=300, description="How often changes are shown outwards, s.")


class MqttDeviceSettings(BaseModel):
    """One device behind a broker."""

    model_config = ConfigDict(extra="forbid")

    profile: str = Field(
        description="Name of a device profile: a file in config/devices/mqtt without .yaml, home_assistant_discovery, "
        "or p1_telegram."
    )
    topic: str = Field(
        description="The device's own topic, e.g. shellyplus1pm-a8032ab12345 or zigbee2mqtt/boiler; with "
        "home_assistant_discovery its id there, or the whole config topic."
    )
    channel: int = Field(default=0, ge=0, le=31, description="Channel of a device with several, counted from 0.")
    expire_after_s: float = Field(default=60.0, gt=0, le=86400, description="Silence after which it counts as gone, s.")
    release_value: float | None = Field(
        default=None,
        description="Sent when control is handed back (1/0 or degC); left out: the device just keeps going.",
    )
    entities: dict[Quantity, str] = Field(
        default={},
        description="Only with home_assistant_discovery: quantity -> object or unique id, with - before it to turn the "
        "sign; left out: by class and unit, where that is plain.",
    )

    @model_validator(mode="after")
    def _entities_need_discovery(self) -> Self:
        if self.entities and self.profile != HOME_ASSISTANT:
            raise ValueError(f"entities go with the profile {HOME_ASSISTANT} only")
        return self
