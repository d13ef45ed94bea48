"""What the site file may say about MQTT brokers and the devices behind them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


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
    keepalive_s: int = Field(default=30, ge=5, le=3600, description="How often to check that the broker lives, s.")
    topic_prefix: str = Field(default="", description="Put before every device's topic, e.g. home/; empty for none.")


class MqttDeviceSettings(BaseModel):
    """One device behind a broker."""

    model_config = ConfigDict(extra="forbid")

    profile: str = Field(description="Name of a device profile: a file in config/devices/mqtt without .yaml.")
    topic: str = Field(description="The device's own topic, e.g. shellyplus1pm-a8032ab12345 or zigbee2mqtt/boiler.")
    expire_after_s: float = Field(default=60.0, gt=0, le=86400, description="Silence after which it counts as gone, s.")
    release_value: float | None = Field(
        default=None,
        description="Sent when control is handed back (1/0 or degC); left out: the device just keeps going.",
    )
