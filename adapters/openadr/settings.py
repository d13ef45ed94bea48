"""What the site file may say about a utility's OpenADR 3 server (VTN): 3.1.0 or 3.0.1."""

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
    version: Literal["auto", "3.1.0", "3.0.1"] = Field("auto", description="Version of OpenADR; auto: found out.")
    client_id: str = Field("", description="Client id from the utility; empty: requests go without a token.")
    client_secret: SecretStr = Field(SecretStr(""), description="Client secret from the utility.")
    token_url: str = Field("", description="Token endpoint; empty: the one the VTN names, on its own host only.")
    ven_name: str = Field(min_length=1, max_length=128, description="Name of this home at the VTN.")
    poll_s: float = Field(60.0, ge=0.2, le=3600, description="Seconds between looks for events; 10 or more, please.")
    programs: list[str] = Field([], description="Ids or names of the programs to follow; empty: all.")
    targets: list[str] = Field([], description="Groups the utility put this home in, besides those it tells itself.")
    ca_file: str = Field("", description="PEM file of the VTN's own certificate authority; empty: the public ones.")
    cert_file: str = Field("", description="Our client certificate (PEM), where the VTN asks for one.")
    key_file: str = Field("", description="Private key of the client certificate (PEM, without a password).")
    verify: bool = Field(True, description="Check the VTN's certificate; false only for a test in the house.")
    local: bool = Field(False, description="The VTN is in this house: plain http to a local address is allowed.")
    push: bool = Field(True, description="Listen on the VTN's MQTT broker, where it offers one, to look at once.")
    broker: str = Field("", description="Host of that broker, if it may see our token but is not the VTN's own host.")
    callback_url: str = Field("", description="Address (https) under which the VTN reaches us; empty: no webhook.")
    callback_port: int = Field(0, ge=0, le=65535, description="TCP port we listen on for it; needed with callback_url.")
    callback_bind: str = Field("127.0.0.1", description="Address we listen on; 127.0.0.1: a proxy of this machine.")
    callback_cert_file: str = Field("", description="Certificate (PEM) we show there; empty: the proxy shows its own.")
    callback_key_file: str = Field("", description="Its private key (PEM).")

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        for name in ("url", "token_url", "callback_url"):
            url = getattr(self, name)
            if url or name == "url":
                _check(name, url, self.local)
        return self

    @model_validator(mode="after")
    def _together(self) -> Self:
        pairs = (("cert_file", "key_file"), ("callback_cert_file", "callback_key_file"))
        for pair in (*pairs, ("callback_url", "callback_port")):
            if bool(getattr(self, pair[0])) != bool(getattr(self, pair[1])):
                raise ValueError(f"{pair[0]} and {pair[1]} go together: set both or none")
        if self.callback_url and self.callback_bind != "127.0.0.1" and not self.callback_cert_file and not self.local:
            raise ValueError("callback_bind: without callback_cert_file only a proxy on 127.0.0.1 may reach us")
        return self

    @property
    def base(self) -> str:
        """The base URL without a slash at its end."""
        return self.url.rstrip("/")


def _check(name: str, url: str, local: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name}: {url!r} is not a web address; write it like https://vtn.example.org/openadr3/3.1.0")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            f"{name}: a user name or password does not belong in the address; use client_id, client_secret"
        )
    if parts.scheme == "http" and not (local and is_local(parts.hostname)):
        raise ValueError(f"{name}: plain http would show the secret to others; use https, or 'local: true' at home")
