"""What the site file may say about a utility's OpenADR 3.1 server (VTN)."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from adapters.http.manners import is_local


class OpenAdrSettings(BaseModel):
    """One account at one VTN."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["openadr"] = Field(description="The protocol of this connection.")
    url: str = Field(description="Base URL of the VTN, up to but without /programs; https.")
    client_id: str = Field("", description="Client id from the utility; empty: requests go without a token.")
    client_secret: SecretStr = Field(SecretStr(""), description="Client secret from the utility.")
    token_url: str = Field("", description="Token endpoint; empty: the one the VTN names, on its own host only.")
    ven_name: str = Field(min_length=1, max_length=128, description="Name of this home at the VTN.")
    poll_s: float = Field(60.0, ge=0.2, le=3600, description="Seconds between looks for events; 10 or more, please.")
    programs: list[str] = Field([], description="Ids or names of the programs to follow; empty: all.")
    ca_file: str = Field("", description="PEM file of the VTN's own certificate authority; empty: the public ones.")
    verify: bool = Field(True, description="Check the VTN's certificate; false only for a test in the house.")
    local: bool = Field(False, description="The VTN is in this house: plain http to a local address is allowed.")

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        for name, url in (("url", self.url), ("token_url", self.token_url)):
            if url or name == "url":
                _check(name, url, self.local)
        return self

    @property
    def base(self) -> str:
        """The base URL without a slash at its end."""
        return self.url.rstrip("/")


def _check(name: str, url: str, local: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name}: {url!r} is not a web address; write it like https://vtn.example.org/openadr3/3.1.0")
    if parts.scheme == "http" and not (local and is_local(parts.hostname)):
        raise ValueError(f"{name}: plain http would show the secret to others; use https, or 'local: true' at home")
