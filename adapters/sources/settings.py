"""What the site file may say about a source of prices, carbon intensity or weather."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from adapters.http.manners import is_local
from gateway.model.series import SeriesKind

OptionText = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.@:/+\-]+$")]
"""What may stand in an address or a header without meaning anything there.

The length stands outside the pattern: every letter of Unicode a hundred times over is an automaton of 9 MB."""
_TOKEN = re.compile(r"[\x21-\x7e]{0,4096}")


class SourceSettings(BaseModel):
    """One service or one file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    kinds: ClassVar[tuple[SeriesKind, ...]] = ()

    profile: str = Field("", description="A file of config/sources, without .yaml: which service to ask.")
    file: str = Field("", description="A CSV or JSON file instead of a service; relative to the site file.")
    area: OptionText | Literal[""] = Field("", description="Price area, region or zone, as the service calls it.")
    options: dict[str, OptionText] = Field({}, description="What else the service's profile asks for, by name.")
    token: SecretStr = Field(SecretStr(""), description="Key of your account at the service; better: !secret NAME.")
    url: str = Field("", description="Another server that speaks as the service does, e.g. one of your own.")
    ca_file: str = Field("", description="PEM file of the server's own certificate authority; empty: the public ones.")
    allow_http: bool = Field(
        False, description="Plain http to a server outside the house; others may read and forge it."
    )
    every_s: float | None = Field(
        None, ge=30, le=86400, description="Seconds between questions; default: the profile's."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.profile) == bool(self.file):
            raise ValueError("name either a profile of config/sources or a file")
        if self.url:
            check_address(self.url, self.allow_http)
        if not _TOKEN.fullmatch(self.token.get_secret_value()):
            raise ValueError("token: holds a blank or a character that no key has")
        return self


class PricesSettings(SourceSettings):
    """Day-ahead or real-time prices of energy."""

    kinds: ClassVar[tuple[SeriesKind, ...]] = (SeriesKind.SPOT,)

    kind: Literal["prices"] = Field(description="What this connection brings.")
    unit: str = Field("", pattern=r"^([A-Z]{3}/(kWh|MWh))?$", description="Of a file: EUR/kWh or EUR/MWh.")


class CarbonSettings(SourceSettings):
    """Carbon intensity of grid energy, g CO2 per kWh."""

    kinds: ClassVar[tuple[SeriesKind, ...]] = (SeriesKind.CARBON,)

    kind: Literal["carbon"] = Field(description="What this connection brings.")


class WeatherSettings(SourceSettings):
    """Outdoor temperature, irradiance and clouds at the home."""

    kinds: ClassVar[tuple[SeriesKind, ...]] = (SeriesKind.TEMPERATURE, SeriesKind.IRRADIANCE, SeriesKind.CLOUD)

    kind: Literal["weather"] = Field(description="What this connection brings.")


def check_address(url: str, allow_http: bool) -> None:
    """Raise ValueError for what is no web address, or plain http to somewhere outside the house."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("url: is not a web address; write it like https://api.example.org")
    if parts.username or parts.password:
        raise ValueError("url: a password in an address is seen by others; use token")
    if parts.scheme == "http" and not (allow_http or is_local(host)):
        raise ValueError("url: plain http is allowed to this house only; use https, or 'allow_http: true'")
