"""What the site file may say about a utility's OpenADR 2.0b server (VTN)."""

from __future__ import annotations

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.http.manners import is_local

_FINGERPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){9}")


class OpenAdr2bSettings(BaseModel):
    """One account at one VTN of OpenADR 2.0b, simple HTTP, pull."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["openadr2b"] = Field(description="The protocol of this connection.")
    url: str = Field(description="Base URL of the VTN, up to but without /EiEvent; https.")
    ven_name: str = Field(min_length=1, max_length=128, description="Name of this home at the VTN.")
    ven_id: str = Field("", max_length=128, description="venID, where the utility gave one; empty: the VTN gives it.")
    cert_file: str = Field("", description="PEM file of this home's certificate, as the utility asks for.")
    key_file: str = Field("", description="PEM file of the certificate's private key.")
    ca_file: str = Field("", description="PEM file of the VTN's own certificate authority; empty: the public ones.")
    vtn_fingerprint: str = Field(
        "", description="The VTN certificate's fingerprint (ten pairs), to be checked as well."
    )
    poll_s: float = Field(
        10.0, ge=0.2, le=3600, description="Least seconds between polls; a longer wish of the VTN wins."
    )
    nominal_voltage_v: float = Field(230.0, gt=0, description="Voltage named in reports of power, V.")
    frequency_hz: float = Field(50.0, gt=0, description="Frequency named in reports of power, Hz.")
    local: bool = Field(False, description="The VTN is in this house: plain http to a local address is allowed.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            example = "https://vtn.example.org/OpenADR2/Simple/2.0b"
            raise ValueError(f"url: {self.url!r} is not a web address; write it like {example}")
        if parts.scheme == "http" and not (self.local and is_local(parts.hostname)):
            raise ValueError("url: plain http can be read and changed by others; use https, or 'local: true' at home")
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file belong together: give both, or neither")
        if self.vtn_fingerprint and not _FINGERPRINT.fullmatch(self.vtn_fingerprint.upper()):
            raise ValueError("vtn_fingerprint: ten pairs of hexadecimal digits with colons between them")
        return self

    @property
    def base(self) -> str:
        """The base URL without a slash at its end."""
        return self.url.rstrip("/")
