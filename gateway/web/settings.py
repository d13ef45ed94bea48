"""The web part of the site file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class WebSettings(BaseModel):
    """Where the pages and the API are served, and under which names they may be asked for."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 serves the whole local network.")
    port: int = Field(8080, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Names under which browsers may ask for the pages, e.g. hearth.local; localhost and own IPs always.",
    )
    demo_login: bool = Field(False, description="Log visitors from this machine in by themselves (demo only).")

    @property
    def listening_ports(self) -> tuple[str, ...]:
        """The keys of the ports it listens on."""
        return ("port",)
