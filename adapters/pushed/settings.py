"""What the site file may say about devices that are told of over the gateway's own HTTP API."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class PushedSettings(BaseModel):
    """Nobody is dialled: a bridge on the network posts to the API."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["pushed"] = Field(description="Must be pushed.")


class PushedDeviceSettings(BaseModel):
    """A device that a bridge tells of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr = Field(
        min_length=16, description="Shared secret of the bridge, at least 16 characters; write it as !secret NAME."
    )
    expire_after_s: float = Field(
        default=120.0, gt=0, le=86_400, description="Silence after which it counts as gone, s."
    )
